import { expect, test, vi } from 'vitest';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace, ownKubernetes } from '../../fixtures/kubernetes.ts';
import { makeTenant, send, startApi, startController } from './api-under-test.ts';

const { url: databaseUrl } = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const api = await startApi({
  kubeconfigPath,
  databaseUrl,
  namespace: await freshNamespace({ kubeconfigPath }),
});
const tenant = await makeTenant(api.pool);
const repository = `${tenant.owner}/app`;
const headers = { 'x-api-key': tenant.apiKey, 'content-type': 'application/json' };
const issue = `/api/v1/phase_data/${encodeURIComponent(repository)}/7`;

const post = (phase: string, data: object) =>
  send(api, '/api/v1/phase_data', {
    method: 'POST',
    headers,
    body: JSON.stringify({ repository, issue_number: 7, phase, data }),
  });

// No controller runs yet: PhaseRuns wait, from before the deletion and from after it.
const before = await Promise.all([post('scan', { is: 'old' }), post('validate', { is: 'old' })]);
const deleted = await send(api, issue, { method: 'DELETE', headers: { 'x-api-key': tenant.apiKey } });
const after = await post('validate', { is: 'new' });
await startController({ kubeconfigPath, databaseUrl });

test('what was acknowledged before a deletion is archived as deleted, what came after it is stored', async () => {
  expect([...before, deleted, after].map(({ status }) => status)).toEqual([202, 202, 204, 202]);
  const reasonOf = async ({ body }: { body: { phaseRun: { name: string; namespace: string } } }) => {
    const { status } = await api.phaseRuns.get(body.phaseRun);
    return status?.conditions?.find(({ type }) => type === 'Archived')?.reason;
  };
  await vi.waitFor(
    async () =>
      expect(await Promise.all([...before, after].map(reasonOf))).toEqual(['Deleted', 'Deleted', 'Stored']),
    { timeout: 20_000, interval: 100 },
  );
  const found = await send(api, issue, { headers: { 'x-api-key': tenant.apiKey } });
  expect(found.body.phases).toEqual({ validate: { is: 'new' } });
});
