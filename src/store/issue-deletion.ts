import { sql } from 'slonik';
import { z } from 'zod';
import type { RepositoryName } from '../domain/run.ts';
import { slotOf } from '../domain/slot.ts';
import type { Connection } from './database.ts';
import { drawRunOrder, lockSlot } from './slots.ts';

/** Whose results of which issue are to go, and who says so. */
export interface IssueDeletion {
  readonly customerId: string;
  readonly repository: RepositoryName;
  readonly issueNumber: number;
  /** `actorOf` the caller, for the audit. */
  readonly actor: string;
}

/**
 * Deletes what is stored of an issue: its validations, its mitigations, and the scans that are known by it. A scan of a
 * commit belongs to the commit, and the issue's sessions tell what happened: both stay.
 *
 * Tombstones make it final. Runs that were ordered before go from the inbox, and in whatever PhaseRun they still wait, are archived as
 * deleted; later ones are stored as ever. Call it in a transaction.
 * @returns how many rows there were
 */
export async function deleteIssueRuns(transaction: Connection, deletion: IssueDeletion): Promise<number> {
  const slots = slotsOf(deletion);
  // Always in this order, and whoever archives a run holds one of them alone.
  for (const slot of slots) await lockSlot(transaction, { customerId: deletion.customerId, slot });
  const upToOrder = await drawRunOrder(transaction);
  return deleteRows(transaction, deletion, { slots, upToOrder });
}

function slotsOf({ repository, issueNumber }: IssueDeletion): readonly string[] {
  return (['validation', 'scan'] as const).map((phase) => slotOf({ phase, repository, issueNumber }));
}

async function deleteRows(
  transaction: Connection,
  { customerId, repository, issueNumber, actor }: IssueDeletion,
  { slots, upToOrder }: { readonly slots: readonly string[]; readonly upToOrder: number },
): Promise<number> {
  const { forge, namespace, name } = repository;
  const subject = { repository: `${forge}/${namespace}/${name}`, issueNumber, actor };
  const deleted = z.object({ executions: z.number() });
  const { executions } = await transaction.one(sql.prepared('delete_issue_runs', deleted)`
    WITH repository AS MATERIALIZED (
      SELECT id FROM repositories
      WHERE customer_id = ${customerId} AND forge_type = ${forge} AND namespace = ${namespace} AND name = ${name}
    ), scans AS (
      DELETE FROM scan_executions
      WHERE customer_id = ${customerId} AND repository_id = (SELECT id FROM repository)
        AND issue_number = ${issueNumber}::bigint AND commit_sha IS NULL
      RETURNING id, sha256
    ), validations AS (
      DELETE FROM validation_executions
      WHERE customer_id = ${customerId} AND repository_id = (SELECT id FROM repository)
        AND issue_number = ${issueNumber}::bigint
      RETURNING id, sha256
    ), mitigations AS (
      DELETE FROM mitigation_executions
      WHERE customer_id = ${customerId} AND repository_id = (SELECT id FROM repository)
        AND issue_number = ${issueNumber}::bigint
      RETURNING id, sha256
    ), deleted AS MATERIALIZED (
      TABLE scans UNION ALL TABLE validations UNION ALL TABLE mitigations
    ), buried AS (
      INSERT INTO run_tombstones (run_id, customer_id, reason, sha256)
      SELECT id, ${customerId}::uuid, 'deleted', sha256 FROM deleted
      ON CONFLICT DO NOTHING
    ), closed AS (
      INSERT INTO slot_tombstones (customer_id, slot, up_to_order)
      SELECT ${customerId}::uuid, slot, ${upToOrder}::bigint FROM unnest(${sql.array([...slots], 'text')}) AS slot
      ON CONFLICT (customer_id, slot) DO UPDATE SET up_to_order = excluded.up_to_order, created_at = now()
    ), unpublished AS (
      DELETE FROM inbox_runs
      WHERE customer_id = ${customerId} AND slot = ANY(${sql.array([...slots], 'text')})
        AND run_order <= ${upToOrder}::bigint
    ), unquarantined AS (
      DELETE FROM quarantined_runs
      WHERE customer_id = ${customerId} AND slot = ANY(${sql.array([...slots], 'text')})
    ), audited AS (
      INSERT INTO audit_events (customer_id, event_type, metadata)
      SELECT ${customerId}::uuid, 'phase_data.deleted',
        ${JSON.stringify(subject)}::jsonb || jsonb_build_object('executions', (SELECT count(*) FROM deleted))
    )
    SELECT count(*) AS executions FROM deleted
  `);
  return executions;
}
