import { Client } from 'pg';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { hasStatus } from '../../../src/kube/kube-error.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { ownKubernetes } from '../../fixtures/kubernetes.ts';
import { runCli } from '../cli/run-cli.ts';
import { appliedRuns, SOON } from '../end-to-end/applied-runs.ts';
import { makeManifest } from '../end-to-end/manifests.ts';
import { retrieve, store } from '../end-to-end/runner.ts';
import { createWorld } from '../end-to-end/world.ts';

// The doctor looks at all that is in a cluster: this one is its own.
const { kubeconfigPath } = await ownKubernetes();
const { url } = await freshDatabase();
const world = await createWorld({ kubeconfigPath, databaseUrl: url });
const client = new Client({ connectionString: url });
await client.connect();
afterAll(() => client.end());
const tenant = await world.makeTenant();
const { applyAndArchive } = appliedRuns(world);
const api = await world.startApi();
const controller = await world.startController();

interface Found {
  readonly kind: string;
  readonly id: string;
  readonly phaseRun?: string;
  readonly repair?: { readonly kind: string };
}

async function doctor(...args: string[]) {
  const env = { DATABASE_URL: url, KUBECONFIG: kubeconfigPath };
  const { code, stdout, stderr } = await runCli(['doctor', '-o', 'json', ...args], { env });
  const examination: { discrepancies: Found[]; waiting: string[] } = JSON.parse(stdout);
  return { code, stderr, ...examination };
}

let issue = 0;
/** A validation of an issue of its own, applied and archived. */
async function archived() {
  issue += 1;
  const manifest = makeManifest(tenant, `run-${issue}`, { spec: { issueNumber: issue } });
  const { metadata, status } = await applyAndArchive(manifest);
  const found = { phaseRun: `${metadata.namespace}/${metadata.name}`, id: metadata.uid };
  return { ...found, manifest, issueNumber: issue, executionId: status?.archive?.executionId };
}

async function rowsOf(runId: string): Promise<number> {
  return (await client.query('SELECT FROM validation_executions WHERE id = $1', [runId])).rowCount ?? 0;
}

describe('a PhaseRun whose row is not there', () => {
  it('is found, where nothing was before, left as it is, and archived again when told to', async () => {
    const { id, phaseRun, issueNumber } = await archived();
    expect(await doctor('--deep')).toMatchObject({ code: 0, discrepancies: [], waiting: [] });
    await client.query('DELETE FROM validation_executions WHERE id = $1', [id]);
    const looked = await doctor();
    expect(looked.code).toBe(1);
    expect(looked.stderr).toContain('phaserun doctor --repair');
    expect(looked.discrepancies).toEqual([
      expect.objectContaining({ kind: 'RowMissing', id, phaseRun, repair: { kind: 'archive-again' } }),
    ]);
    expect(await rowsOf(id)).toBe(0);
    expect(await doctor('--repair')).toMatchObject({ code: 0, discrepancies: [] });
    const { body } = await retrieve(api, tenant, {
      repo: `${tenant.owner}/shop`,
      issue: String(issueNumber),
      commit: 'c0ffee',
    });
    expect(body).toEqual({ validation: { [`issue-${issueNumber}`]: { validated: true } } });
  });
});

describe('a receipt that names another row', () => {
  it('is written anew from the row', async () => {
    const { id, phaseRun, manifest } = await archived();
    const { metadata } = manifest;
    const executionId = '00000000-0000-4000-8000-000000000000';
    await world.phaseRuns.mergePatchStatus(metadata, { status: { archive: { executionId } } });
    expect((await doctor()).discrepancies).toEqual([
      expect.objectContaining({ kind: 'ReceiptStale', id, phaseRun }),
    ]);
    expect(await doctor('--repair')).toMatchObject({ code: 0 });
    expect((await world.phaseRuns.get(metadata)).status?.archive?.executionId).toBe(id);
  });
});

describe('a row that holds something else', () => {
  it('is found when its digest is computed anew, and gets back what the PhaseRun carries', async () => {
    const { id } = await archived();
    await client.query(`UPDATE validation_executions SET data = '{"validated": false}' WHERE id = $1`, [id]);
    expect(await doctor()).toMatchObject({ code: 0, discrepancies: [] });
    expect((await doctor('--deep')).discrepancies).toEqual([
      expect.objectContaining({
        kind: 'RowDamaged',
        id,
        repair: { kind: 'restore-content', phase: 'validation' },
      }),
    ]);
    expect(await doctor('--deep', '--repair')).toMatchObject({ code: 0, discrepancies: [] });
    const { rows } = await client.query('SELECT data FROM validation_executions WHERE id = $1', [id]);
    expect(rows).toEqual([{ data: { validated: true } }]);
  });

  it('gets back what was stored by reference as well', async () => {
    const commitSha = 'large';
    const text = 'x'.repeat(20_000);
    const { body } = await store(api, tenant, {
      phase: 'scan',
      repo: `${tenant.owner}/shop`,
      commitSha,
      data: { text },
    });
    await client.query(`UPDATE scan_executions SET data = '{}' WHERE id = $1`, [body.id]);
    expect(await doctor('--deep', '--repair')).toMatchObject({ code: 0, discrepancies: [] });
    const { rows } = await client.query('SELECT data FROM scan_executions WHERE id = $1', [body.id]);
    expect(rows).toEqual([{ data: { text } }]);
  });

  it('is left to somebody when nothing holds the content any more, and when the PhaseRun says otherwise', async () => {
    const lost = await archived();
    const changed = await archived();
    await world.phaseRuns.delete(lost.manifest.metadata);
    await client.query(`UPDATE validation_executions SET data = '{}' WHERE id = $1`, [lost.id]);
    await client.query(`UPDATE validation_executions SET sha256 = sha256('other') WHERE id = $1`, [
      changed.id,
    ]);
    const found = await doctor('--deep', '--repair');
    expect(found.code).toBe(1);
    expect(
      new Set(found.discrepancies.map(({ kind, id, repair }) => `${kind} ${id} ${repair?.kind}`)),
    ).toEqual(
      new Set([
        `ContentDiffers ${changed.id} undefined`,
        `RowDamaged ${changed.id} undefined`,
        `RowDamaged ${lost.id} undefined`,
      ]),
    );
    await client.query('DELETE FROM validation_executions WHERE id = ANY($1)', [[lost.id, changed.id]]);
    await doctor('--repair');
  });
});

describe('a session', () => {
  it('that is behind its newest execution is named', async () => {
    const { id } = await archived();
    const { rows } = await client.query<{ session_id: string }>(
      `UPDATE validation_executions SET status = 'failed' WHERE id = $1 RETURNING session_id`,
      [id],
    );
    const sessionId = rows[0]?.session_id;
    expect((await doctor()).discrepancies).toEqual([
      expect.objectContaining({ kind: 'SessionBehind', id: sessionId }),
    ]);
    await client.query(`UPDATE validation_executions SET status = 'completed' WHERE id = $1`, [id]);
  });

  it('whose state was never recorded is named', async () => {
    const { id } = await archived();
    const { rows } = await client.query<{ session_id: string }>(
      `DELETE FROM session_transitions
       WHERE to_state = 'active' AND session_id = (SELECT session_id FROM validation_executions WHERE id = $1)
       RETURNING session_id`,
      [id],
    );
    const sessionId = rows[0]?.session_id;
    expect((await doctor()).discrepancies).toEqual([
      expect.objectContaining({ kind: 'SessionUnrecorded', id: sessionId }),
    ]);
    await client.query(
      `INSERT INTO session_transitions (session_id, customer_id, from_state, to_state)
       VALUES ($1, $2, 'pending', 'active')`,
      [sessionId, tenant.customerId],
    );
  });
});

it('the leader finds by itself what lost its row, and archives it again', async () => {
  const { id } = await archived();
  await client.query('DELETE FROM validation_executions WHERE id = $1', [id]);
  // A leader looks when it begins, and then every ten minutes.
  await controller.end('SIGTERM');
  await world.startController();
  await vi.waitFor(async () => expect(await rowsOf(id)).toBe(1), SOON);
});

it('the guards are lifted for the last uninstall, and not while something is unarchived', async () => {
  const { metadata } = makeManifest(tenant, 'left');
  const unbound = await world.kubectl(['create', 'namespace', 'unbound']);
  expect(unbound).toMatchObject({ ok: true });
  await world.kubectl(['apply', '-f', '-'], {
    stdin: JSON.stringify(makeManifest(tenant, 'left', { namespace: 'unbound' })),
  });
  const refused = await doctor('--release');
  expect(refused).toMatchObject({ code: 1, waiting: [`unbound/${metadata.name}`] });
  expect(refused.stderr).toContain('nothing was released');
  const crd = 'phaseruns.phases.rsolv.dev';
  expect(await world.kubectl(['delete', 'crd', crd, '--wait=false'])).toMatchObject({ ok: false });
  await vi.waitFor(async () => {
    expect(await world.kubectl(['delete', 'phr', 'left', '-n', 'unbound'])).toMatchObject({ ok: true });
  }, SOON);
  expect(await doctor('--release')).toMatchObject({ code: 0 });
  expect(await world.kubectl(['delete', 'crd', crd])).toMatchObject({ ok: true });
  await vi.waitFor(async () => {
    const listing = await world.phaseRuns.list().catch((error: unknown) => hasStatus(error, 404));
    expect(listing).toBe(true);
  }, SOON);
});
