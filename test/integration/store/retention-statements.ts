import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import { PHASES } from '../../../src/domain/phase.ts';
import type { Connection } from '../../../src/store/database.ts';
import {
  addLegalHold,
  findHoldOfIssue,
  listLegalHolds,
  removeLegalHold,
} from '../../../src/store/legal-holds.ts';
import {
  BEGINNING,
  listOverdueCustomers,
  measureDueExecutions,
  measureOldestExecution,
  purgeExecutions,
} from '../../../src/store/retention-executions.ts';
import {
  findRetentionSettings,
  listRetentionPolicies,
  putRetentionPolicy,
  recordRetentionSettings,
  removeRetentionPolicy,
} from '../../../src/store/retention-policies.ts';
import { measureSweep, SWEPT_KINDS, sweepOld } from '../../../src/store/retention-sweeps.ts';
import {
  deleteRunTombstones,
  deleteSlotTombstones,
  listOldRunTombstones,
  listOldSlotTombstones,
} from '../../../src/store/retention-tombstones.ts';
import { repository } from './builders.ts';

/** What reads all there is on purpose: every customer may have something old. */
export const RETENTION_READS_ALL: readonly string[] = [
  'measure_oldest_execution',
  'list_legal_holds.of_all',
  'list_retention_policies.of_all',
  ...PHASES.flatMap((phase) => [
    `list_overdue_customers.${phase}_executions`,
    `list_overdue_customers.${phase}_payloads`,
    // Counts all that is due, which here may be a third of the table.
    `measure_due_executions.${phase}_executions`,
  ]),
];

/** Calls every function of the store that retention needs. */
export async function callRetentionStatements(pool: Connection, customerId: string): Promise<void> {
  const defaults = { executionDays: 365, payloadDays: 90 };
  for (const phase of PHASES) {
    for (const loss of ['executions', 'payloads'] as const) {
      const scope = { customerId, phase, loss, defaults };
      await listOverdueCustomers(pool, scope);
      await measureDueExecutions(pool, scope);
      await purgeExecutions(pool, scope, { after: BEGINNING, limit: 10 });
    }
  }
  const page = { days: 365, after: BEGINNING, limit: 10 };
  for (const kind of SWEPT_KINDS) {
    await measureSweep(pool, kind, 365);
    await sweepOld(pool, kind, page);
  }
  for (const kind of ['buried', 'repeated'] as const) {
    await listOldRunTombstones(pool, kind, page);
    await deleteRunTombstones(pool, kind, [randomUUID()]);
  }
  await listOldSlotTombstones(pool, { ...page, after: undefined });
  await deleteSlotTombstones(pool, [{ customerId, slot: 's', at: new Date().toISOString() }], 365);
  await measureOldestExecution(pool);
  await callPolicies(pool, customerId);
  await callHolds(pool, customerId);
}

async function callPolicies(pool: Connection, customerId: string): Promise<void> {
  await putRetentionPolicy(pool, customerId, { phase: null, executionDays: 30, payloadDays: null });
  await listRetentionPolicies(pool, customerId);
  await listRetentionPolicies(pool);
  await removeRetentionPolicy(pool, customerId, null);
  const days = { executionDays: 0, payloadDays: 0, sessionDays: 0, taskDays: 0 };
  await recordRetentionSettings(pool, { ...days, approvalDays: 0, quarantineDays: 0, tombstoneDays: 0 });
  await findRetentionSettings(pool);
}

async function callHolds(pool: Connection, customerId: string): Promise<void> {
  const issue = { customerId, repository: repository(), issueNumber: 1 };
  const hold = await pool.transaction((transaction) => addLegalHold(transaction, issue, 'a lawsuit'));
  await findHoldOfIssue(pool, issue);
  await listLegalHolds(pool, customerId);
  await listLegalHolds(pool);
  await removeLegalHold(pool, customerId, hold?.id ?? randomUUID());
}

/** Policies and holds of 10,000 customers. */
export async function fillRetention(client: Client): Promise<void> {
  await client.query(`
    INSERT INTO retention_policies (customer_id, execution_days)
    SELECT md5('customer' || n)::uuid, 365 FROM generate_series(0, 9999) n;
    INSERT INTO legal_holds (customer_id, reason)
    SELECT md5('customer' || n)::uuid, 'a lawsuit' FROM generate_series(1, 9999) n;
  `);
}
