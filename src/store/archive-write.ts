import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import type { DerivedResult } from '../domain/derive.ts';
import type { Phase } from '../domain/phase.ts';
import type { ArchivableRun, CommittedRun } from '../domain/run.ts';
import { SESSION_STATES, type SessionState, type SessionTransition } from '../domain/session.ts';
import { sessionSubject } from '../domain/slot.ts';
import type { SessionStep, WriteDecision } from './archive-decision.ts';
import type { SessionRow } from './archive-state.ts';
import type { Connection } from './database.ts';
import { executionsOf } from './executions-table.ts';

/** Another writer moved something between our reading it and our writing. */
export class RacedError extends Error {
  override readonly name = 'RacedError';
  /** Has the transaction run again, like every serialisation failure. */
  readonly code = '40001';
}

const nothing = z.object({});

/** Waits until no other transaction works on this slot; held to the end of this one. */
export async function lockSlot(connection: Connection, run: ArchivableRun): Promise<void> {
  await connection.one(sql.prepared('lock_slot', nothing)`
    SELECT FROM pg_advisory_xact_lock(hashtextextended(${`${run.customerId} ${run.slot}`}, 0))
  `);
}

export async function drawRunOrder(connection: Connection): Promise<number> {
  const drawn = z.object({ order: z.number() });
  const { order } = await connection.one(sql.prepared('draw_run_order', drawn)`
    SELECT nextval('run_order') AS "order"
  `);
  return order;
}

/** Makes the repository, or notes that something happened in it. */
export async function touchRepository(connection: Connection, run: ArchivableRun): Promise<string> {
  const { forge, namespace, name, fullPath } = run.repository;
  const { id } = await connection.one(sql.prepared('touch_repository', z.object({ id: z.string() }))`
    INSERT INTO repositories (customer_id, forge_type, namespace, name, full_path)
    VALUES (${run.customerId}, ${forge}, ${namespace}, ${name}, ${fullPath})
    ON CONFLICT (customer_id, forge_type, namespace, name) DO UPDATE SET last_activity_at = now()
    RETURNING id
  `);
  return id;
}

export async function createSession(
  connection: Connection,
  run: ArchivableRun,
  { repositoryId, status, outcome, order }: NewSession,
): Promise<string> {
  const { id } = await connection.one(sql.prepared('create_run_session', z.object({ id: z.string() }))`
    INSERT INTO sessions (customer_id, role, status, outcome, repository_id, subject, last_run_order)
    VALUES (
      ${run.customerId}, 'phaserun', ${status}, ${outcome ?? null}, ${repositoryId}, ${sessionSubject(run)}, ${order}
    )
    RETURNING id
  `);
  return id;
}

interface NewSession {
  readonly repositoryId: string;
  readonly status: SessionState;
  readonly outcome: SessionStep['outcome'];
  readonly order: number;
}

/**
 * Moves a session from the state it was read in.
 * @throws RacedError when it is no longer there
 */
export async function moveSession(
  connection: Connection,
  run: ArchivableRun,
  { session, status, outcome, order }: SessionMove,
): Promise<void> {
  const moved = await connection.query(sql.prepared('move_run_session', nothing)`
    UPDATE sessions
    SET
      status = ${status},
      outcome = coalesce(${outcome ?? null}, outcome),
      last_run_order = greatest(last_run_order, ${order}::bigint),
      updated_at = now()
    WHERE id = ${session.id} AND customer_id = ${run.customerId} AND status = ANY(${sql.array([session.status], 'text')})
  `);
  if (moved.rowCount === 0) throw new RacedError(`session ${session.id} is no longer ${session.status}`);
}

interface SessionMove {
  readonly session: SessionRow;
  readonly status: SessionState;
  readonly outcome: SessionStep['outcome'];
  readonly order: number;
}

export interface ExecutionPlace {
  readonly repositoryId: string;
  readonly sessionId: string | undefined;
  readonly order: number;
}

/**
 * Writes the row of a run, new or moved forward; its session, once recorded, stays.
 * @throws RacedError when the payload it refers to has just been removed
 */
export async function writeExecution(
  connection: Connection,
  run: ArchivableRun,
  place: ExecutionPlace,
  dataFrom: WriteDecision['dataFrom'],
): Promise<string> {
  const derived = DERIVED_COLUMNS[run.phase](run.derived);
  const names = sql.join(
    Object.keys(derived).map((column) => sql.identifier([column])),
    sql.fragment`, `,
  );
  const updates = sql.join(
    Object.keys(derived).map(
      (column) => sql.fragment`${sql.identifier([column])} = excluded.${sql.identifier([column])}`,
    ),
    sql.fragment`, `,
  );
  const written = z.object({ committedAt: z.string() });
  const row = await connection.maybeOne(sql.prepared(
    `write_execution.${run.phase}_from_${dataFrom}`,
    written,
  )`
    INSERT INTO ${executionsOf(run.phase)} AS e (
      id, customer_id, repository_id, session_id, run_order, commit_sha, issue_number, branch, pipeline_run_id,
      status, data, sha256, size_bytes, started_at, completed_at, error_message, api_key_id,
      phase_run_namespace, phase_run_name, ${names}
    )
    SELECT
      ${run.runId}::uuid, ${run.customerId}::uuid, ${place.repositoryId}::uuid, ${place.sessionId ?? null}::uuid,
      ${place.order}::bigint, ${run.commitSha ?? null}, ${run.issueNumber ?? null}::bigint, ${run.branch ?? null},
      ${run.pipelineRunId ?? null}, ${run.status}, source.data, decode(${run.sha256}, 'hex'), ${run.sizeBytes}::integer,
      ${run.startedAt ?? null}::timestamptz, ${run.completedAt ?? null}::timestamptz, ${run.errorMessage ?? null},
      ${run.apiKeyId ?? null}, ${run.phaseRun.namespace}, ${run.phaseRun.name},
      ${sql.join(Object.values(derived), sql.fragment`, `)}
    FROM (${dataSource(run, dataFrom)}) AS source
    ON CONFLICT (id) DO UPDATE SET
      run_order = excluded.run_order,
      commit_sha = excluded.commit_sha,
      branch = excluded.branch,
      pipeline_run_id = excluded.pipeline_run_id,
      status = excluded.status,
      data = excluded.data,
      sha256 = excluded.sha256,
      size_bytes = excluded.size_bytes,
      started_at = excluded.started_at,
      completed_at = excluded.completed_at,
      error_message = excluded.error_message,
      ${updates},
      updated_at = now()
    WHERE e.customer_id = excluded.customer_id
    RETURNING updated_at AS "committedAt"
  `);
  if (row === null) throw new RacedError(`payload ${run.sha256} is gone`);
  return row.committedAt;
}

function dataSource(run: ArchivableRun, from: WriteDecision['dataFrom']): FragmentSqlToken {
  if (from === 'run') return sql.fragment`SELECT ${JSON.stringify(run.data)}::jsonb AS data`;
  if (from === 'row') {
    return sql.fragment`
      SELECT data FROM ${executionsOf(run.phase)} WHERE id = ${run.runId} AND customer_id = ${run.customerId}`;
  }
  return sql.fragment`
    SELECT data FROM payloads WHERE customer_id = ${run.customerId} AND sha256 = decode(${run.sha256}, 'hex')`;
}

type Columns = Readonly<Record<string, FragmentSqlToken>>;

/** The columns that only one phase has. */
const DERIVED_COLUMNS: Readonly<Record<Phase, (derived: DerivedResult) => Columns>> = {
  scan: (derived) => ({
    vulnerabilities_count: sql.fragment`${derived.vulnerabilities ?? null}::integer`,
  }),
  validation: (derived) => ({
    validated: sql.fragment`${derived.validated ?? null}::boolean`,
    vulnerabilities_found: sql.fragment`${derived.vulnerabilities ?? null}::integer`,
    ...testColumns(derived),
  }),
  mitigation: (derived) => ({
    pr_url: sql.fragment`${derived.pullRequestUrl ?? null}`,
    pr_number: sql.fragment`${derived.pullRequestNumber ?? null}::bigint`,
    files_changed: sql.fragment`${derived.filesChanged ?? null}::integer`,
    trust_score: sql.fragment`${derived.trustScore ?? null}::double precision`,
    ...testColumns(derived),
  }),
};

function testColumns({ redGreen, language, framework }: DerivedResult): Columns {
  return {
    red_green: sql.fragment`${redGreen}`,
    language: sql.fragment`${language ?? null}`,
    framework: sql.fragment`${framework ?? null}`,
  };
}

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

const recorded = z.object({
  transitions: z.array(z.object({ from: z.enum(SESSION_STATES).nullable(), to: z.enum(SESSION_STATES) })),
});

/**
 * Records what was done: the session's steps, the audit event, the notification. What else was known of the run
 * (that it repeated another, that it was quarantined) is over.
 * @returns the steps that were not recorded before
 */
export async function recordRun(
  connection: Connection,
  record: RunRecord,
): Promise<readonly SessionTransition[]> {
  const { run, sessionId, path, committed } = record;
  const { transitions } = await connection.one(sql.prepared('record_run', recorded)`
    WITH steps AS (
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
      RETURNING from_state, to_state
    ), audited AS (
      INSERT INTO audit_events (customer_id, event_type, metadata)
      VALUES (${run.customerId}, ${`phaserun.${committed.disposition}`}, ${JSON.stringify(auditOf(record))}::jsonb)
    ), unquarantined AS (
      DELETE FROM quarantined_runs WHERE run_id = ${run.runId} AND customer_id = ${run.customerId}
    ), no_duplicate AS (
      DELETE FROM duplicate_runs
      WHERE run_id = ${run.runId} AND customer_id = ${run.customerId} AND ${committed.disposition} <> 'duplicate'
    )
    SELECT
      coalesce(
        (SELECT jsonb_agg(jsonb_build_object('from', from_state, 'to', to_state)) FROM steps), '[]'
      ) AS transitions,
      pg_notify('phaserun_committed', ${JSON.stringify(committed)})
  `);
  return transitions;
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
