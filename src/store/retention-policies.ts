import { sql } from 'slonik';
import { z } from 'zod';
import { PHASES, type Phase } from '../domain/phase.ts';
import type { RetentionOverride, RetentionSettings } from '../domain/retention.ts';
import type { Connection } from './database.ts';

const override = z.object({
  customerId: z.string(),
  customer: z.string(),
  phase: z.enum(PHASES).nullable(),
  executionDays: z.number().nullable(),
  payloadDays: z.number().nullable(),
});

/** An override and whose it is. */
export type CustomerOverride = z.infer<typeof override> & RetentionOverride;

const nothing = z.object({});

/** The overrides of a customer, or of all. */
export function listRetentionPolicies(
  connection: Connection,
  customerId?: string,
): Promise<readonly CustomerOverride[]> {
  const [name, whose] =
    customerId === undefined
      ? (['of_all', sql.fragment`true`] as const)
      : (['of_customer', sql.fragment`p.customer_id = ${customerId}`] as const);
  return connection.any(sql.prepared(`list_retention_policies.${name}`, override)`
    SELECT p.customer_id AS "customerId", c.name AS customer, p.phase,
      p.execution_days AS "executionDays", p.payload_days AS "payloadDays"
    FROM retention_policies p JOIN customers c ON c.id = p.customer_id
    WHERE ${whose}
    ORDER BY c.name, p.phase NULLS FIRST
  `);
}

/** Makes an override, or replaces it. */
export async function putRetentionPolicy(
  connection: Connection,
  customerId: string,
  { phase, executionDays, payloadDays }: RetentionOverride,
): Promise<void> {
  await connection.query(sql.prepared('put_retention_policy', nothing)`
    INSERT INTO retention_policies (customer_id, phase, execution_days, payload_days)
    VALUES (${customerId}, ${phase}, ${executionDays}, ${payloadDays})
    ON CONFLICT (customer_id, phase) DO UPDATE SET
      execution_days = excluded.execution_days, payload_days = excluded.payload_days, updated_at = now()
  `);
}

/** @returns whether there was one */
export async function removeRetentionPolicy(
  connection: Connection,
  customerId: string,
  phase: Phase | null,
): Promise<boolean> {
  const { rowCount } = await connection.query(sql.prepared('remove_retention_policy', nothing)`
    DELETE FROM retention_policies
    WHERE customer_id = ${customerId} AND coalesce(phase, '') = coalesce(${phase}, '')
  `);
  return rowCount > 0;
}

const settings = z.object({
  executionDays: z.number(),
  payloadDays: z.number(),
  sessionDays: z.number(),
  taskDays: z.number(),
  approvalDays: z.number(),
  quarantineDays: z.number(),
  tombstoneDays: z.number(),
}) satisfies z.ZodType<RetentionSettings>;

/** Notes what the controller goes by, for command lines elsewhere. */
export async function recordRetentionSettings(
  connection: Connection,
  current: RetentionSettings,
): Promise<void> {
  await connection.query(sql.prepared('record_retention_settings', nothing)`
    INSERT INTO retention_settings AS r (settings) VALUES (${JSON.stringify(current)}::jsonb)
    ON CONFLICT (only_row) DO UPDATE SET settings = excluded.settings, recorded_at = now()
    WHERE r.settings <> excluded.settings
  `);
}

/** What the controller goes by; null before it first ran. */
export async function findRetentionSettings(connection: Connection): Promise<RetentionSettings | null> {
  const row = await connection.maybeOne(sql.prepared('find_retention_settings', z.object({ settings }))`
    SELECT settings FROM retention_settings
  `);
  return row?.settings ?? null;
}
