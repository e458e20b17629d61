import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { freshDatabase } from '../../fixtures/database.ts';
import { ownKubernetes } from '../../fixtures/kubernetes.ts';
import type { RoleProcess } from '../../fixtures/processes.ts';
import { countRows } from '../store/rows.ts';
import { createWorld, type Tenant } from './world.ts';

const { url: databaseUrl } = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const world = await createWorld({ kubeconfigPath, databaseUrl });

const SOON = { timeout: 20_000, interval: 50 };

function storeUnder(key: string, { url }: RoleProcess, { apiKey }: Tenant, body: object): Promise<Response> {
  return fetch(`${url}/api/v1/phases/store`, {
    method: 'POST',
    headers: { 'x-api-key': apiKey, 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify(body),
  });
}

/** Tries again as the server says, for as long as another try may be under way. */
async function retry(send: () => Promise<Response>): Promise<Response> {
  for (;;) {
    const answer = await send();
    if (answer.status !== 409) return answer;
    await sleep(1000 * Number(answer.headers.get('retry-after')));
  }
}

test('killed after the PhaseRun and before the answer was noted, another replica ends the same run under the same key', async () => {
  const tenant = await world.makeTenant();
  const { customerId, namespace } = tenant;
  const scan = { phase: 'scan', repo: `${tenant.owner}/shop`, commitSha: 'c0ffee', data: { n: 1 } };
  const key = randomUUID();
  const dying = await world.startApi();
  // Without a controller it waits for a row that does not come.
  const unanswered = storeUnder(key, dying, tenant, scan).catch(() => undefined);
  const [created] = await vi.waitFor(async () => {
    const runs = await world.phaseRuns.list({ namespace });
    expect(runs).toHaveLength(1);
    return runs;
  }, SOON);
  await dying.end('SIGKILL');
  expect(await unanswered).toBeUndefined();

  const [api] = await Promise.all([world.startApi(), world.startController()]);
  const answer = await retry(() => storeUnder(key, api, tenant, scan));
  expect({ status: answer.status, body: await answer.json() }).toMatchObject({
    status: 200,
    body: { id: created?.spec.runId, persisted: true },
  });
  expect(await world.phaseRuns.list({ namespace })).toHaveLength(1);
  expect(await countRows(world.pool, 'scan_executions', customerId)).toBe(1);

  const other = await storeUnder(key, api, tenant, { ...scan, data: { n: 2 } });
  expect(other.status).toBe(422);
  const again = await storeUnder(key, api, tenant, scan);
  expect(again.headers.get('idempotency-replayed')).toBe('true');
});
