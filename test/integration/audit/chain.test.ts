import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { sql } from 'slonik';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { CHAIN_START, nextLink } from '../../../src/domain/audit-chain.ts';
import { type ChainOwner, listUnsealedChains, sealAuditEvents } from '../../../src/store/audit-chain.ts';
import { appendAuditEvent } from '../../../src/store/audit-events.ts';
import { cutAuditChains, deleteCutEvents } from '../../../src/store/audit-retention.ts';
import { listAuditChains, verifyAuditChain } from '../../../src/store/audit-verification.ts';
import { createCustomer } from '../../../src/store/customers.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { openDatabase } from '../store/builders.ts';
import { countRows } from '../store/rows.ts';

const { url } = await freshDatabase();
const database = await openDatabase(url);
const { pool } = database;
const tamperer = new Client({ connectionString: url });
await tamperer.connect();
afterAll(() => Promise.all([database.close(), tamperer.end()]));

let customerId: string;
beforeEach(async () => {
  customerId = (await createCustomer(pool, `customer ${randomUUID()}`)).id;
});

describe('sealing', () => {
  test('each event once, in the order of ids, each customer by itself, nobody among them', async () => {
    const other = (await createCustomer(pool, `customer ${randomUUID()}`)).id;
    for (const owner of [customerId, other, null, customerId, null]) await append(owner);
    expect(new Set(await listUnsealedChains(pool))).toEqual(new Set([customerId, other, null]));
    for (const owner of [customerId, other, null]) await sealAll(owner);
    expect(await listUnsealedChains(pool)).toEqual([]);
    expect((await placesOf(customerId)).map(({ sequence }) => sequence)).toEqual([1, 2]);
    expect((await placesOf(other)).map(({ sequence }) => sequence)).toEqual([1]);
    for (const owner of [customerId, other, null])
      expect(await verifyAuditChain(pool, owner)).not.toHaveProperty('broken');
    expect(new Set(await listAuditChains(pool))).toEqual(new Set([customerId, other, null]));
  });

  test('goes on where it stopped, in batches', async () => {
    for (let count = 0; count < 7; count += 1) await append(customerId);
    expect(await sealAuditEvents(pool, customerId, 3)).toBe(3);
    expect(await sealAuditEvents(pool, customerId, 3)).toBe(3);
    await append(customerId);
    expect(await sealAuditEvents(pool, customerId, 3)).toBe(2);
    expect(await sealAuditEvents(pool, customerId, 3)).toBe(0);
    expect(await verifyAuditChain(pool, customerId)).toMatchObject({ verified: 8, head: { sequence: 8 } });
  });

  test('an event that commits late, with a lesser id, is sealed after those that were there', async () => {
    const late = new Client({ connectionString: url });
    await late.connect();
    await late.query('BEGIN');
    const inserted = await late.query<{ id: string }>(
      `INSERT INTO audit_events (customer_id, event_type) VALUES ($1, 'late') RETURNING id`,
      [customerId],
    );
    const early = await append(customerId);
    await sealAll(customerId);
    await late.query('COMMIT');
    await late.end();
    await sealAll(customerId);
    const lateId = Number(inserted.rows[0]?.id);
    expect(lateId).toBeLessThan(early);
    expect(await placesOf(customerId)).toEqual([
      { id: early, sequence: 1 },
      { id: lateId, sequence: 2 },
    ]);
    expect(await verifyAuditChain(pool, customerId)).toMatchObject({ verified: 2 });
  });

  test('by two leaders at once, while events arrive: no event twice, none left out', async () => {
    const second = await openDatabase(url, 4);
    const done = new AbortController();
    const seal = async (connection: typeof pool) => {
      while (!done.signal.aborted) await sealAuditEvents(connection, customerId, 5);
    };
    const sealing = [seal(pool), seal(second.pool), seal(second.pool)];
    for (let count = 0; count < 60; count += 1) await append(customerId);
    done.abort();
    await Promise.all(sealing);
    await sealAll(customerId);
    await second.close();
    expect((await placesOf(customerId)).map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: 60 }, (_, index) => index + 1),
    );
    expect(await verifyAuditChain(pool, customerId)).toMatchObject({ verified: 60 });
  });

  test('metadata that JavaScript cannot read exactly does not stop it', async () => {
    await tamperer.query(
      `INSERT INTO audit_events (customer_id, event_type, metadata) VALUES ($1, 'odd', '{"huge": 1e400, "fine": 0.1000000000000000000001}')`,
      [customerId],
    );
    await sealAll(customerId);
    expect(await verifyAuditChain(pool, customerId)).toMatchObject({ verified: 1 });
    await tamper(
      `UPDATE audit_events SET metadata = '{"huge": 1e400, "fine": 0.1000000000000000000002}' WHERE true`,
    );
    expect(await verifyAuditChain(pool, customerId)).toMatchObject({ broken: { kind: 'changed' } });
  });
});

describe('a chain of eight, after somebody', () => {
  let ids: number[];
  const idOf = (sequence: number) => ids[sequence - 1];

  beforeEach(async () => {
    ids = [];
    for (let count = 0; count < 8; count += 1) ids.push(await append(customerId));
    await sealAll(customerId);
  });

  test.each([
    { what: 'event_type', to: `'other'` },
    { what: 'role', to: `'finance'` },
    { what: 'timestamp', to: `timestamp + interval '1 microsecond'` },
    { what: 'trace_id', to: `''` },
    { what: 'metadata', to: `metadata || '{"by": "nobody"}'` },
    { what: 'chain_hash', to: `sha256('x')` },
    { what: 'id', to: `DEFAULT` },
  ])('changed the $what of the fifth', async ({ what, to }) => {
    await tamper(`UPDATE audit_events SET ${what} = ${to} WHERE chain_sequence = 5`);
    expect(await broken()).toMatchObject({ kind: 'changed', sequence: 5 });
  });

  test('gave the third to another customer', async () => {
    const other = (await createCustomer(pool, `customer ${randomUUID()}`)).id;
    await tamper(`UPDATE audit_events SET customer_id = '${other}' WHERE chain_sequence = 3`);
    expect(await broken()).toEqual({ kind: 'removed', sequence: 3 });
    expect((await verifyAuditChain(pool, other)).broken).toMatchObject({
      kind: 'inserted',
      eventId: idOf(3),
    });
    expect(await listAuditChains(pool)).toContain(other);
  });

  test.each([1, 4])('removed number %i', async (sequence) => {
    await tamper(`DELETE FROM audit_events WHERE chain_sequence = ${sequence}`);
    expect(await broken()).toEqual({ kind: 'removed', sequence });
  });

  test.each([
    { name: 'the last', where: 'chain_sequence = 8', want: 8 },
    { name: 'the last three', where: 'chain_sequence > 5', want: 6 },
    { name: 'all', where: 'true', want: 1 },
  ])('removed $name', async ({ where, want }) => {
    await tamper(`DELETE FROM audit_events WHERE ${where}`);
    expect(await broken()).toEqual({ kind: 'removed', sequence: want });
  });

  test('removed the second and closed the gap', async () => {
    await tamper(`DELETE FROM audit_events WHERE chain_sequence = 2`);
    for (let sequence = 3; sequence <= 8; sequence += 1)
      await tamper(
        `UPDATE audit_events SET chain_sequence = ${sequence - 1} WHERE chain_sequence = ${sequence}`,
      );
    expect(await broken()).toEqual({ kind: 'changed', sequence: 2, eventId: idOf(3) });
  });

  test('took the seal from the second, so that it is sealed anew', async () => {
    await tamper(`UPDATE audit_events SET chain_sequence = NULL, chain_hash = NULL WHERE chain_sequence = 2`);
    await sealAll(customerId);
    expect(await broken()).toEqual({ kind: 'removed', sequence: 2 });
  });

  test('made the third and the sixth change places', async () => {
    await move(3, 99);
    await move(6, 3);
    await move(99, 6);
    expect(await broken()).toMatchObject({ kind: 'changed', sequence: 3, eventId: idOf(6) });
  });

  test.each([
    { name: 'with a hash out of thin air', hash: `sha256('x')` },
    { name: 'with the hash that it would have had', hash: undefined },
  ])('inserted one before the fourth, $name', async ({ hash }) => {
    for (let sequence = 8; sequence >= 4; sequence -= 1) await move(sequence, sequence + 1);
    await tamper(`UPDATE audit_chains SET sequence = 9 WHERE true`);
    const id = await append(customerId);
    const proper = hash ?? `decode('${await hashAfter(3, id)}', 'hex')`;
    await tamper(`UPDATE audit_events SET chain_sequence = 4, chain_hash = ${proper} WHERE id = ${id}`);
    expect(await broken()).toEqual({ kind: 'inserted', sequence: 4, eventId: id });
  });

  test('appended one with the hash that it would have had', async () => {
    const id = await append(customerId);
    const hash = await hashAfter(8, id);
    await tamper(
      `UPDATE audit_events SET chain_sequence = 9, chain_hash = decode('${hash}', 'hex') WHERE id = ${id}`,
    );
    expect(await broken()).toEqual({ kind: 'inserted', sequence: 9, eventId: id });
  });

  test('changed the first and wrote all hashes anew: a checkpoint, the end or what was kept elsewhere tells', async () => {
    const { head } = await verifyAuditChain(pool, customerId);
    await tamper(`UPDATE audit_events SET event_type = 'other' WHERE chain_sequence = 1`);
    await rewrite();
    expect(await broken()).toMatchObject({ kind: 'rewritten', sequence: 8, eventId: idOf(8) });
    await tamper(`DELETE FROM audit_checkpoints WHERE true`);
    await tamper(`UPDATE audit_chains SET hash = decode('${await hashOf(8)}', 'hex') WHERE true`);
    expect(await broken()).toBeUndefined();
    expect((await verifyAuditChain(pool, customerId, head)).broken).toMatchObject({
      kind: 'rewritten',
      sequence: 8,
    });
  });

  test('moved its end back: nothing is sealed over what is there', async () => {
    await tamper(`UPDATE audit_chains SET sequence = 5 WHERE true`);
    await append(customerId);
    await expect(sealAuditEvents(pool, customerId, 10)).rejects.toMatchObject({ kind: 'conflict' });
    expect(await broken()).toMatchObject({ kind: 'rewritten', sequence: 5 });
  });

  async function broken() {
    return (await verifyAuditChain(pool, customerId)).broken;
  }

  function move(from: number, to: number) {
    return tamper(`UPDATE audit_events SET chain_sequence = ${to} WHERE chain_sequence = ${from}`);
  }

  async function rewrite() {
    let head = CHAIN_START;
    for (let sequence = 1; sequence <= 8; sequence += 1) {
      const hash = await hashAfter(sequence - 1, idOf(sequence) ?? 0);
      head = { sequence, hash };
      await tamper(
        `UPDATE audit_events SET chain_hash = decode('${head.hash}', 'hex') WHERE chain_sequence = ${sequence}`,
      );
    }
  }
});

describe('retention', () => {
  test('cuts at a checkpoint, in batches, and what is left is still verified', async () => {
    for (let count = 0; count < 5; count += 1) await append(customerId);
    await sealAll(customerId);
    await tamper(`UPDATE audit_checkpoints SET sealed_at = now() - interval '400 days' WHERE true`);
    await tamper(`UPDATE audit_chains SET checkpoint_at = now() - interval '400 days' WHERE true`);
    for (let count = 0; count < 3; count += 1) await append(customerId);
    await sealAll(customerId);
    expect(await cutAuditChains(pool, 365)).toBe(1);
    expect(await verifyAuditChain(pool, customerId)).toMatchObject({ verified: 3, head: { sequence: 8 } });
    expect(await deleteCutEvents(pool, 2)).toBe(2);
    expect(await deleteCutEvents(pool, 10)).toBe(3);
    expect(await deleteCutEvents(pool, 10)).toBe(0);
    expect(await cutAuditChains(pool, 365)).toBe(0);
    const verified = await verifyAuditChain(pool, customerId);
    expect(verified).toEqual({ customerId, verified: 3, head: expect.objectContaining({ sequence: 8 }) });
    await tamper(`DELETE FROM audit_events WHERE chain_sequence = 6`);
    expect((await verifyAuditChain(pool, customerId)).broken).toEqual({ kind: 'removed', sequence: 6 });
  });

  test('that is only pretended does not do away with what was kept elsewhere', async () => {
    for (let count = 0; count < 4; count += 1) await append(customerId);
    await sealAll(customerId);
    const { head: anchor } = await verifyAuditChain(pool, customerId);
    for (let count = 0; count < 2; count += 1) await append(customerId);
    await sealAll(customerId);
    const { head } = await verifyAuditChain(pool, customerId);
    await tamper(`DELETE FROM audit_events WHERE chain_sequence <= 6`);
    await tamper(`DELETE FROM audit_checkpoints WHERE true`);
    await tamperer.query(
      `INSERT INTO audit_checkpoints (customer_id, sequence, hash, cut_at) VALUES ($1, 6, decode($2, 'hex'), now())`,
      [customerId, 'f'.repeat(64)],
    );
    expect((await verifyAuditChain(pool, customerId, head)).broken).toEqual({
      kind: 'rewritten',
      sequence: 6,
    });
    expect((await verifyAuditChain(pool, customerId, anchor)).broken).toEqual({ kind: 'cut', sequence: 4 });
  });

  test('cuts again, and keeps one checkpoint', async () => {
    for (let day = 0; day < 3; day += 1) {
      await append(customerId);
      await sealAll(customerId);
      await tamper(`UPDATE audit_checkpoints SET sealed_at = now() - interval '400 days' WHERE true`);
      await tamper(`UPDATE audit_chains SET checkpoint_at = now() - interval '400 days' WHERE true`);
      expect(await cutAuditChains(pool, 365)).toBe(1);
    }
    expect(await deleteCutEvents(pool, 10)).toBe(3);
    expect(await verifyAuditChain(pool, customerId)).toMatchObject({ verified: 0, head: { sequence: 3 } });
    await append(customerId);
    await sealAll(customerId);
    expect(await verifyAuditChain(pool, customerId)).toMatchObject({ verified: 1, head: { sequence: 4 } });
    expect(await countRows(pool, 'audit_checkpoints', customerId)).toBe(2);
  });

  test('takes nothing that is younger than its days, and nothing that is not sealed', async () => {
    await append(customerId);
    await sealAll(customerId);
    await append(customerId);
    await cutAuditChains(pool, 1);
    expect(await deleteCutEvents(pool, 10)).toBe(0);
  });

  test('cuts the chain of nobody as well', async () => {
    await append(null);
    await sealAll(null);
    await tamperer.query(
      `UPDATE audit_checkpoints SET sealed_at = now() - interval '9 days' WHERE customer_id IS NULL`,
    );
    await cutAuditChains(pool, 7);
    expect(await deleteCutEvents(pool, 1000)).toBeGreaterThan(0);
    expect(await verifyAuditChain(pool, null)).not.toHaveProperty('broken');
  });
});

function append(owner: ChainOwner): Promise<number> {
  const metadata = { note: randomUUID(), nested: { ä: [1.5, null, '\u2028'] } };
  return appendAuditEvent(pool, {
    eventType: 'test.happened',
    traceId: 'trace',
    metadata,
    ...(owner !== null && { customerId: owner }),
  });
}

async function sealAll(owner: ChainOwner): Promise<void> {
  while ((await sealAuditEvents(pool, owner, 100)) > 0);
}

/** A statement of somebody with a password, on this test's customer. */
async function tamper(statement: string): Promise<void> {
  const { rowCount } = await tamperer.query(
    statement.replace(/ WHERE /, ` WHERE customer_id = '${customerId}' AND `),
  );
  expect(rowCount).toBeGreaterThan(0);
}

async function placesOf(owner: string) {
  const place = z.object({ id: z.number(), sequence: z.number() });
  return pool.any(sql.type(place)`
    SELECT id, chain_sequence AS sequence FROM audit_events WHERE customer_id = ${owner} ORDER BY chain_sequence
  `);
}

async function hashOf(sequence: number): Promise<string> {
  if (sequence === 0) return CHAIN_START.hash;
  const { hash } = await pool.one(sql.type(z.object({ hash: z.string() }))`
    SELECT encode(chain_hash, 'hex') AS hash FROM audit_events
    WHERE customer_id = ${customerId} AND chain_sequence = ${sequence}
  `);
  return hash;
}

/** What an event's hash would be, were it sealed in the place after this one. */
async function hashAfter(sequence: number, id: number): Promise<string> {
  const columns = z.object({
    id: z.number(),
    customerId: z.string(),
    eventType: z.string(),
    role: z.null(),
    timestamp: z.string(),
    traceId: z.string(),
    metadata: z.string(),
  });
  const event = await pool.one(sql.type(columns)`
    SELECT id, customer_id AS "customerId", event_type AS "eventType", role, trace_id AS "traceId",
      to_char(timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS timestamp, metadata::text AS metadata
    FROM audit_events WHERE id = ${id}
  `);
  return nextLink({ sequence, hash: await hashOf(sequence) }, event).hash;
}
