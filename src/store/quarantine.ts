import { sql } from 'slonik';
import { z } from 'zod';
import type { ArchivableRun, QuarantinedRun } from '../domain/run.ts';
import { committedRunOf } from './committed-runs.ts';
import type { Connection } from './database.ts';
import type { DatabaseError } from './errors.ts';

/**
 * Keeps a run that Postgres refused for its content, whole and as bytes, which nothing can refuse, where an operator
 * finds it; and says so to whoever waits.
 */
export async function quarantineRun(
  connection: Connection,
  run: ArchivableRun,
  error: DatabaseError,
): Promise<QuarantinedRun> {
  const sqlstate = error.sqlstate ?? '';
  const message = storable(error.message);
  const committed = committedRunOf(run, 'quarantined');
  await connection.query(sql.prepared('quarantine_run', z.object({}))`
    WITH quarantined AS (
      INSERT INTO quarantined_runs (
        run_id, customer_id, phase, slot, phase_run_namespace, phase_run_name, sqlstate, message, sha256, content
      )
      VALUES (
        ${run.runId}, ${run.customerId}, ${run.phase}, ${storable(run.slot)},
        ${run.phaseRun.namespace}, ${run.phaseRun.name}, ${sqlstate}, ${message},
        decode(${run.sha256}, 'hex'), ${sql.binary(Buffer.from(JSON.stringify(run)))}
      )
      ON CONFLICT (run_id) DO UPDATE
        SET sqlstate = excluded.sqlstate, message = excluded.message, sha256 = excluded.sha256,
            content = excluded.content, created_at = now()
        WHERE quarantined_runs.customer_id = excluded.customer_id
    ), audited AS (
      INSERT INTO audit_events (customer_id, event_type, metadata)
      VALUES (${run.customerId}, 'phaserun.quarantined', jsonb_build_object(
        'runId', ${run.runId}::text, 'phaseRun', ${`${run.phaseRun.namespace}/${run.phaseRun.name}`}::text,
        'sqlstate', ${sqlstate}::text, 'message', ${message}::text
      ))
    )
    SELECT FROM pg_notify('phaserun_committed', ${JSON.stringify(committed)})
  `);
  return { disposition: 'quarantined', sqlstate, message };
}

/** What Postgres's text cannot hold, made visible. */
function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD');
}
