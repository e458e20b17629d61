import { type FragmentSqlToken, type QuerySqlToken, sql } from 'slonik';
import { z } from 'zod';
import { PHASES, type Phase, RUN_STATUSES } from '../domain/phase.ts';
import type { ArchivableRun } from '../domain/run.ts';
import { SESSION_OUTCOMES, SESSION_STATES } from '../domain/session.ts';
import { sessionSubject } from '../domain/slot.ts';
import { placeOf } from './archive-decision.ts';
import type { Connection } from './database.ts';
import { executionsOf, IN_SLOT_OF_ROW, type SlotKind, slotKindOf } from './executions-table.ts';
import { byteaOf, ofOneParameter } from './one-parameter.ts';

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

const foundState = archiveState.extend({ position: z.number() });

/** All that decides what becomes of a run, read at once under its slot's lock. */
export type ArchiveState = z.infer<typeof archiveState>;
export type SessionRow = z.infer<typeof session>;

/**
 * Reads everything the decisions need, by one statement for each kind of slot; the locks of all slots must be held.
 * @returns each run with its state, in their order
 */
export async function getArchiveStates(
  connection: Connection,
  runs: readonly ArchivableRun[],
): Promise<readonly { readonly run: ArchivableRun; readonly state: ArchiveState }[]> {
  const asked = Map.groupBy(runs.map(askOf), ({ kind }) => kind);
  const byPosition = new Map<number, ArchiveState>();
  for (const [kind, asks] of asked) {
    const found = await connection.any(STATEMENTS[kind](JSON.stringify(asks)));
    for (const state of found) byPosition.set(state.position, state);
  }
  return runs.map((run, position) => {
    const state = byPosition.get(position);
    if (state === undefined) throw new Error(`nothing was read for run ${run.runId}`);
    return { run, state };
  });
}

/** A row of the statement's `r`; what is absent is null there. */
function askOf(run: ArchivableRun, position: number) {
  const { repository, customerId } = run;
  return {
    kind: slotKindOf(run),
    position,
    run_id: run.runId,
    customer_id: customerId,
    forge: repository.forge,
    namespace: repository.namespace,
    name: repository.name,
    slot: run.slot,
    subject: sessionSubject(run),
    session_id: run.sessionId,
    place: placeOf(run),
    status: run.status,
    sha256: byteaOf(run.sha256),
    issue_number: run.issueNumber,
    commit_sha: run.commitSha,
    branch: run.branch,
    pipeline_run_id: run.pipelineRunId,
    started_at: run.startedAt,
    completed_at: run.completedAt,
    error_message: run.errorMessage,
  };
}

function makeStatement(kind: SlotKind): (asks: string) => QuerySqlToken<typeof foundState> {
  const phase = kind === 'scan_by_issue' ? 'scan' : kind;
  const table = executionsOf(phase);
  // LATERAL and OFFSET 0: looked up for each run, through the index, however many rows there are in all.
  return ofOneParameter(sql.prepared(`get_archive_states.${kind}`, foundState)`
    SELECT
      r.position,
      database_incarnation() AS incarnation,
      now() AS now,
      (SELECT epoch FROM leadership) AS epoch,
      to_jsonb(repository) AS repository,
      (
        SELECT to_jsonb(own) FROM (${ownRow(phase)}) AS own
      ) AS own,
      (
        SELECT jsonb_build_object(
          'mine', d.customer_id = r.customer_id AND d.phase = ${sql.literalValue(phase)},
          'equal', d.status = r.status AND d.sha256 = r.sha256,
          'executionId', d.execution_id,
          'order', (SELECT e.run_order FROM ${table} e WHERE e.id = d.execution_id),
          'committedAt', d.created_at,
          'session', (SELECT ${sessionJson} FROM sessions s JOIN ${table} e ON e.session_id = s.id WHERE e.id = d.execution_id)
        )
        FROM duplicate_runs d
        WHERE d.run_id = r.run_id
      ) AS alias,
      (
        SELECT jsonb_build_object('reason', t.reason, 'createdAt', t.created_at)
        FROM run_tombstones t
        WHERE t.run_id = r.run_id AND t.customer_id = r.customer_id
      ) AS "runTombstone",
      (
        SELECT jsonb_build_object('upToOrder', t.up_to_order, 'createdAt', t.created_at)
        FROM slot_tombstones t
        WHERE t.customer_id = r.customer_id AND t.slot = r.slot
      ) AS "slotTombstone",
      (
        SELECT ${neighbourJson} FROM ${table} e
        WHERE ${ofSlot(kind)} AND e.run_order <= coalesce(r.place, 9223372036854775807)
        ORDER BY e.run_order DESC LIMIT 1
      ) AS before,
      (
        SELECT ${neighbourJson} FROM ${table} e
        WHERE ${ofSlot(kind)} AND e.run_order > r.place
        ORDER BY e.run_order LIMIT 1
      ) AS after,
      (
        SELECT ${sessionJson} FROM sessions s
        WHERE ${ofSubject} AND s.status IN ('pending', 'active')
      ) AS "openSession",
      (
        SELECT ${sessionJson} FROM sessions s
        WHERE ${ofSubject} AND s.status NOT IN ('pending', 'active') AND s.last_run_order > r.place
        ORDER BY s.last_run_order LIMIT 1
      ) AS "closedSession",
      (
        SELECT ${sessionJson} FROM sessions s
        WHERE s.id = r.session_id AND s.customer_id = r.customer_id
      ) AS "namedSession",
      ${phase === 'mitigation' ? firstValidation : sql.fragment`NULL`} AS "firstValidationAt",
      -- Not EXISTS, which may be answered from a list of all payloads.
      (
        SELECT true FROM payloads p WHERE p.customer_id = r.customer_id AND p.sha256 = r.sha256
      ) IS TRUE AS "payloadKept"
    FROM jsonb_to_recordset(${''}::jsonb) AS r (
      position integer, run_id uuid, customer_id uuid, forge text, namespace text, name text, slot text, subject text,
      session_id uuid, place bigint, status text, sha256 bytea, issue_number bigint, commit_sha text, branch text,
      pipeline_run_id text, started_at timestamptz, completed_at timestamptz, error_message text
    )
    LEFT JOIN LATERAL (
      SELECT id, last_activity_at < now() - interval '1 minute' AS stale
      FROM repositories
      WHERE customer_id = r.customer_id AND forge_type = r.forge AND namespace = r.namespace AND name = r.name
      OFFSET 0
    ) AS repository ON true
  `);
}

function ofSlot(kind: SlotKind): FragmentSqlToken {
  return sql.fragment`e.customer_id = r.customer_id AND e.repository_id = repository.id AND ${IN_SLOT_OF_ROW[kind]}`;
}

const ofSubject = sql.fragment`
  s.customer_id = r.customer_id AND s.repository_id = repository.id AND s.subject = r.subject`;

const sessionJson = sql.fragment`jsonb_build_object(
  'id', s.id, 'status', s.status, 'outcome', s.outcome, 'lastRunOrder', s.last_run_order
)`;

const saysTheSame = sql.fragment`e.status = r.status
  AND e.sha256 = r.sha256
  AND e.commit_sha IS NOT DISTINCT FROM r.commit_sha
  AND e.branch IS NOT DISTINCT FROM r.branch
  AND e.pipeline_run_id IS NOT DISTINCT FROM r.pipeline_run_id`;

const neighbourJson = sql.fragment`jsonb_build_object(
  'id', e.id,
  'order', e.run_order,
  'equal', ${saysTheSame} AND e.data_dropped_at IS NULL,
  'committedAt', e.updated_at,
  'session', (SELECT ${sessionJson} FROM sessions s WHERE s.id = e.session_id)
)`;

/** As JSON, so that it comes with its microseconds, like the other times. */
const firstValidation = sql.fragment`(
  SELECT to_jsonb(min(e.created_at)) FROM validation_executions e
  WHERE e.customer_id = r.customer_id AND e.session_id = coalesce(
    r.session_id,
    (SELECT s.id FROM sessions s WHERE ${ofSubject} AND s.status IN ('pending', 'active'))
  )
)`;

/** The row with the run's id, in whatever table it is. */
function ownRow(ofRun: Phase): FragmentSqlToken {
  const tables = PHASES.map(
    (phase) => sql.fragment`
      SELECT
        e.customer_id = r.customer_id AND ${sql.literalValue(phase)} = ${sql.literalValue(ofRun)} AS mine,
        ${saysTheSame}
          AND e.started_at IS NOT DISTINCT FROM r.started_at
          AND e.completed_at IS NOT DISTINCT FROM r.completed_at
          AND e.error_message IS NOT DISTINCT FROM r.error_message AS equal,
        e.run_order AS "order",
        e.status,
        encode(e.sha256, 'hex') AS sha256,
        e.updated_at AS "committedAt",
        (SELECT ${sessionJson} FROM sessions s WHERE s.id = e.session_id) AS session
      FROM ${executionsOf(phase)} e
      WHERE e.id = r.run_id`,
  );
  return sql.fragment`${sql.join(tables, sql.fragment` UNION ALL `)}`;
}

const STATEMENTS = {
  scan: makeStatement('scan'),
  scan_by_issue: makeStatement('scan_by_issue'),
  validation: makeStatement('validation'),
  mitigation: makeStatement('mitigation'),
};
