import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, test } from 'vitest';
import { PHASES } from '../../../src/domain/phase.ts';
import type { RepositoryName } from '../../../src/domain/run.ts';
import { admitStore } from '../../../src/store/admission.ts';
import { parseApiKey } from '../../../src/store/api-key.ts';
import { createApiKey, revokeApiKey } from '../../../src/store/api-keys.ts';
import { archiveRun } from '../../../src/store/archive.ts';
import { createCustomer, findCustomer } from '../../../src/store/customers.ts';
import { addForgeAccount, verifyForgeAccount } from '../../../src/store/forge-accounts.ts';
import type { Scope } from '../../../src/store/principal.ts';
import { getRepositoryAccess } from '../../../src/store/repository-access.ts';
import { retrievePhases } from '../../../src/store/retrieve.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { makeCustomer, makeRun, openDatabase, repository } from './builders.ts';

const database = await openDatabase((await freshDatabase()).url);
const { pool } = database;
afterAll(() => database.close());

const WRITE = { scopes: ['phases:write'] } as const;
const READ = { scopes: ['phases:read'] } as const;

async function makeKey(
  customerId: string,
  options: { scopes: readonly Scope[]; expiresAt?: string } = WRITE,
) {
  const key = await createApiKey(pool, { customerId, name: 'ci', ...options });
  const credentials = parseApiKey(key.apiKey);
  if (credentials === undefined) throw new Error('cannot be parsed');
  return credentials;
}

async function makeTenant() {
  const { customerId, namespace } = await makeCustomer(pool);
  return { customerId, repository: repository('nodegoat', namespace) };
}

async function claim(customerId: string, namespace: string, isVerified: boolean): Promise<void> {
  await addForgeAccount(pool, customerId, { forge: 'gitlab', namespace });
  if (isVerified) await verifyForgeAccount(pool, customerId, { forge: 'gitlab', namespace });
}

const subject = (of: RepositoryName) => ({
  repository: of,
  phase: 'validation' as const,
  issueNumber: 1204,
  commitSha: '7776c71',
});

describe('who asks', () => {
  test('the holder of a good key is admitted, and gets ever larger orders', async () => {
    const tenant = await makeTenant();
    const key = await makeKey(tenant.customerId, { scopes: ['phases:read', 'phases:write'] });
    const first = await admitStore(pool, key, subject(tenant.repository));
    expect(first).toEqual({
      principal: { known: true, customerId: tenant.customerId, scopes: ['phases:read', 'phases:write'] },
      owned: true,
      unverifiedClaim: null,
      validUntil: null,
      order: expect.any(Number),
      running: null,
      runIdStatus: null,
      inbox: { isSlotWaiting: false, run: null },
    });
    const second = await admitStore(pool, key, subject(tenant.repository));
    expect((second.order ?? 0) - (first.order ?? 0)).toBe(1024);
  });

  test.each([
    { name: 'no such key', reason: 'no_such_key', change: { keyId: 'nobody' } },
    { name: 'wrong secret', reason: 'wrong_secret', change: { secretSha256: '00'.repeat(32) } },
    { name: 'expired', reason: 'expired', expiresAt: '2020-01-01T00:00:00Z' },
    {
      name: 'expired, wrong secret',
      reason: 'wrong_secret',
      expiresAt: '2020-01-01T00:00:00Z',
      change: { secretSha256: '00'.repeat(32) },
    },
    { name: 'revoked', reason: 'revoked', revoke: true },
  ] as const)('$name: neither order nor data', async ({ reason, ...how }) => {
    const tenant = await makeTenant();
    await archiveRun(pool, makeRun({ ...tenant, order: 1024 }));
    const expiry = 'expiresAt' in how ? { expiresAt: how.expiresAt } : {};
    const key = await makeKey(tenant.customerId, { scopes: ['phases:read', 'phases:write'], ...expiry });
    if ('revoke' in how) await revokeApiKey(pool, tenant.customerId, key.keyId);
    const caller = { ...key, ...('change' in how ? how.change : {}) };
    const refused = { principal: { known: false, reason }, owned: false, unverifiedClaim: null };
    expect(await admitStore(pool, caller, subject(tenant.repository))).toMatchObject({
      ...refused,
      order: null,
    });
    expect(await retrievePhases(pool, caller, subject(tenant.repository))).toEqual({
      ...refused,
      scan: null,
      validation: null,
      mitigation: null,
    });
  });

  test('without the scope there is no order and no data, but the namespace is said to be owned', async () => {
    const tenant = await makeTenant();
    await archiveRun(pool, makeRun({ ...tenant, order: 1024 }));
    const reader = await makeKey(tenant.customerId, READ);
    const writer = await makeKey(tenant.customerId, WRITE);
    expect(await admitStore(pool, reader, subject(tenant.repository))).toMatchObject({
      owned: true,
      order: null,
    });
    expect(await retrievePhases(pool, writer, subject(tenant.repository))).toMatchObject({
      owned: true,
      validation: null,
    });
    expect(await retrievePhases(pool, reader, subject(tenant.repository))).toMatchObject({
      validation: '{"validated": true}',
    });
  });

  test('a customer that a token names, by id or by name, is admitted the same way', async () => {
    const { customerId, repository } = await makeTenant();
    const customerName = (await findCustomer(pool, customerId))?.name ?? '';
    await archiveRun(pool, makeRun({ customerId, repository, order: 1024 }));
    const scopes = ['phases:read', 'phases:write'] as const;
    for (const customer of [customerId, customerName]) {
      const caller = { kind: 'customer', customer, scopes, subject: 'somebody' } as const;
      expect(await admitStore(pool, caller, subject(repository))).toMatchObject({
        principal: { known: true, customerId, scopes },
        owned: true,
        order: expect.any(Number),
      });
      expect(await retrievePhases(pool, caller, subject(repository))).toMatchObject({
        validation: expect.any(String),
      });
    }
    const nobody = { kind: 'customer', customer: randomUUID(), scopes, subject: 'somebody' } as const;
    expect(await admitStore(pool, nobody, subject(repository))).toMatchObject({
      principal: { known: false, reason: 'no_such_customer' },
      owned: false,
      order: null,
    });
  });

  test("nobody is taken for the customer whose name is another one's id", async () => {
    const { customerId } = await makeTenant();
    const [taken, free] = [customerId, randomUUID()];
    for (const name of [taken, free]) await createCustomer(pool, name);
    const ask = (customer: string) => {
      const caller = { kind: 'customer', customer, scopes: [], subject: 'somebody' } as const;
      return retrievePhases(pool, caller, subject(repository()));
    };
    expect(await ask(taken)).toMatchObject({ principal: { customerId } });
    expect(await ask(free)).toMatchObject({ principal: { known: false } });
  });

  test('a CI job is admitted to its own repository alone', async () => {
    const { customerId, repository: own } = await makeTenant();
    await archiveRun(pool, makeRun({ customerId, repository: own, order: 1024 }));
    const job = { kind: 'repository', repository: own } as const;
    expect(await admitStore(pool, job, subject(own))).toMatchObject({
      principal: { known: true, customerId, scopes: ['phases:read', 'phases:write'] },
      owned: true,
      order: expect.any(Number),
    });
    expect(await retrievePhases(pool, job, subject(own))).toMatchObject({ validation: expect.any(String) });
    const neighbour = { kind: 'repository', repository: { ...own, name: 'neighbour' } } as const;
    expect(await admitStore(pool, neighbour, subject(own))).toMatchObject({ owned: false, order: null });
    expect(await retrievePhases(pool, neighbour, subject(own))).toMatchObject({
      owned: false,
      validation: null,
    });
    const stranger = { kind: 'repository', repository: repository('shop', 'nobody') } as const;
    expect(await retrievePhases(pool, stranger, subject(own))).toMatchObject({
      principal: { known: false, reason: 'no_forge_account' },
      owned: false,
      validation: null,
    });
  });
});

describe('whose namespace', () => {
  test('of somebody else, claimed by somebody else, and of nobody look the same', async () => {
    const [mine, theirs] = [await makeTenant(), await makeTenant()];
    const key = await makeKey(mine.customerId, { scopes: ['phases:read', 'phases:write'] });
    await archiveRun(pool, makeRun({ ...theirs, order: 1024 }));
    const claimed = `claimed-${randomUUID()}`;
    await addForgeAccount(pool, theirs.customerId, { forge: 'github', namespace: claimed });
    for (const name of [theirs.repository, repository('x', 'nobody'), repository('x', claimed)]) {
      const admission = await admitStore(pool, key, { ...subject(name), runId: randomUUID() });
      const closed = { owned: false, unverifiedClaim: null };
      expect(admission).toMatchObject({ ...closed, order: null, running: null, runIdStatus: 'free' });
      expect(await retrievePhases(pool, key, subject(name))).toMatchObject({ ...closed, validation: null });
      expect(await getRepositoryAccess(pool, key, name)).toMatchObject(closed);
    }
  });

  test.each([
    { name: 'verified for nobody', asks: 'top', mine: { top: false }, want: 'top' },
    { name: 'verified for another', asks: 'top', mine: { top: false }, theirs: 'top', want: 'top' },
    {
      name: 'verified for another below',
      asks: 'top/sub',
      mine: { top: false },
      theirs: 'top/sub',
      want: 'top',
    },
    { name: 'of a group above', asks: 'top/sub/deep', mine: { top: false }, want: 'top' },
    { name: 'longest of two', asks: 'top/sub/deep', mine: { top: false, 'top/sub': false }, want: 'top/sub' },
    {
      name: 'longer than a verified one that another cut short',
      asks: 'top/sub',
      mine: { top: true, 'top/sub': false },
      theirs: 'top/sub',
      want: 'top/sub',
    },
    { name: 'within a verified one', asks: 'top/sub', mine: { top: true, 'top/sub': false }, owned: true },
    {
      name: 'shorter than a verified one that another cut short',
      asks: 'top/sub/deep',
      mine: { top: false, 'top/sub': true },
      theirs: 'top/sub/deep',
    },
    { name: 'of a group below', asks: 'top', mine: { 'top/sub': false } },
    { name: 'of a group whose name goes on', asks: 'topmost', mine: { top: false } },
  ])('the own claim that is not verified, $name', async ({ asks, mine, theirs, owned = false, want }) => {
    const [me, another] = [await makeTenant(), await makeTenant()];
    const top = `group-${randomUUID()}`;
    const under = (path: string) => path.replace('top', top);
    for (const [path, isVerified] of Object.entries(mine))
      await claim(me.customerId, under(path), isVerified);
    if (theirs !== undefined) await claim(another.customerId, under(theirs), true);
    const key = await makeKey(me.customerId, { scopes: ['phases:read', 'phases:write'] });
    const namespace = under(asks);
    const name = { forge: 'gitlab', namespace, name: 'x', fullPath: `${namespace}/x` } as const;
    const access = { owned, unverifiedClaim: want === undefined ? null : under(want) };
    const { order, ...admission } = await admitStore(pool, key, subject(name));
    expect(admission).toMatchObject(access);
    expect(order !== null).toBe(owned);
    expect(await retrievePhases(pool, key, subject(name))).toMatchObject(access);
    expect(await getRepositoryAccess(pool, key, name)).toMatchObject(access);
  });

  test('a claim that is not verified says nothing to whoever has another secret', async () => {
    const { customerId } = await makeTenant();
    const claimed = `group-${randomUUID()}`;
    await claim(customerId, claimed, false);
    const forged = { ...(await makeKey(customerId)), secretSha256: '00'.repeat(32) };
    const name = { forge: 'gitlab', namespace: claimed, name: 'x', fullPath: `${claimed}/x` } as const;
    const closed = { owned: false, unverifiedClaim: null };
    expect(await admitStore(pool, forged, subject(name))).toMatchObject(closed);
    expect(await retrievePhases(pool, forged, subject(name))).toMatchObject(closed);
    expect(await getRepositoryAccess(pool, forged, name)).toMatchObject(closed);
  });

  test('of nested namespaces the longest verified one decides', async () => {
    const [group, subgroup] = [await makeTenant(), await makeTenant()];
    const top = `group-${randomUUID()}`;
    await claim(group.customerId, top, true);
    await claim(subgroup.customerId, `${top}/sub`, true);
    const owned = async (customerId: string, namespace: string) => {
      const name = { forge: 'gitlab', namespace, name: 'x', fullPath: `${namespace}/x` } as const;
      return (await admitStore(pool, await makeKey(customerId), subject(name))).owned;
    };
    expect(await owned(group.customerId, top)).toBe(true);
    expect(await owned(group.customerId, `${top}/other/deep`)).toBe(true);
    expect(await owned(group.customerId, `${top}/sub`)).toBe(false);
    expect(await owned(subgroup.customerId, `${top}/sub/deep`)).toBe(true);
    expect(await owned(subgroup.customerId, top)).toBe(false);
    expect(await owned(group.customerId, `${top}x`)).toBe(false);
  });
});

describe('what is moved forward', () => {
  test.each(PHASES)('the newest running %s of the same pipeline run and commit', async (phase) => {
    const tenant = await makeTenant();
    const key = await makeKey(tenant.customerId);
    const run = (order: number, options: object = {}) =>
      makeRun({
        ...tenant,
        phase,
        order,
        status: 'running',
        pipelineRunId: '1',
        data: { order },
        ...options,
      });
    const older = run(1024);
    const newest = run(2048);
    for (const each of [
      older,
      newest,
      run(3072, { pipelineRunId: '2' }),
      run(4096, { commitSha: 'other' }),
      run(5120, { status: 'completed' }),
    ])
      await archiveRun(pool, each);
    const admission = await admitStore(pool, key, {
      ...subject(tenant.repository),
      phase,
      pipelineRunId: '1',
    });
    expect(admission.running).toMatchObject({
      runId: newest.runId,
      status: 'running',
      order: 2048,
      phaseRunNamespace: newest.phaseRun.namespace,
      phaseRunName: newest.phaseRun.name,
    });
    expect(await admitStore(pool, key, { ...subject(tenant.repository), phase })).toMatchObject({
      running: null,
    });
  });

  test('a run named by id: found if it is the caller’s, of this phase and slot', async () => {
    const [mine, theirs] = [await makeTenant(), await makeTenant()];
    const key = await makeKey(mine.customerId);
    const own = makeRun({ ...mine, order: 1024, status: 'running' });
    const finished = makeRun({ ...mine, order: 2048 });
    const foreign = makeRun({ ...theirs, order: 1024, status: 'running' });
    for (const run of [own, finished, foreign]) await archiveRun(pool, run);
    const ask = (runId: string, change: object = {}) =>
      admitStore(pool, key, { ...subject(mine.repository), runId, ...change });
    expect(await ask(own.runId)).toMatchObject({
      runIdStatus: 'found',
      running: { runId: own.runId, status: 'running' },
    });
    expect(await ask(finished.runId)).toMatchObject({
      runIdStatus: 'found',
      running: { status: 'completed' },
    });
    for (const taken of [
      ask(foreign.runId),
      ask(own.runId, { phase: 'mitigation' }),
      ask(own.runId, { issueNumber: 7 }),
    ])
      expect(await taken).toMatchObject({ runIdStatus: 'taken', running: null });
    expect(await ask(randomUUID())).toMatchObject({ runIdStatus: 'free', running: null });
  });
});

describe('retrievePhases', () => {
  async function retrieve(tenant: Awaited<ReturnType<typeof makeTenant>>, change: object = {}) {
    const key = await makeKey(tenant.customerId, READ);
    const { scan, validation, mitigation } = await retrievePhases(pool, key, {
      ...subject(tenant.repository),
      ...change,
    });
    const parse = (text: string | null): unknown => (text === null ? null : JSON.parse(text));
    return { scan: parse(scan), validation: parse(validation), mitigation: parse(mitigation) };
  }
  const none = { scan: null, validation: null, mitigation: null };

  test('the newest of each phase: scans by commit, the others by issue whatever the commit', async () => {
    const tenant = await makeTenant();
    const store = (order: number, options: object) =>
      archiveRun(pool, makeRun({ ...tenant, order, data: { order }, ...options }));
    await store(1, { phase: 'scan' });
    await store(2, { phase: 'scan', commitSha: 'other' });
    await store(4, {});
    await store(3, {});
    await store(5, { phase: 'mitigation', commitSha: 'fix' });
    await store(6, { phase: 'mitigation', issueNumber: 7 });
    expect(await retrieve(tenant)).toEqual({
      scan: { order: 1 },
      validation: { order: 4 },
      mitigation: { order: 5 },
    });
    expect(await retrieve(tenant, { issueNumber: undefined })).toEqual({ ...none, scan: { order: 1 } });
    expect(await retrieve(tenant, { commitSha: undefined })).toMatchObject({
      scan: null,
      validation: { order: 4 },
    });
    expect(await retrieve(tenant, { issueNumber: 8, commitSha: 'none' })).toEqual(none);
    expect(await retrieve(await makeTenant())).toEqual(none);
  });

  test.each([
    { name: 'running never hides completed', rows: ['completed', 'running', 'pending'], want: { order: 1 } },
    { name: 'failed never hides completed', rows: ['completed', 'failed'], want: { order: 1 } },
    {
      name: 'the newest failed when none completed',
      rows: ['failed', 'failed', 'running'],
      want: { order: 2 },
    },
    { name: 'a failed one without data does not count', rows: ['failed', 'empty'], want: { order: 1 } },
    { name: 'an empty completed one does', rows: ['completed', 'emptyCompleted'], want: {} },
    { name: 'running alone is nothing', rows: ['running'], want: null },
  ] as const)('$name', async ({ rows, want }) => {
    const tenant = await makeTenant();
    for (const [index, row] of rows.entries()) {
      const order = index + 1;
      const status = { empty: 'failed', emptyCompleted: 'completed' }[row as 'empty'] ?? row;
      const data = row.startsWith('empty') ? {} : { order };
      await archiveRun(pool, makeRun({ ...tenant, order, data, status: status as 'failed' }));
    }
    expect((await retrieve(tenant)).validation).toEqual(want);
  });

  test('a pipeline run may be asked for', async () => {
    const tenant = await makeTenant();
    for (const [order, pipelineRunId] of [
      [1, 'a'],
      [2, 'b'],
    ] as const)
      await archiveRun(pool, makeRun({ ...tenant, order, pipelineRunId, data: { order } }));
    expect(await retrieve(tenant, { pipelineRunId: 'a' })).toMatchObject({ validation: { order: 1 } });
    expect(await retrieve(tenant, { pipelineRunId: 'c' })).toEqual(none);
  });

  test('a scan without commit is found by its issue', async () => {
    const tenant = await makeTenant();
    const { commitSha: _, ...scan } = makeRun({
      ...tenant,
      phase: 'scan',
      issueNumber: 1204,
      order: 1,
      data: { by: 'issue' },
    });
    await archiveRun(pool, scan);
    await archiveRun(pool, makeRun({ ...tenant, phase: 'scan', issueNumber: 1204, order: 2 }));
    expect(await retrieve(tenant, { scanOfIssue: true })).toMatchObject({ scan: { by: 'issue' } });
  });

  test('a repository of another customer with the same name yields nothing', async () => {
    const [mine, theirs] = [await makeTenant(), await makeTenant()];
    // The namespace was theirs before it became mine.
    await archiveRun(pool, makeRun({ customerId: theirs.customerId, repository: mine.repository, order: 1 }));
    expect(await retrieve(mine)).toEqual(none);
  });

  test('what was stored comes back as it was', async () => {
    const tenant = await makeTenant();
    const data = { text: 'é\u2028"\\', deep: [[{ a: null }]], number: 1.25e-7, big: 2 ** 53 - 1, '': true };
    await archiveRun(pool, makeRun({ ...tenant, order: 1, data }));
    expect((await retrieve(tenant)).validation).toEqual(data);
  });
});
