import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import { RUN_STATUSES } from '../domain/phase.ts';
import type { ArchivableRun } from '../domain/run.ts';
import { SESSION_OUTCOMES, SESSION_STATES } from '../domain/session.ts';
import { sessionSubject } from '../domain/slot.ts';
import { placeOf } from './archive-decision.ts';
import type { Connection } from './database.ts';
import { executionsOf, inSlot } from './executions-table.ts';

const session = z.object({
  id: z.string(),
  status: z.enum(SESSION_STATES),
  outcome: z.enum(SESSION_OUTCOMES).nullable(),
  lastRunOrder: z.number().nullable(),
});

/** Postgres writes times within JSON to the microsecond. */
const time = z.string().transform((text) => new Date(text).toISOString());

const neighbour = z.object({
  id: z.string(),
  order: z.number(),
  /** Whether it says the same, and can still say it: commit, branch, pipeline run, status and digest. */
  equal: z.boolean(),
  committedAt: time,
  session: session.nullable(),
});

const archiveState = z.object({
  incarnation: z.string(),
  /** When the transaction began, which is the time of all that it writes. */
  now: z.string(),
  /** Of the controller that leads. */
  epoch: z.number().nullable(),
  /** `stale`: its last activity was noted more than a minute ago. */
  repository: z.object({ id: z.string(), stale: z.boolean() }).nullable(),
  /** The row with this id, whosever it is. */
  own: z
    .object({
      /** Of this customer and of this phase. */
      mine: z.boolean(),
      /** Whether it holds what the run says. */
      equal: z.boolean(),
      order: z.number(),
      status: z.enum(RUN_STATUSES),
      sha256: z.string(),
      committedAt: time,
      session: session.nullable(),
    })
    .nullable(),
  /** What this run was found to repeat before. */
  alias: z
    .object({
      mine: z.boolean(),
      /** Whether the run says what it said then. */
      equal: z.boolean(),
      executionId: z.string(),
      order: z.number().nullable(),
      committedAt: time,
      session: session.nullable(),
    })
    .nullable(),
  runTombstone: z.object({ reason: z.enum(['purged', 'deleted']), createdAt: time }).nullable(),
  slotTombstone: z.object({ upToOrder: z.number(), createdAt: time }).nullable(),
  /** Rows of this phase on either side of the run's place in its slot. */
  before: neighbour.nullable(),
  after: neighbour.nullable(),
  openSession: session.nullable(),
  /** The closed session within whose time this run was begun. */
  closedSession: session.nullable(),
  /** The one the run asks for by id. */
  namedSession: session.nullable(),
  /** Of a mitigation: when the first validation of the session that it would join was stored. */
  firstValidationAt: time.nullable(),
  payloadKept: z.boolean(),
});

/** All that decides what becomes of a run, as of one moment. */
export type ArchiveState = z.infer<typeof archiveState>;
export type SessionRow = z.infer<typeof session>;

/** Reads everything the decision needs in one statement; the slot's lock must be held. */
export function getArchiveState(connection: Connection, run: ArchivableRun): Promise<ArchiveState> {
  const { customerId, repository } = run;
  const order = placeOf(run) ?? null;
  const table = executionsOf(run.phase);
  const ofSlot = sql.fragment`e.customer_id = ${customerId} AND e.repository_id = (SELECT id FROM repository) AND ${inSlot(run)}`;
  const ofSubject = sql.fragment`
    s.customer_id = ${customerId} AND s.repository_id = (SELECT id FROM repository) AND s.subject = ${sessionSubject(run)}`;
  return connection.one(sql.prepared(`get_archive_state.${run.phase}${variantOf(run)}`, archiveState)`
    WITH repository AS (
      SELECT id, last_activity_at < now() - interval '1 minute' AS stale
      FROM repositories
      WHERE customer_id = ${customerId} AND forge_type = ${repository.forge}
        AND namespace = ${repository.namespace} AND name = ${repository.name}
    ), own AS (
      ${ownRow(run)}
    )
    SELECT
      database_incarnation() AS incarnation,
      now() AS now,
      (SELECT epoch FROM leadership) AS epoch,
      (SELECT to_jsonb(r) FROM repository r) AS repository,
      (SELECT to_jsonb(o) FROM own o) AS own,
      (
        SELECT jsonb_build_object(
          'mine', d.customer_id = ${customerId} AND d.phase = ${run.phase},
          'equal', d.status = ${run.status} AND d.sha256 = decode(${run.sha256}, 'hex'),
          'executionId', d.execution_id,
          'order', (SELECT e.run_order FROM ${table} e WHERE e.id = d.execution_id),
          'committedAt', d.created_at,
          'session', (SELECT ${sessionJson} FROM sessions s JOIN ${table} e ON e.session_id = s.id WHERE e.id = d.execution_id)
        )
        FROM duplicate_runs d
        WHERE d.run_id = ${run.runId}
      ) AS alias,
      (
        SELECT jsonb_build_object('reason', reason, 'createdAt', created_at)
        FROM run_tombstones
        WHERE run_id = ${run.runId} AND customer_id = ${customerId}
      ) AS "runTombstone",
      (
        SELECT jsonb_build_object('upToOrder', up_to_order, 'createdAt', created_at)
        FROM slot_tombstones
        WHERE customer_id = ${customerId} AND slot = ${run.slot}
      ) AS "slotTombstone",
      (
        SELECT ${neighbourJson(run)} FROM ${table} e
        WHERE ${ofSlot} AND e.run_order <= coalesce(${order}::bigint, 9223372036854775807)
        ORDER BY e.run_order DESC LIMIT 1
      ) AS before,
      (
        SELECT ${neighbourJson(run)} FROM ${table} e
        WHERE ${ofSlot} AND e.run_order > ${order}::bigint
        ORDER BY e.run_order LIMIT 1
      ) AS after,
      (
        SELECT ${sessionJson} FROM sessions s
        WHERE ${ofSubject} AND s.status IN ('pending', 'active')
      ) AS "openSession",
      (
        SELECT ${sessionJson} FROM sessions s
        WHERE ${ofSubject} AND s.status NOT IN ('pending', 'active') AND s.last_run_order > ${order}::bigint
        ORDER BY s.last_run_order LIMIT 1
      ) AS "closedSession",
      (
        SELECT ${sessionJson} FROM sessions s
        WHERE s.id = ${run.sessionId ?? null}::uuid AND s.customer_id = ${customerId}
      ) AS "namedSession",
      ${run.phase === 'mitigation' ? firstValidation(run, ofSubject) : sql.fragment`NULL`} AS "firstValidationAt",
      EXISTS (
        SELECT FROM payloads WHERE customer_id = ${customerId} AND sha256 = decode(${run.sha256}, 'hex')
      ) AS "payloadKept"
  `);
}

/** As JSON, so that it comes with its microseconds, like the other times. */
function firstValidation(run: ArchivableRun, ofSubject: FragmentSqlToken): FragmentSqlToken {
  return sql.fragment`(
    SELECT to_jsonb(min(e.created_at)) FROM validation_executions e
    WHERE e.customer_id = ${run.customerId} AND e.session_id = coalesce(
      ${run.sessionId ?? null}::uuid,
      (SELECT s.id FROM sessions s WHERE ${ofSubject} AND s.status IN ('pending', 'active'))
    )
  )`;
}

/** A scan without a commit is looked for by its issue: another statement. */
function variantOf(run: ArchivableRun): string {
  return run.phase === 'scan' && run.commitSha === undefined ? '_by_issue' : '';
}

function ownRow(run: ArchivableRun): FragmentSqlToken {
  const tables = (['scan', 'validation', 'mitigation'] as const).map(
    (phase) => sql.fragment`
      SELECT
        e.customer_id = ${run.customerId} AND ${phase} = ${run.phase} AS mine,
        ${saysTheSame(run)}
          AND e.started_at IS NOT DISTINCT FROM ${run.startedAt ?? null}::timestamptz
          AND e.completed_at IS NOT DISTINCT FROM ${run.completedAt ?? null}::timestamptz
          AND e.error_message IS NOT DISTINCT FROM ${run.errorMessage ?? null} AS equal,
        e.run_order AS "order",
        e.status,
        encode(e.sha256, 'hex') AS sha256,
        e.updated_at AS "committedAt",
        (SELECT ${sessionJson} FROM sessions s WHERE s.id = e.session_id) AS session
      FROM ${executionsOf(phase)} e
      WHERE e.id = ${run.runId}`,
  );
  return sql.fragment`${sql.join(tables, sql.fragment` UNION ALL `)}`;
}

function neighbourJson(run: ArchivableRun): FragmentSqlToken {
  return sql.fragment`jsonb_build_object(
    'id', e.id,
    'order', e.run_order,
    'equal', ${saysTheSame(run)} AND e.data_dropped_at IS NULL,
    'committedAt', e.updated_at,
    'session', (SELECT ${sessionJson} FROM sessions s WHERE s.id = e.session_id)
  )`;
}

function saysTheSame(run: ArchivableRun): FragmentSqlToken {
  return sql.fragment`e.status = ${run.status}
    AND e.sha256 = decode(${run.sha256}, 'hex')
    AND e.commit_sha IS NOT DISTINCT FROM ${run.commitSha ?? null}
    AND e.branch IS NOT DISTINCT FROM ${run.branch ?? null}
    AND e.pipeline_run_id IS NOT DISTINCT FROM ${run.pipelineRunId ?? null}`;
}

const sessionJson = sql.fragment`jsonb_build_object(
  'id', s.id, 'status', s.status, 'outcome', s.outcome, 'lastRunOrder', s.last_run_order
)`;
