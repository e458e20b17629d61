import { expect } from 'vitest';
import type { PhaseRun } from '../../src/resources/phase-run.ts';
import { getJson, kubectl } from './commands.ts';
import { query } from './release.ts';
import { until } from './requests.ts';
import type { Tenant } from './tenant.ts';

/** A validation of an issue of its own, to be applied by kubectl. */
export function makeRun({ name: owner }: Tenant, namespace: string, issueNumber: number) {
  return {
    apiVersion: 'phases.rsolv.dev/v1alpha1',
    kind: 'PhaseRun',
    metadata: { name: `validation-${issueNumber}`, namespace },
    spec: {
      phase: 'validation',
      forge: 'github',
      repo: `${owner}/app`,
      issueNumber,
      commitSha: 'abc1234',
      result: { status: 'completed', data: { validated: true, issueNumber } },
    },
  };
}

export async function applyRuns(runs: readonly object[]): Promise<void> {
  const list = { apiVersion: 'v1', kind: 'List', items: runs };
  await kubectl(['apply', '--server-side', '-f', '-'], { stdin: JSON.stringify(list) });
}

/** Waits until every PhaseRun of a namespace is archived. */
export async function untilArchived(namespace: string): Promise<void> {
  await kubectl(['wait', '--for=condition=Archived', 'phr', '--all', '-n', namespace, '--timeout=120s']);
}

/** Waits until every PhaseRun of the cluster is archived or rejected, and nothing waits in the inbox. */
export async function untilSettled(): Promise<void> {
  await until('everything is archived', async () => {
    const { items } = await getJson<{ items: PhaseRun[] }>('phr', '-A');
    expect(items.filter((run) => !isSettled(run)).map(({ metadata }) => metadata.name)).toEqual([]);
    expect(await query('SELECT count(*) FROM inbox_runs')).toBe('0');
  });
}

function isSettled({ metadata, status }: PhaseRun): boolean {
  const current = status?.conditions?.filter((each) => each.observedGeneration === metadata.generation) ?? [];
  return current.some(
    ({ type, status }) =>
      (type === 'Archived' && status === 'True') || (type === 'Accepted' && status === 'False'),
  );
}

/** What must survive whatever is done to the release: rows, sessions, and PhaseRuns that stay until somebody deletes them. */
export async function takeStock(namespace: string) {
  await untilSettled();
  const { items } = await getJson<{ items: PhaseRun[] }>('phr', '-n', namespace);
  return {
    rows: await query(`
      SELECT count(*) || ' ' || md5(string_agg(id || encode(sha256, 'hex') || data, '' ORDER BY id)) FROM (
        SELECT id, sha256, data FROM scan_executions
        UNION ALL SELECT id, sha256, data FROM validation_executions
        UNION ALL SELECT id, sha256, data FROM mitigation_executions
      ) AS rows`),
    sessions: await query(
      "SELECT count(*) || ' ' || md5(string_agg(id || status::text, '' ORDER BY id)) FROM sessions",
    ),
    phaseRuns: items.map(({ metadata }) => metadata.uid).toSorted(),
  };
}
