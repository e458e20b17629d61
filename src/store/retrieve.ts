import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import type { RepositoryName } from '../domain/run.ts';
import type { RunSubject } from '../domain/slot.ts';
import type { Connection } from './database.ts';
import { executionsOf, inSlot } from './executions-table.ts';
import {
  type Caller,
  kindOf,
  ownedBy,
  principalJson,
  principalOf,
  principalRow,
  unverifiedClaim,
} from './principal.ts';

/** What a later phase asks for. */
export interface RetrieveRequest {
  readonly repository: RepositoryName;
  /** Absent: neither validation nor mitigation. */
  readonly issueNumber?: number;
  /** Absent: no scan, unless {@link scanOfIssue}. */
  readonly commitSha?: string;
  /** Whether the scan wanted is the one that was stored for the issue, without a commit. */
  readonly scanOfIssue?: boolean;
  /** Only runs of this pipeline run. */
  readonly pipelineRunId?: string;
}

const phases = z.object({
  principal: principalRow,
  /** Whether the forge namespace is the principal's, by a verified account. */
  owned: z.boolean(),
  /** Unless it is: the caller's own claim of the namespace, or of one above it, that is yet to be verified. */
  unverifiedClaim: z.string().nullable(),
  /** The stored data as JSON text, ready to be sent; null when there is none, or it may not be seen. */
  scan: z.string().nullable(),
  validation: z.string().nullable(),
  mitigation: z.string().nullable(),
});

export type RetrievedPhases = z.infer<typeof phases>;

/**
 * Authenticates, authorises and reads in one statement, so that a key that was revoked reads nothing from then on.
 * Of each phase it is the newest completed run, else the newest failed one that has data. Where retention has taken the
 * data of that completed run away, the phase is not there: what is older never stands in for it.
 */
export function retrievePhases(
  connection: Connection,
  caller: Caller,
  request: RetrieveRequest,
): Promise<RetrievedPhases> {
  const { forge, namespace, name } = request.repository;
  const { issueNumber, commitSha, scanOfIssue, pipelineRunId } = request;
  const scan = {
    phase: 'scan',
    ...(scanOfIssue ? { issueNumber } : { commitSha: commitSha ?? '' }),
  } as const;
  return connection.one(sql.prepared(nameOf(caller, request), phases)`
    WITH principal AS MATERIALIZED (
      ${principalOf(caller)}
    ), owned AS MATERIALIZED (
      SELECT customer_id, scopes FROM principal
      WHERE refusal IS NULL AND ${ownedBy(caller, sql.fragment`customer_id`, request.repository)}
    ), repository AS MATERIALIZED (
      SELECT r.id, r.customer_id FROM repositories r JOIN owned ON r.customer_id = owned.customer_id
      WHERE 'phases:read' = ANY(owned.scopes)
        AND r.forge_type = ${forge} AND r.namespace = ${namespace} AND r.name = ${name}
    )
    SELECT
      ${principalJson} AS principal,
      EXISTS (SELECT FROM owned) AS owned,
      ${unverifiedClaim(request.repository, sql.fragment`owned`)} AS "unverifiedClaim",
      ${newestData(scan, pipelineRunId)} AS scan,
      ${newestData({ phase: 'validation', issueNumber }, pipelineRunId)} AS validation,
      ${newestData({ phase: 'mitigation', issueNumber }, pipelineRunId)} AS mitigation
  `);
}

function nameOf(caller: Caller, { scanOfIssue }: RetrieveRequest): string {
  return `retrieve_phases.${kindOf(caller)}${scanOfIssue ? '.scan_of_issue' : ''}`;
}

/** coalesce() looks for a failed run only when there is no completed one; each is the first row of an index. */
function newestData(subject: RunSubject, pipelineRunId: string | undefined): FragmentSqlToken {
  const table = executionsOf(subject.phase);
  const newest = (status: FragmentSqlToken) => sql.fragment`(
    SELECT e.id FROM ${table} e
    WHERE e.customer_id = (SELECT customer_id FROM repository) AND e.repository_id = (SELECT id FROM repository)
      AND ${inSlot(subject)}
      AND ${status}
      AND (${pipelineRunId ?? null}::text IS NULL OR e.pipeline_run_id = ${pipelineRunId ?? null})
    ORDER BY e.run_order DESC LIMIT 1
  )`;
  return sql.fragment`(
    SELECT data::text FROM ${table}
    WHERE id = coalesce(
      ${newest(sql.fragment`e.status = 'completed'`)},
      ${newest(sql.fragment`e.status = 'failed' AND e.size_bytes > length('{}') AND e.data_dropped_at IS NULL`)}
    ) AND data_dropped_at IS NULL
  )`;
}
