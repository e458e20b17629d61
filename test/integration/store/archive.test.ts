import { sql } from 'slonik';
import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { archiveRun } from '../../../src/store/archive.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { makeCustomer, makeRun, openDatabase, repository } from './builders.ts';

const database = await freshDatabase();
const { pool, close } = await openDatabase(database.url);
afterAll(close);

async function count(table: string, customerId: string): Promise<number> {
  const { n } = await pool.one(sql.type(z.object({ n: z.number() }))`
    SELECT count(*) AS n FROM ${sql.identifier([table])} WHERE customer_id = ${customerId}
  `);
  return n;
}

describe('archiveRun', () => {
  test('writes everything once', async () => {
    const { customerId } = await makeCustomer(pool);
    const run = makeRun({ customerId, order: 1024 });
    const first = await archiveRun(pool, run);
    expect(first).toMatchObject({
      disposition: 'inserted',
      executionId: run.runId,
      session: { state: 'active' },
      transitions: [
        { from: null, to: 'pending' },
        { from: 'pending', to: 'active' },
      ],
    });
    const second = await archiveRun(pool, run);
    expect(second).toEqual({ ...first, disposition: 'unchanged', transitions: [] });
    expect(await count('validation_executions', customerId)).toBe(1);
    expect(await count('audit_events', customerId)).toBe(1);
    expect(await count('session_transitions', customerId)).toBe(2);
    void repository;
  });
});
