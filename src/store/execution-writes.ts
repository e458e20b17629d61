import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import type { DerivedResult } from '../domain/derive.ts';
import type { Phase } from '../domain/phase.ts';
import type { ArchivableRun } from '../domain/run.ts';
import type { WriteDecision } from './archive-decision.ts';
import type { Connection } from './database.ts';
import { executionsOf } from './executions-table.ts';
import { RacedError } from './raced-error.ts';

const written = z.object({ committedAt: z.string() });

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
