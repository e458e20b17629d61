import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import type { ArchivableRun, CommittedRun } from '../domain/run.ts';
import { SESSION_STATES, type SessionTransition } from '../domain/session.ts';
import { phaseEventOf } from '../domain/webhook-event.ts';
import type { Connection } from './database.ts';
import { enqueueRunEvents } from './webhook-outbox.ts';

const nothing = z.object({});

/** Notes that the run stands for another's row. */
export async function insertDuplicate(
  connection: Connection,
  run: ArchivableRun,
  executionId: string,
): Promise<void> {
  await connection.query(sql.prepared('insert_duplicate', nothing)`
    INSERT INTO duplicate_runs (run_id, customer_id, phase, execution_id, status, sha256)
    VALUES (
      ${run.runId}, ${run.customerId}, ${run.phase}, ${executionId}, ${run.status}, decode(${run.sha256}, 'hex')
    )
    ON CONFLICT (run_id) DO UPDATE
      SET execution_id = excluded.execution_id, status = excluded.status, sha256 = excluded.sha256, created_at = now()
  `);
}

/** Notes that the run was deleted before it became a row. */
export async function insertTombstone(connection: Connection, run: ArchivableRun): Promise<void> {
  await connection.query(sql.prepared('insert_run_tombstone', nothing)`
    INSERT INTO run_tombstones (run_id, customer_id, reason, sha256)
    VALUES (${run.runId}, ${run.customerId}, 'deleted', decode(${run.sha256}, 'hex'))
  `);
}

export interface RunRecord {
  readonly run: ArchivableRun;
  readonly sessionId: string | undefined;
  readonly path: readonly SessionTransition[];
  readonly committed: CommittedRun;
}

/** As it comes from the database. */
export const transition = z.object({ from: z.enum(SESSION_STATES).nullable(), to: z.enum(SESSION_STATES) });

const recorded = z.object({ transitions: z.array(transition) });

/** Records what became of a run that has no row. */
export async function recordRun(
  connection: Connection,
  record: Pick<RunRecord, 'run' | 'committed'>,
): Promise<void> {
  const { steps, transitions, notification } = recordOf(
    { ...record, sessionId: undefined, path: [] },
    sql.fragment`sessions`,
  );
  await connection.one(sql.prepared('record_run', recorded)`
    WITH ${steps}
    SELECT ${transitions} AS transitions, ${notification}
  `);
}

/**
 * The parts of a statement that records what was done: the session's steps, what subscriptions are to be told of it, the
 * audit event, the notification. What else was known of the run (that it repeated another, that it was quarantined) is over.
 *
 * @param sessions where the run's session is to be seen as it is after the step: a table or the like with the
 *   columns that the outbox wants
 */
export function recordOf(
  record: RunRecord,
  sessions: FragmentSqlToken,
): {
  /** CTEs. */
  readonly steps: FragmentSqlToken;
  /** JSON of the steps that were not recorded before. */
  readonly transitions: FragmentSqlToken;
  readonly notification: FragmentSqlToken;
} {
  const { run, sessionId, path, committed } = record;
  const stepsOfSession = sql.fragment`
    SELECT s.id, s.customer_id, s.role, s.task_id, s.repository_id, s.subject, s.outcome, steps.from_state, steps.to_state
    FROM steps JOIN ${sessions} s ON s.id = steps.session_id`;
  return {
    steps: sql.fragment`steps AS (
      INSERT INTO session_transitions (session_id, customer_id, from_state, to_state, run_id)
      SELECT ${sessionId ?? null}::uuid, ${run.customerId}::uuid, step.from_state, step.to_state, ${run.runId}::uuid
      FROM unnest(
        ${sql.array(
          path.map(({ from }) => from),
          'text',
        )},
        ${sql.array(
          path.map(({ to }) => to),
          'text',
        )}
      ) WITH ORDINALITY AS step (from_state, to_state, position)
      ORDER BY step.position
      ON CONFLICT DO NOTHING
      RETURNING session_id, from_state, to_state
    ), told AS (
      ${enqueueRunEvents(run.customerId, phaseEventOf(run, committed), stepsOfSession)}
    ), audited AS (
      INSERT INTO audit_events (customer_id, event_type, metadata)
      VALUES (${run.customerId}, ${`phaserun.${committed.disposition}`}, ${JSON.stringify(auditOf(record))}::jsonb)
    ), unquarantined AS (
      DELETE FROM quarantined_runs WHERE run_id = ${run.runId} AND customer_id = ${run.customerId}
    ), no_duplicate AS (
      DELETE FROM duplicate_runs
      WHERE run_id = ${run.runId} AND customer_id = ${run.customerId} AND ${committed.disposition} <> 'duplicate'
    )`,
    transitions: sql.fragment`coalesce(
      (SELECT jsonb_agg(jsonb_build_object('from', from_state, 'to', to_state)) FROM steps), '[]'
    )`,
    notification: sql.fragment`pg_notify('phaserun_committed', ${JSON.stringify(committed)})`,
  };
}

/** Wakes who waits for a run about which nothing had to be written. */
export async function notifyCommitted(connection: Connection, committed: CommittedRun): Promise<void> {
  await connection.query(sql.prepared('notify_committed', nothing)`
    SELECT FROM pg_notify('phaserun_committed', ${JSON.stringify(committed)})
  `);
}

function auditOf({ run, committed }: RunRecord) {
  const { runId, phase, status, sha256, repository, issueNumber, commitSha, apiKeyId, phaseRun } = run;
  return {
    runId,
    phase,
    status,
    sha256,
    repository: `${repository.forge}/${repository.namespace}/${repository.name}`,
    issueNumber,
    commitSha,
    apiKeyId,
    phaseRun: `${phaseRun.namespace}/${phaseRun.name}`,
    executionId: committed.executionId,
    sessionId: committed.sessionId,
    sessionState: committed.sessionState,
  };
}
