import { sql } from 'slonik';
import { z } from 'zod';
import { digestOf } from '../../src/domain/digest.ts';
import { verifyAuditChain } from '../../src/store/audit-verification.ts';
import type { Connection } from '../../src/store/database.ts';

const row = z.object({
  id: z.string(),
  phase: z.string(),
  repo: z.string(),
  issueNumber: z.number().nullable(),
  commitSha: z.string().nullable(),
  status: z.string(),
  sha256: z.string(),
  order: z.number(),
  sessionId: z.string().nullable(),
});
/** An execution, as Postgres has it. */
export type Row = z.infer<typeof row>;

/** All that a tenant has at the end. */
export interface Evidence {
  readonly rows: readonly Row[];
  /** Rows whose data has another digest than they say, by id. */
  readonly altered: readonly string[];
  /** Run → the row that it repeated. */
  readonly repeats: ReadonlyMap<string, string>;
  readonly sessions: readonly Session[];
  /** Audited insertions, by run. */
  readonly insertions: readonly Counted[];
  /** Events in the outbox: what they tell of. */
  readonly events: readonly Counted[];
  /** Where the audit's chain is broken. */
  readonly auditBreak: string | undefined;
}

const session = z.object({
  id: z.string(),
  status: z.string(),
  /** In the order in which they were recorded: `null → pending`. */
  steps: z.array(z.object({ from: z.string().nullable(), to: z.string() })),
  runs: z.number(),
});
type Session = z.infer<typeof session>;

const counted = z.object({ what: z.string(), n: z.number() });
type Counted = z.infer<typeof counted>;

/** Reads it all. Slow: every payload's digest is computed anew. */
export async function gatherEvidence(pool: Connection, customerId: string): Promise<Evidence> {
  const rows: Row[] = [];
  for (const phase of ['scan', 'validation', 'mitigation'] as const)
    rows.push(...(await listRows(pool, phase, customerId)));
  const { broken } = await verifyAuditChain(pool, customerId);
  return {
    rows,
    altered: await findAltered(pool, rows),
    repeats: await listRepeats(pool, customerId),
    sessions: await listSessions(pool, customerId),
    insertions: await countInsertions(pool, customerId),
    events: await countEvents(pool, customerId),
    auditBreak: broken && `${broken.kind} at ${broken.sequence}`,
  };
}

function tableOf(phase: string) {
  return sql.identifier([`${phase}_executions`]);
}

function listRows(pool: Connection, phase: string, customerId: string): Promise<readonly Row[]> {
  return pool.any(sql.type(row)`
    SELECT
      e.id, ${phase}::text AS phase, r.namespace || '/' || r.name AS repo,
      e.issue_number AS "issueNumber", e.commit_sha AS "commitSha", e.status, encode(e.sha256, 'hex') AS sha256,
      e.run_order AS "order", e.session_id AS "sessionId"
    FROM ${tableOf(phase)} e JOIN repositories r ON r.id = e.repository_id
    WHERE e.customer_id = ${customerId}
    ORDER BY e.run_order
  `);
}

const AT_ONCE = 100;

async function findAltered(pool: Connection, rows: readonly Row[]): Promise<string[]> {
  const stored = z.object({ id: z.string(), data: z.string() });
  const altered: string[] = [];
  for (const phase of new Set(rows.map(({ phase }) => phase))) {
    const ofPhase = new Map(rows.filter((row) => row.phase === phase).map(({ id, sha256 }) => [id, sha256]));
    const ids = [...ofPhase.keys()];
    for (let from = 0; from < ids.length; from += AT_ONCE) {
      const chunk = sql.array(ids.slice(from, from + AT_ONCE), 'uuid');
      const found = await pool.any(
        sql.type(stored)`SELECT id, data::text AS data FROM ${tableOf(phase)} WHERE id = ANY(${chunk})`,
      );
      altered.push(
        ...found
          .filter(({ id, data }) => digestOf(JSON.parse(data)).sha256 !== ofPhase.get(id))
          .map(({ id }) => id),
      );
    }
  }
  return altered;
}

async function listRepeats(pool: Connection, customerId: string): Promise<ReadonlyMap<string, string>> {
  const repeat = z.object({ run: z.string(), row: z.string() });
  const repeats = await pool.any(sql.type(repeat)`
    SELECT run_id AS run, execution_id AS row FROM duplicate_runs WHERE customer_id = ${customerId}
  `);
  return new Map(repeats.map(({ run, row }) => [run, row]));
}

function listSessions(pool: Connection, customerId: string): Promise<readonly Session[]> {
  return pool.any(sql.type(session)`
    SELECT s.id, s.status, coalesce(t.steps, '[]') AS steps, (
      SELECT count(*) FROM (
        SELECT FROM scan_executions WHERE session_id = s.id
        UNION ALL SELECT FROM validation_executions WHERE session_id = s.id
        UNION ALL SELECT FROM mitigation_executions WHERE session_id = s.id
      ) AS runs
    ) AS runs
    FROM sessions s
    LEFT JOIN (
      SELECT session_id, jsonb_agg(jsonb_build_object('from', from_state, 'to', to_state) ORDER BY created_at, ctid) AS steps
      FROM session_transitions GROUP BY session_id
    ) t ON t.session_id = s.id
    WHERE s.customer_id = ${customerId}
  `);
}

function countInsertions(pool: Connection, customerId: string): Promise<readonly Counted[]> {
  return pool.any(sql.type(counted)`
    SELECT metadata->>'runId' AS what, count(*) AS n FROM audit_events
    WHERE customer_id = ${customerId} AND event_type = 'phaserun.inserted' GROUP BY 1
  `);
}

/** By what they tell, not by their ids: `phase.completed <run>`, `session.completed <session>`. */
function countEvents(pool: Connection, customerId: string): Promise<readonly Counted[]> {
  return pool.any(sql.type(counted)`
    SELECT event_type || ' ' || CASE
      WHEN event_type LIKE 'phase.%' THEN event->'data'->>'runId' ELSE event->'data'->>'sessionId'
    END AS what, count(*) AS n
    FROM webhook_deliveries WHERE customer_id = ${customerId} GROUP BY subscription_id, 1
  `);
}
