import { randomUUID } from 'node:crypto';
import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import type { DerivedResult } from '../domain/derive.ts';
import type { Phase } from '../domain/phase.ts';
import type { ArchivableRun, CommittedRun } from '../domain/run.ts';
import {
  isTerminal,
  type SessionOutcome,
  type SessionState,
  type SessionTransition,
} from '../domain/session.ts';
import { sessionSubject } from '../domain/slot.ts';
import type { SessionStep, WriteDecision } from './archive-decision.ts';
import type { Connection } from './database.ts';
import { executionsOf } from './executions-table.ts';
import { RacedError } from './raced-error.ts';
import { recordOf, transition } from './run-records.ts';

/** What is to be written of the session that a run takes part in. */
export interface SessionWrite {
  readonly id: string;
  /** Where the run leaves it. */
  readonly state: SessionState;
  /** `move` also notes that the run was there; a closed session is left alone. */
  readonly write: 'create' | 'move' | 'none';
  /** Of a session that is there: the state it was read in. */
  readonly from: SessionState | undefined;
  readonly path: readonly SessionTransition[];
  readonly outcome: SessionOutcome | undefined;
}

/** Plans where a step leaves its session; a new one gets its id here. */
export function planSessionWrite({ joined, path, outcome }: SessionStep): SessionWrite {
  const last = path.at(-1)?.to;
  if (joined === undefined)
    return { id: randomUUID(), state: last ?? 'pending', write: 'create', from: undefined, path, outcome };
  const { id, status } = joined;
  return {
    id,
    state: last ?? status,
    write: isTerminal(status) ? 'none' : 'move',
    from: status,
    path,
    outcome,
  };
}

export interface RunWrite {
  readonly run: ArchivableRun;
  readonly repositoryId: string;
  readonly order: number;
  /** Absent: the row has none, since its session was deleted. */
  readonly session: SessionWrite | undefined;
  readonly dataFrom: WriteDecision['dataFrom'];
  readonly committed: CommittedRun;
}

const written = z.object({
  isWritten: z.boolean(),
  isMoved: z.boolean(),
  transitions: z.array(transition),
});

/**
 * Writes a run by one statement: its session, opened or moved; its row, new or moved forward, whose session, once
 * recorded, stays; and what is recorded of both.
 * @returns the session's steps that were not recorded before
 * @throws RacedError when the session is no longer as it was read, or the payload that the run refers to has just been
 *   removed: the transaction must not commit
 */
export async function writeRun(
  connection: Connection,
  write: RunWrite,
): Promise<readonly SessionTransition[]> {
  const { run, session, dataFrom, committed } = write;
  const record = recordOf(
    { run, sessionId: session?.id, path: session?.path ?? [], committed },
    touchedSession,
  );
  const done = await connection.one(sql.prepared(`write_run.${run.phase}_from_${dataFrom}`, written)`
    WITH opened AS (
      ${openSession(write)}
    ), moved AS (
      ${moveSession(write)}
    ), execution AS (
      ${writeExecution(write)}
    ), ${record.steps}
    SELECT
      EXISTS (SELECT FROM execution) AS "isWritten",
      EXISTS (SELECT FROM moved) AS "isMoved",
      ${record.transitions} AS transitions,
      ${record.notification}
  `);
  if (!done.isWritten) throw new RacedError(`payload ${run.sha256} is gone`);
  if (session?.write === 'move' && !done.isMoved)
    throw new RacedError(`session ${session.id} is no longer ${session.from}`);
  return done.transitions;
}

/** A session that the same statement writes is seen through what it returns, and not in its table. */
const touchedSession = sql.fragment`(SELECT * FROM opened UNION ALL SELECT * FROM moved)`;

const sessionColumns = sql.fragment`id, customer_id, role, task_id, repository_id, subject, outcome`;

/** Opens the session of a run's subject, in the state to which the run leads it. */
function openSession({ run, repositoryId, order, session }: RunWrite): FragmentSqlToken {
  return sql.fragment`
    INSERT INTO sessions (id, customer_id, role, status, outcome, repository_id, subject, last_run_order)
    SELECT
      ${session?.id ?? null}::uuid, ${run.customerId}::uuid, 'phaserun', ${session?.state ?? null}, ${session?.outcome ?? null},
      ${repositoryId}::uuid, ${sessionSubject(run)}, ${order}::bigint
    WHERE ${session?.write === 'create'}::boolean
    RETURNING ${sessionColumns}`;
}

/** Moves a session from the state it was read in. */
function moveSession({ run, order, session }: RunWrite): FragmentSqlToken {
  return sql.fragment`
    UPDATE sessions
    SET
      status = ${session?.state ?? null},
      outcome = coalesce(${session?.outcome ?? null}, outcome),
      last_run_order = greatest(last_run_order, ${order}::bigint),
      updated_at = now()
    WHERE ${session?.write === 'move'}::boolean
      AND id = ${session?.id ?? null}::uuid AND customer_id = ${run.customerId}::uuid
      AND status = ANY(${sql.array(session?.from === undefined ? [] : [session.from], 'text')})
    RETURNING ${sessionColumns}`;
}

function writeExecution({ run, repositoryId, order, session, dataFrom }: RunWrite): FragmentSqlToken {
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
  return sql.fragment`
    INSERT INTO ${executionsOf(run.phase)} AS e (
      id, customer_id, repository_id, session_id, run_order, commit_sha, issue_number, branch, pipeline_run_id,
      status, data, sha256, size_bytes, started_at, completed_at, error_message, api_key_id,
      phase_run_namespace, phase_run_name, ${names}
    )
    SELECT
      ${run.runId}::uuid, ${run.customerId}::uuid, ${repositoryId}::uuid, ${session?.id ?? null}::uuid,
      ${order}::bigint, ${run.commitSha ?? null}, ${run.issueNumber ?? null}::bigint, ${run.branch ?? null},
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
    RETURNING e.id`;
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
