import { sql } from 'slonik';
import { z } from 'zod';
import { PHASES } from '../../src/domain/phase.ts';
import { makePayload } from './payload.ts';
import type { BenchStack } from './stack.ts';

export interface HistoryOptions {
  /** Name of the repository that it is of, and of no other history. */
  readonly repository: string;
  /** Over all three phases and all issues; at least three. */
  readonly rows: number;
  readonly payloadBytes: number;
  /** That the rows are spread over; absent: few, so that each slot has many. */
  readonly issues?: number;
  /** Since the rows were last changed; absent: none. */
  readonly ageDays?: number;
}

const FEW_ISSUES = 20;

/** Queries to be asked, of issues all over the history. */
const MOST_QUERIES = 1_000;

const nothing = z.object({});

/**
 * Makes completed results and the sessions of their issues by SQL alone, as if they had been stored one after another, and
 * leaves the tables as the server's own housekeeping would.
 * @returns queries that ask for the newest results of its issues
 */
export async function makeHistory(
  stack: BenchStack,
  { repository, rows, payloadBytes, issues: mostIssues = FEW_ISSUES, ageDays = 0 }: HistoryOptions,
): Promise<readonly URLSearchParams[]> {
  const { pool } = stack.database;
  const { customerId, forgeNamespace } = stack.tenant;
  const { id } = await pool.one(sql.prepared('bench_repository', z.object({ id: z.string() }))`
    INSERT INTO repositories (customer_id, forge_type, namespace, name, full_path)
    VALUES (${customerId}, 'github', ${forgeNamespace}, ${repository}, ${`${forgeNamespace}/${repository}`})
    RETURNING id
  `);
  const issues = Math.min(mostIssues, Math.floor(rows / PHASES.length));
  const data = JSON.stringify(makePayload(1, payloadBytes));
  for (const [index, phase] of PHASES.entries()) {
    const table = sql.identifier([`${phase}_executions`]);
    const count = Math.floor((rows + PHASES.length - 1 - index) / PHASES.length);
    await pool.query(sql.prepared(`bench_history_${phase}`, nothing)`
      INSERT INTO ${table} (
        id, customer_id, repository_id, run_order, commit_sha, issue_number, branch, pipeline_run_id, status, data,
        sha256, size_bytes, phase_run_namespace, phase_run_name, updated_at
      )
      SELECT
        gen_random_uuid(), ${customerId}::uuid, ${id}::uuid, nextval('run_order'), lpad(to_hex(1 + n % ${issues}::integer), 40, '0'),
        1 + n % ${issues}::integer, 'main', 'run-' || n, 'completed', ${data}::jsonb || jsonb_build_object('run', n),
        sha256(n::text::bytea), ${data.length}::integer, 'acme', ${repository}::text || '-' || n,
        now() - make_interval(days => ${ageDays}::integer)
      FROM generate_series(0, ${count - 1}::integer) AS n
    `);
    await pool.query(sql.unsafe`VACUUM ANALYZE ${table}`);
  }
  await pool.query(sql.prepared('bench_history_sessions', nothing)`
    INSERT INTO sessions (customer_id, role, status, repository_id, subject, last_run_order)
    SELECT ${customerId}::uuid, 'phaserun', 'completed', ${id}::uuid, 'issue/' || n, n FROM generate_series(1, ${issues}::integer) AS n
  `);
  await pool.query(sql.unsafe`VACUUM ANALYZE sessions`);
  const asked = Math.min(issues, MOST_QUERIES);
  return Array.from({ length: asked }, (_, index) => {
    const issue = 1 + Math.floor((index * issues) / asked);
    const commit = issue.toString(16).padStart(40, '0');
    return new URLSearchParams({
      repo: `${forgeNamespace}/${repository}`,
      issue: String(issue),
      commit,
    });
  });
}
