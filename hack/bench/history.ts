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
}

/** Issues that the rows of a history are spread over: each has as many rows in each slot as the history is long. */
const MOST_ISSUES = 20;

const nothing = z.object({});

/**
 * Makes completed results by SQL alone, as if they had been stored one after another, and leaves the tables as the
 * server's own housekeeping would.
 * @returns queries that ask for the newest results of its issues
 */
export async function makeHistory(
  stack: BenchStack,
  { repository, rows, payloadBytes }: HistoryOptions,
): Promise<readonly URLSearchParams[]> {
  const { pool } = stack.database;
  const { customerId, forgeNamespace } = stack.tenant;
  const { id } = await pool.one(sql.prepared('bench_repository', z.object({ id: z.string() }))`
    INSERT INTO repositories (customer_id, forge_type, namespace, name, full_path)
    VALUES (${customerId}, 'github', ${forgeNamespace}, ${repository}, ${`${forgeNamespace}/${repository}`})
    RETURNING id
  `);
  const issues = Math.min(MOST_ISSUES, Math.floor(rows / PHASES.length));
  const data = JSON.stringify(makePayload(1, payloadBytes));
  for (const [index, phase] of PHASES.entries()) {
    const table = sql.identifier([`${phase}_executions`]);
    const count = Math.floor((rows + PHASES.length - 1 - index) / PHASES.length);
    await pool.query(sql.prepared(`bench_history_${phase}`, nothing)`
      INSERT INTO ${table} (
        id, customer_id, repository_id, run_order, commit_sha, issue_number, branch, pipeline_run_id, status, data,
        sha256, size_bytes, phase_run_namespace, phase_run_name
      )
      SELECT
        gen_random_uuid(), ${customerId}::uuid, ${id}::uuid, nextval('run_order'), lpad(to_hex(1 + n % ${issues}::integer), 40, '0'),
        1 + n % ${issues}::integer, 'main', 'run-' || n, 'completed', ${data}::jsonb || jsonb_build_object('run', n),
        sha256(n::text::bytea), ${data.length}::integer, 'acme', ${repository}::text || '-' || n
      FROM generate_series(0, ${count - 1}::integer) AS n
    `);
    await pool.query(sql.unsafe`VACUUM ANALYZE ${table}`);
  }
  return Array.from({ length: issues }, (_, index) => {
    const issue = index + 1;
    const commit = issue.toString(16).padStart(40, '0');
    return new URLSearchParams({
      repo: `${forgeNamespace}/${repository}`,
      issue: String(issue),
      commit,
    });
  });
}
