import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { PhaseDataClient } from '../../../src/client/phase-data-client.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace, ownKubernetes } from '../../fixtures/kubernetes.ts';
import { closedPort } from '../../fixtures/scripted-server.ts';
import { temporaryDirectory } from '../../fixtures/temporary-directory.ts';
import { makeTenant, startApi, startController } from './api-under-test.ts';

const { url: databaseUrl } = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const api = await startApi({
  kubeconfigPath,
  databaseUrl,
  namespace: await freshNamespace({ kubeconfigPath }),
});
await startController({ kubeconfigPath, databaseUrl });
const { apiKey, owner } = await makeTenant(api.pool);
const nowhere = `http://127.0.0.1:${await closedPort()}`;

/** A runner with a disk of its own, now cut off from the platform and now not. */
async function makeRunner() {
  const folder = await temporaryDirectory();
  const connect = (baseUrl: string) =>
    new PhaseDataClient({
      apiKey,
      baseUrl,
      folder,
      usePlatform: true,
      retry: { attempts: 1 },
      warn: () => undefined,
    });
  return { offline: connect(nowhere), online: connect(api.url) };
}

const subject = () => ({
  repo: `${owner}/repo-${randomBytes(4).toString('hex')}`,
  issueNumber: 7,
  commitSha: 'c0ffee',
});

test('results that a runner kept through an outage arrive in their order', async () => {
  const runner = await makeRunner();
  const where = subject();
  for (const n of [1, 2, 3]) await runner.offline.storePhaseResults('validation', { n }, where);
  const known = await runner.online.retrievePhaseResults(where.repo, 7, 'c0ffee');
  expect(known).toEqual({ validation: { 'issue-7': { n: 3 } } });
  await runner.offline.storePhaseResults('mitigation', { fixed: true }, where);
  expect(await runner.online.storePhaseResults('validation', { n: 4 }, where)).toMatchObject({ resent: 1 });
  expect(await runner.online.retrievePhaseResults(where.repo, 7, 'c0ffee')).toEqual({
    validation: { 'issue-7': { n: 4 } },
    mitigation: { 'issue-7': { fixed: true } },
  });
});

test('what a runner kept does not hide what another has stored since', async () => {
  const [late, other] = [await makeRunner(), await makeRunner()];
  const where = subject();
  await late.offline.storePhaseResults('validation', { by: 'late' }, where);
  await other.online.storePhaseResults('validation', { by: 'other' }, where);
  const known = await late.online.retrievePhaseResults(where.repo, 7, 'c0ffee');
  expect(known).toEqual({ validation: { 'issue-7': { by: 'other' } } });
});

test('one that a frozen replica takes up after its runner gave up does not pass what the runner kept since', async () => {
  const where = subject();
  const send = async (n: number, secondsAgo?: number) => {
    const answer = await fetch(`${api.url}/api/v1/phases/store`, {
      method: 'POST',
      headers: {
        'x-api-key': apiKey,
        'content-type': 'application/json',
        'idempotency-key': `result-${n}`,
        ...(secondsAgo !== undefined && {
          'x-phase-stored-at': new Date(Date.now() - 1_000 * secondsAgo).toISOString(),
        }),
      },
      body: JSON.stringify({ phase: 'validation', ...where, data: { n } }),
    });
    expect(answer.status).toBe(200);
  };
  // The first try, when the replica goes on; the runner then sends what it kept.
  await send(1);
  await send(1, 60);
  await send(2, 30);
  const runner = await makeRunner();
  expect(await runner.online.retrievePhaseResults(where.repo, 7, 'c0ffee')).toEqual({
    validation: { 'issue-7': { n: 2 } },
  });
});
