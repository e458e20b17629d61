import { randomUUID } from 'node:crypto';
import { type FragmentSqlToken, type QuerySqlToken, sql } from 'slonik';
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
import { byteaOf, ofOneParameter } from './one-parameter.ts';
import { RacedError } from './raced-error.ts';
import { placesOf, RECORD_COLUMNS, recordOf, recordRow, transition } from './run-records.ts';

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

/** A run that becomes a row, or moves its row forward. */
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
  position: z.number(),
  isWritten: z.boolean(),
  isMoved: z.boolean(),
  transitions: z.array(transition),
});

/**
 * Writes runs, no two of one session, by one statement for each phase: their sessions, opened or moved; their rows, new or
 * moved forward, whose session, once recorded, stays; and what is recorded of both.
 * @returns for each run the session's steps that were not recorded before
 * @throws RacedError when a session is no longer as it was read, or the payload that a run refers to has just been
 *   removed: the transaction must not commit
 */
export async function writeRuns(
  connection: Connection,
  writes: readonly RunWrite[],
): Promise<readonly (readonly SessionTransition[])[]> {
  const rows = Map.groupBy(writes.map(rowOf), ({ phase }) => phase);
  const byPosition = new Map<number, z.infer<typeof written>>();
  for (const [phase, ofPhase] of rows) {
    const done = await connection.any(STATEMENTS[phase](JSON.stringify(ofPhase)));
    for (const each of done) byPosition.set(each.position, each);
  }
  return writes.map(({ run, session }, position) => {
    const each = byPosition.get(position);
    if (each?.isWritten !== true) throw new RacedError(`payload ${run.sha256} is gone`);
    if (session?.write === 'move' && !each.isMoved)
      throw new RacedError(`session ${session.id} is no longer ${session.from}`);
    return each.transitions;
  });
}

/** A row of the statement's `r`; what is absent is null there. */
function rowOf({ run, repositoryId, order, session, dataFrom, committed }: RunWrite, position: number) {
  const { phase, derived } = run;
  return {
    ...recordRow({ run, committed, session }, position),
    phase,
    repository_id: repositoryId,
    subject: sessionSubject(run),
    session_write: session?.write,
    session_state: session?.state,
    session_from: session?.from,
    outcome: session?.outcome,
    run_order: order,
    commit_sha: run.commitSha,
    issue_number: run.issueNumber,
    branch: run.branch,
    pipeline_run_id: run.pipelineRunId,
    status: run.status,
    data_from: dataFrom,
    data: dataFrom === 'run' ? run.data : undefined,
    sha256: byteaOf(run.sha256),
    size_bytes: run.sizeBytes,
    started_at: run.startedAt,
    completed_at: run.completedAt,
    error_message: run.errorMessage,
    api_key_id: run.apiKeyId,
    phase_run_namespace: run.phaseRun.namespace,
    phase_run_name: run.phaseRun.name,
    ...derivedRow(derived),
  };
}

/** The types of {@link rowOf}, for `jsonb_to_recordset`. */
const ROW_COLUMNS = sql.fragment`
  repository_id uuid, subject text, session_write text, session_state text, session_from text, outcome text,
  run_order bigint, commit_sha text, issue_number bigint, branch text, pipeline_run_id text, status text,
  data_from text, data jsonb, sha256 bytea, size_bytes integer, started_at timestamptz, completed_at timestamptz,
  error_message text, api_key_id text, phase_run_namespace text, phase_run_name text`;

function makeStatement(phase: Phase): (rows: string) => QuerySqlToken<typeof written> {
  const record = recordOf(touchedSession);
  return ofOneParameter(sql.prepared(`write_runs.${phase}`, written)`
    WITH r AS (
      SELECT * FROM jsonb_to_recordset(${''}::jsonb) AS r (${RECORD_COLUMNS}, ${ROW_COLUMNS}, ${DERIVED_COLUMNS})
    ), opened AS (
      ${openSessions}
    ), moved AS (
      ${moveSessions}
    ), execution AS (
      ${writeExecutions(phase)}
    ), ${record.steps}
    SELECT
      r.position,
      EXISTS (SELECT FROM execution WHERE execution.id = r.run_id) AS "isWritten",
      EXISTS (SELECT FROM moved WHERE moved.id = r.session_id) AS "isMoved",
      ${record.transitions} AS transitions,
      ${record.notification}
    FROM r
  `);
}

/** A session that the same statement writes is seen through what it returns, and not in its table. */
const touchedSession = sql.fragment`(SELECT * FROM opened UNION ALL SELECT * FROM moved)`;

/** Opens the sessions of the runs' subjects, in the states to which the runs lead them. */
const openSessions = sql.fragment`
  INSERT INTO sessions (id, customer_id, role, status, outcome, repository_id, subject, last_run_order)
  SELECT session_id, customer_id, 'phaserun', session_state, outcome, repository_id, subject, run_order
  FROM r WHERE session_write = 'create'
  RETURNING id, customer_id, role, task_id, repository_id, subject, outcome`;

/** Moves sessions from the states they were read in. */
const moveSessions = sql.fragment`
  UPDATE sessions s
  SET
    status = r.session_state,
    outcome = coalesce(r.outcome, s.outcome),
    last_run_order = greatest(s.last_run_order, r.run_order),
    updated_at = now()
  FROM r
  WHERE s.ctid = ANY(${placesOf('sessions', sql.fragment`r.session_write = 'move' AND t.id = r.session_id`)})
    AND s.id = r.session_id AND s.customer_id = r.customer_id AND s.status = r.session_from
  RETURNING s.id, s.customer_id, s.role, s.task_id, s.repository_id, s.subject, s.outcome`;

function writeExecutions(phase: Phase): FragmentSqlToken {
  const table = executionsOf(phase);
  const derived = DERIVED_OF_PHASE[phase].map((column) => sql.identifier([column]));
  const names = sql.join(derived, sql.fragment`, `);
  const updates = sql.join(
    derived.map((column) => sql.fragment`${column} = excluded.${column}`),
    sql.fragment`, `,
  );
  return sql.fragment`
    INSERT INTO ${table} AS e (
      id, customer_id, repository_id, session_id, run_order, commit_sha, issue_number, branch, pipeline_run_id,
      status, data, sha256, size_bytes, started_at, completed_at, error_message, api_key_id,
      phase_run_namespace, phase_run_name, ${names}
    )
    SELECT
      run_id, customer_id, repository_id, session_id, run_order, commit_sha, issue_number, branch, pipeline_run_id,
      status, source.data, sha256, size_bytes, started_at, completed_at, error_message, api_key_id,
      phase_run_namespace, phase_run_name, ${names}
    FROM r CROSS JOIN LATERAL (
      SELECT CASE data_from
        WHEN 'run' THEN r.data
        WHEN 'row' THEN (SELECT data FROM ${table} WHERE id = r.run_id AND customer_id = r.customer_id)
        ELSE (SELECT data FROM payloads p WHERE p.customer_id = r.customer_id AND p.sha256 = r.sha256)
      END AS data
      OFFSET 0
    ) AS source
    WHERE source.data IS NOT NULL
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

/** The columns that only some phases have, under the names that they have there. */
function derivedRow(derived: DerivedResult) {
  return {
    vulnerabilities_count: derived.vulnerabilities,
    vulnerabilities_found: derived.vulnerabilities,
    validated: derived.validated,
    pr_url: derived.pullRequestUrl,
    pr_number: derived.pullRequestNumber,
    files_changed: derived.filesChanged,
    trust_score: derived.trustScore,
    red_green: derived.redGreen,
    language: derived.language,
    framework: derived.framework,
  } satisfies Record<string, unknown>;
}

/** The types of {@link derivedRow}. */
const DERIVED_COLUMNS = sql.fragment`
  vulnerabilities_count integer, vulnerabilities_found integer, validated boolean, pr_url text, pr_number bigint,
  files_changed integer, trust_score double precision, red_green text, language text, framework text`;

const DERIVED_OF_PHASE: Readonly<Record<Phase, readonly (keyof ReturnType<typeof derivedRow>)[]>> = {
  scan: ['vulnerabilities_count'],
  validation: ['validated', 'vulnerabilities_found', 'red_green', 'language', 'framework'],
  mitigation: ['pr_url', 'pr_number', 'files_changed', 'trust_score', 'red_green', 'language', 'framework'],
};

const STATEMENTS = {
  scan: makeStatement('scan'),
  validation: makeStatement('validation'),
  mitigation: makeStatement('mitigation'),
};
