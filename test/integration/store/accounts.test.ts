import { randomUUID } from 'node:crypto';
import { sql } from 'slonik';
import { afterAll, describe, expect, test } from 'vitest';
import { digestOf } from '../../../src/domain/digest.ts';
import type { Phase } from '../../../src/domain/phase.ts';
import { readResult } from '../../../src/domain/reading.ts';
import type { JsonObject } from '../../../src/domain/run.ts';
import { parseApiKey } from '../../../src/store/api-key.ts';
import {
  createApiKey,
  listApiKeys,
  revokeApiKey,
  rotateApiKey,
  touchApiKeys,
} from '../../../src/store/api-keys.ts';
import { archiveRun } from '../../../src/store/archive.ts';
import {
  createCustomer,
  findCustomer,
  findCustomerByName,
  listCustomers,
} from '../../../src/store/customers.ts';
import {
  addForgeAccount,
  ForgeAccountTakenError,
  findForgeOwner,
  listForgeAccounts,
  removeForgeAccount,
  verifyForgeAccount,
} from '../../../src/store/forge-accounts.ts';
import {
  deleteUnusedPayloads,
  findPayload,
  findReading,
  type Payload,
  putPayload,
} from '../../../src/store/payloads.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { makeRun, openDatabase } from './builders.ts';
import { countRows } from './rows.ts';

const database = await openDatabase((await freshDatabase()).url);
const { pool } = database;
afterAll(() => database.close());

const makeCustomerId = async () => (await createCustomer(pool, `customer-${randomUUID()}`)).id;

describe('customers', () => {
  test('are found by id and by name, and listed by name', async () => {
    const created = await createCustomer(pool, 'zebra');
    await createCustomer(pool, 'aardvark');
    expect(await findCustomer(pool, created.id)).toEqual(created);
    expect(await findCustomerByName(pool, 'zebra')).toEqual(created);
    expect(await findCustomerByName(pool, 'Zebra')).toBeNull();
    expect(await findCustomer(pool, randomUUID())).toBeNull();
    expect((await listCustomers(pool)).map(({ name }) => name)).toEqual(['aardvark', 'zebra']);
    await expect(createCustomer(pool, 'zebra')).rejects.toMatchObject({
      kind: 'conflict',
      sqlstate: '23505',
    });
  });
});

describe('API keys', () => {
  test('are shown once, and kept as a digest', async () => {
    const customerId = await makeCustomerId();
    const created = await createApiKey(pool, { customerId, name: 'ci', scopes: ['phases:write'] });
    expect(created.apiKey).toMatch(new RegExp(`^rsolv_${created.id}_[0-9A-Za-z]{43}$`));
    const { apiKey, ...row } = created;
    expect(await listApiKeys(pool, customerId)).toEqual([row]);
    const { rows } = await pool.query(sql.unsafe`
      SELECT encode(secret_sha256, 'hex') AS digest, api_keys::text AS everything FROM api_keys WHERE id = ${created.id}
    `);
    expect(rows).toMatchObject([{ digest: parseApiKey(apiKey)?.secretSha256 }]);
    expect(JSON.stringify(rows)).not.toContain(apiKey.split('_')[2]);
  });

  test('of another customer cannot be seen, revoked or rotated', async () => {
    const [mine, theirs] = [await makeCustomerId(), await makeCustomerId()];
    const key = await createApiKey(pool, { customerId: theirs, name: 'ci', scopes: [] });
    expect(await listApiKeys(pool, mine)).toEqual([]);
    expect(await revokeApiKey(pool, mine, key.id)).toBeNull();
    expect(await rotateApiKey(pool, mine, key.id, { overlapSeconds: 1 })).toBeNull();
    expect(await listApiKeys(pool, theirs)).toMatchObject([{ revokedAt: null, expiresAt: null }]);
  });

  test('revoked stays revoked since then', async () => {
    const customerId = await makeCustomerId();
    const key = await createApiKey(pool, { customerId, name: 'ci', scopes: [] });
    const first = await revokeApiKey(pool, customerId, key.id);
    expect(first?.revokedAt).not.toBeNull();
    expect(await revokeApiKey(pool, customerId, key.id)).toEqual(first);
    expect(await rotateApiKey(pool, customerId, key.id, { overlapSeconds: 1 })).toBeNull();
  });

  test('rotated: a successor like it, and an end that never moves back', async () => {
    const customerId = await makeCustomerId();
    const key = await createApiKey(pool, { customerId, name: 'ci', scopes: ['sessions'] });
    const successor = await rotateApiKey(pool, customerId, key.id, { overlapSeconds: 3600 });
    expect(successor).toMatchObject({ name: 'ci', scopes: ['sessions'], expiresAt: null });
    expect(successor?.apiKey).not.toBe(key.apiKey);
    const [, old] = await listApiKeys(pool, customerId);
    expect(Date.parse(old?.expiresAt ?? '')).toBeGreaterThan(Date.now());
    await rotateApiKey(pool, customerId, key.id, { overlapSeconds: 999_999 });
    expect((await listApiKeys(pool, customerId)).find(({ id }) => id === key.id)?.expiresAt).toBe(
      old?.expiresAt,
    );
  });

  test('touched in batches, the latest use counts', async () => {
    const customerId = await makeCustomerId();
    const [one, two] = await Promise.all(
      ['one', 'two'].map((name) => createApiKey(pool, { customerId, name, scopes: [] })),
    );
    const use = (id = '', day = 1) => ({ keyId: id, usedAt: `2026-01-0${day}T00:00:00.000Z` });
    await touchApiKeys(pool, [
      use(one?.id, 2),
      use(one?.id, 3),
      use(one?.id, 1),
      use(two?.id, 1),
      use('gone', 1),
    ]);
    await touchApiKeys(pool, [use(one?.id, 2), use(two?.id, 2)]);
    await touchApiKeys(pool, []);
    const keys = await listApiKeys(pool, customerId);
    expect(Object.fromEntries(keys.map(({ name, lastUsedAt }) => [name, lastUsedAt]))).toEqual({
      one: '2026-01-03T00:00:00.000Z',
      two: '2026-01-02T00:00:00.000Z',
    });
  });

  test.each(['', 'rsolv_', 'rsolv_a', 'rsolv_a_', 'rsolv_a_b_c', 'other_a_b', 'rsolv_a_b ', 'rsolv_a_\0'])(
    '%j is none',
    (text) => expect(parseApiKey(text)).toBeUndefined(),
  );
});

describe('forge accounts', () => {
  test('open a namespace once they are verified', async () => {
    const customerId = await makeCustomerId();
    const account = { forge: 'gitlab', namespace: 'Group/Sub' } as const;
    const added = await addForgeAccount(pool, customerId, account);
    expect(added).toMatchObject({ namespace: 'group/sub', verifiedAt: null });
    expect(await findForgeOwner(pool, 'gitlab', ['group/sub', 'group'])).toBeUndefined();
    const verified = await verifyForgeAccount(pool, customerId, account);
    expect(verified?.verifiedAt).not.toBeNull();
    expect(await verifyForgeAccount(pool, customerId, account)).toEqual(verified);
    expect(await addForgeAccount(pool, customerId, account)).toEqual(verified);
    expect(await findForgeOwner(pool, 'gitlab', ['group/sub', 'group'])).toBe(customerId);
    expect(await findForgeOwner(pool, 'github', ['group/sub', 'group'])).toBeUndefined();
    expect(await listForgeAccounts(pool, customerId)).toEqual([verified]);
    expect(await removeForgeAccount(pool, customerId, account)).toBe(true);
    expect(await removeForgeAccount(pool, customerId, account)).toBe(false);
    expect(await findForgeOwner(pool, 'gitlab', ['group/sub', 'group'])).toBeUndefined();
  });

  test('two may claim one namespace, and one of them have it', async () => {
    const [first, second] = [await makeCustomerId(), await makeCustomerId()];
    const account = { forge: 'github', namespace: 'contested' } as const;
    await Promise.all([first, second].map((id) => addForgeAccount(pool, id, account)));
    const results = await Promise.allSettled(
      [first, second].map((id) => verifyForgeAccount(pool, id, account)),
    );
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    const refused = results.find((result) => result.status === 'rejected');
    expect(refused?.reason).toBeInstanceOf(ForgeAccountTakenError);
    expect(await verifyForgeAccount(pool, await makeCustomerId(), account)).toBeNull();
  });
});

describe('payloads', () => {
  const digest = (digit: string) => digit.repeat(64);
  const payload = (customerId: string, sha256: string, data: JsonObject = {}): Payload => ({
    customerId,
    phase: 'scan',
    data,
    digest: { ...digestOf(data), sha256 },
  });
  const age = (customerId: string, sha256: string) =>
    pool.query(sql.unsafe`
      UPDATE payloads SET touched_at = now() - interval '25 hours'
      WHERE customer_id = ${customerId} AND sha256 = decode(${sha256}, 'hex')
    `);

  const find = (customerId: string, sha256: string, runId: string = randomUUID()) =>
    findPayload(pool, { customerId, runId, sha256 });

  test('belong to their customer', async () => {
    const [mine, theirs] = [await makeCustomerId(), await makeCustomerId()];
    await putPayload(pool, payload(theirs, digest('a'), { a: [1] }));
    expect(await find(mine, digest('a'))).toBeUndefined();
    expect(await find(theirs, digest('a'))).toEqual({ a: [1] });
  });

  test('are found in the row that a run has or stands for once they are gone', async () => {
    const [customerId, other] = [await makeCustomerId(), await makeCustomerId()];
    const run = makeRun({ customerId, order: 1024, data: { a: 1 } });
    const duplicate = makeRun({ customerId, order: 2048, data: { a: 1 } });
    for (const each of [run, duplicate]) await archiveRun(pool, each);
    for (const { runId } of [run, duplicate]) {
      expect(await find(customerId, run.sha256, runId)).toEqual({ a: 1 });
      expect(await find(other, run.sha256, runId)).toBeUndefined();
      expect(await find(customerId, digest('b'), runId)).toBeUndefined();
    }
  });

  test('are read when they come, for each phase that brings them', async () => {
    const customerId = await makeCustomerId();
    const data = { validated: true, vulnerabilities: [{ severity: 'high' }], durationMs: 7 };
    const { sha256 } = digestOf(data);
    const kept = (phase: Phase) => findReading(pool, { customerId, runId: randomUUID(), phase, sha256 });
    for (const phase of ['scan', 'validation'] as const)
      await putPayload(pool, { ...payload(customerId, sha256, data), phase });
    await pool.query(sql.unsafe`UPDATE payloads SET data = '{}' WHERE customer_id = ${customerId}`);
    expect(await kept('scan')).toEqual(readResult('scan', data));
    expect(await kept('validation')).toEqual(readResult('validation', data));
    expect(await kept('mitigation')).toEqual(readResult('mitigation', {}));
  });

  test.each(['{}', '{"scan@1": {"derived": {"vulnerabilities": 9}}}', '{"scan@0": {}}'])(
    'are read when they are needed where %s was read of them',
    async (readings) => {
      const customerId = await makeCustomerId();
      const data = { vulnerabilities: [1, 2] };
      const { sha256 } = digestOf(data);
      const read = () => findReading(pool, { customerId, runId: randomUUID(), phase: 'scan', sha256 });
      expect(await read()).toBeUndefined();
      await putPayload(pool, payload(customerId, sha256, data));
      await pool.query(sql.unsafe`
        UPDATE payloads SET readings = ${readings}::jsonb WHERE customer_id = ${customerId}
      `);
      expect(await read()).toEqual(readResult('scan', data));
    },
  );

  test('go when nobody touched them for a day and no object refers to them, a batch at a time', async () => {
    const customerId = await makeCustomerId();
    const put = (sha256: string) => putPayload(pool, payload(customerId, sha256));
    const [old, older, inUse, touched, fresh] = ['1', '2', '3', '4', '5'].map(digest);
    if (!old || !older || !inUse || !touched || !fresh) throw new Error('five digests');
    for (const each of [old, older, inUse, touched, fresh]) await put(each);
    for (const each of [old, older, inUse, touched]) await age(customerId, each);
    await put(touched);
    const sweep = () => deleteUnusedPayloads(pool, { inUse: [inUse], limit: 1 });
    expect([await sweep(), await sweep(), await sweep()]).toEqual([1, 1, 0]);
    expect(await countRows(pool, 'payloads', customerId)).toBe(3);
    for (const each of [inUse, touched, fresh]) {
      expect(await findPayload(pool, { customerId, runId: randomUUID(), sha256: each })).toEqual({});
    }
  });
});
