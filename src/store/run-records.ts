import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import type { ArchivableRun, CommittedRun } from '../domain/run.ts';
import { SESSION_STATES, type SessionTransition } from '../domain/session.ts';
import { phaseEventOf } from '../domain/webhook-event.ts';
import type { Connection } from './database.ts';
import { ofOneParameter } from './one-parameter.ts';
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

/** What is recorded of a run that was taken in. */
export interface RunRecord {
  readonly run: ArchivableRun;
  readonly committed: CommittedRun;
  /** Absent: it moved none. */
  readonly session?: { readonly id: string; readonly path: readonly SessionTransition[] } | undefined;
}

/** As it comes from the database. */
export const transition = z.object({ from: z.enum(SESSION_STATES).nullable(), to: z.enum(SESSION_STATES) });

const recorded = z.object({ transitions: z.array(transition) });

/** Records what became of a run that has no row. */
export async function recordRun(connection: Connection, record: RunRecord): Promise<void> {
  await connection.one(recordStatement(JSON.stringify([recordRow(record, 0)])));
}

/** A row of `r` as far as {@link recordOf} reads it; what is absent is null there. */
export function recordRow(record: RunRecord, position: number) {
  const { run, committed, session } = record;
  const event = phaseEventOf(run, committed);
  return {
    position,
    run_id: run.runId,
    customer_id: run.customerId,
    session_id: session?.id,
    from_states: session?.path.map(({ from }) => from) ?? [],
    to_states: session?.path.map(({ to }) => to) ?? [],
    event_id: event?.id,
    event_type: event?.type,
    event_subject: event?.subject,
    event_data: event?.data,
    disposition: committed.disposition,
    audit: auditOf(record),
    committed: JSON.stringify(committed),
  };
}

/** The types of {@link recordRow}, for `jsonb_to_recordset`. */
export const RECORD_COLUMNS = sql.fragment`
  position integer, run_id uuid, customer_id uuid, session_id uuid, from_states text[], to_states text[],
  event_id text, event_type text, event_subject text, event_data jsonb, disposition text, audit jsonb, committed text`;

/**
 * The parts of a statement that records what was done with each row of `r`: the session's steps, what subscriptions are to be
 * told of it, the audit event, the notification. What else was known of the run (that it repeated another, that it was
 * quarantined) is over.
 *
 * @param sessions where the runs' sessions are to be seen as they are after the step: a table or the like with the
 *   columns that the outbox wants
 */
export function recordOf(sessions: FragmentSqlToken): {
  /** CTEs. */
  readonly steps: FragmentSqlToken;
  /** JSON of the steps of this row that were not recorded before. */
  readonly transitions: FragmentSqlToken;
  readonly notification: FragmentSqlToken;
} {
  const stepsOfSession = sql.fragment`
    SELECT s.id, s.customer_id, s.role, s.task_id, s.repository_id, s.subject, s.outcome, steps.from_state, steps.to_state
    FROM steps JOIN ${sessions} s ON s.id = steps.session_id`;
  const events = sql.fragment`SELECT customer_id, event_id, event_type, event_subject, event_data FROM r`;
  return {
    steps: sql.fragment`steps AS (
      INSERT INTO session_transitions (session_id, customer_id, from_state, to_state, run_id)
      SELECT r.session_id, r.customer_id, step.from_state, step.to_state, r.run_id
      FROM r CROSS JOIN LATERAL
        unnest(r.from_states, r.to_states) WITH ORDINALITY AS step (from_state, to_state, position)
      ORDER BY r.position, step.position
      ON CONFLICT DO NOTHING
      RETURNING session_id, from_state, to_state
    ), told AS (
      ${enqueueRunEvents(events, stepsOfSession)}
    ), audited AS (
      INSERT INTO audit_events (customer_id, event_type, metadata)
      SELECT customer_id, 'phaserun.' || disposition, audit FROM r ORDER BY position
    ), unquarantined AS (
      DELETE FROM quarantined_runs q USING r
      WHERE q.ctid = ANY(${placesOf('quarantined_runs', sql.fragment`t.run_id = r.run_id`)})
        AND q.run_id = r.run_id AND q.customer_id = r.customer_id
    ), no_duplicate AS (
      DELETE FROM duplicate_runs d USING r
      WHERE d.ctid = ANY(${placesOf('duplicate_runs', sql.fragment`t.run_id = r.run_id AND r.disposition <> 'duplicate'`)})
        AND d.run_id = r.run_id AND d.customer_id = r.customer_id
    )`,
    transitions: sql.fragment`coalesce(
      (
        SELECT jsonb_agg(jsonb_build_object('from', from_state, 'to', to_state))
        FROM steps WHERE steps.session_id = r.session_id
      ), '[]'
    )`,
    notification: sql.fragment`pg_notify('phaserun_committed', r.committed)`,
  };
}

/**
 * An array of where the rows `t` of a table are that belong to rows of `r`. They are looked up for each, through the index, however
 * old a plan is and however many rows the table has come to have since; a join might read all of it.
 */
export function placesOf(table: string, belongs: FragmentSqlToken): FragmentSqlToken {
  return sql.fragment`ARRAY(
    SELECT place.ctid FROM r CROSS JOIN LATERAL (
      SELECT t.ctid FROM ${sql.identifier([table])} t WHERE ${belongs} OFFSET 0
    ) AS place
  )`;
}

const recordStatement = makeRecordStatement();

function makeRecordStatement() {
  const { steps, transitions, notification } = recordOf(sql.fragment`sessions`);
  return ofOneParameter(sql.prepared('record_run', recorded)`
    WITH r AS (
      SELECT * FROM jsonb_to_recordset(${''}::jsonb) AS r (${RECORD_COLUMNS})
    ), ${steps}
    SELECT ${transitions} AS transitions, ${notification} FROM r
  `);
}

/** Wakes who waits for runs about which nothing had to be written. */
export async function notifyCommitted(
  connection: Connection,
  committed: readonly CommittedRun[],
): Promise<void> {
  const payloads = committed.map((each) => JSON.stringify(each));
  await connection.query(sql.prepared('notify_committed', nothing)`
    SELECT FROM unnest(${sql.array(payloads, 'text')}) AS payload, pg_notify('phaserun_committed', payload)
  `);
}

function auditOf({ run, committed }: Pick<RunRecord, 'run' | 'committed'>) {
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
