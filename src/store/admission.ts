import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import { type Phase, RUN_STATUSES } from '../domain/phase.ts';
import type { RepositoryName } from '../domain/run.ts';
import { slotOf } from '../domain/slot.ts';
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

/** What a store wants to know before it may create anything. */
export interface StoreAdmissionRequest {
  readonly phase: Phase;
  readonly repository: RepositoryName;
  readonly issueNumber?: number;
  readonly commitSha?: string;
  /** With it a running row of the same pipeline run and commit is moved forward. */
  readonly pipelineRunId?: string;
  /** The row to move forward, instead of one that is found by its pipeline run. */
  readonly runId?: string;
}

const runningRun = z.object({
  runId: z.string(),
  status: z.enum(RUN_STATUSES),
  order: z.number(),
  commitSha: z.string().nullable(),
  branch: z.string().nullable(),
  phaseRunNamespace: z.string(),
  phaseRunName: z.string(),
});

/** A run that has a store in the inbox, as the newest of them leaves it. */
const inboxRun = z.object({
  runId: z.string(),
  status: z.enum(RUN_STATUSES),
  commitSha: z.string().nullable(),
  branch: z.string().nullable(),
  sha256: z.string(),
});

const storeAdmission = z.object({
  principal: principalRow,
  /** RFC 3339: when the caller's key ends; null: it does not, or it is no key. */
  validUntil: z.string().nullable(),
  /** Whether the forge namespace is the principal's, by a verified account. */
  owned: z.boolean(),
  /** Unless it is: the caller's own claim of the namespace, or of one above it, that is yet to be verified. */
  unverifiedClaim: z.string().nullable(),
  /** Place of the new run, or of the one moved forward; null unless the principal may write and owns the namespace. */
  order: z.number().nullable(),
  /** The row to move forward: that of `runId`, whatever its status, else the newest running one. */
  running: runningRun.nullable(),
  /**
   * With a `runId` alone: whether it is `found`, as the id of a run of this caller, phase and slot; `taken` by
   * another run, of which nothing may be said, or by one that was deleted; or `free`.
   */
  runIdStatus: z.enum(['found', 'taken', 'free']).nullable(),
  inbox: z.object({
    /** Whether stores of this slot wait in the inbox: then this one is to wait behind them. */
    isSlotWaiting: z.boolean(),
    /** The one of them to move forward: that of `runId`, whatever its status, else the newest running one. */
    run: inboxRun.nullable(),
  }),
});

export type StoreAdmission = z.infer<typeof storeAdmission>;

/** Authenticates, authorises, draws the order and finds what is to be moved forward, in one statement. */
export function admitStore(
  connection: Connection,
  caller: Caller,
  request: StoreAdmissionRequest,
): Promise<StoreAdmission> {
  const { forge, namespace, name } = request.repository;
  return connection.one(sql.prepared(nameOf(caller, request), storeAdmission)`
    WITH principal AS MATERIALIZED (
      ${principalOf(caller)}
    ), admitted AS MATERIALIZED (
      SELECT customer_id FROM principal
      WHERE refusal IS NULL AND 'phases:write' = ANY(scopes)
        AND ${ownedBy(caller, sql.fragment`customer_id`, request.repository)}
    ), repository AS MATERIALIZED (
      SELECT r.id, r.customer_id FROM repositories r JOIN admitted ON r.customer_id = admitted.customer_id
      WHERE r.forge_type = ${forge} AND r.namespace = ${namespace} AND r.name = ${name}
    ), inbox AS MATERIALIZED (
      SELECT DISTINCT ON (i.run_id) i.*
      FROM inbox_runs i JOIN admitted ON i.customer_id = admitted.customer_id
      WHERE i.slot = ${slotOf(request)}
      ORDER BY i.run_id, i.run_order DESC
    ), running AS MATERIALIZED (
      ${runningRow(request)}
    )
    SELECT
      ${principalJson} AS principal,
      (SELECT valid_until FROM principal) AS "validUntil",
      EXISTS (
        SELECT FROM principal
        WHERE refusal IS NULL AND ${ownedBy(caller, sql.fragment`customer_id`, request.repository)}
      ) AS owned,
      ${unverifiedClaim(request.repository, sql.fragment`admitted`)} AS "unverifiedClaim",
      CASE WHEN EXISTS (SELECT FROM admitted) THEN nextval('run_order') END AS "order",
      (SELECT to_jsonb(r) FROM running r) AS running,
      ${runIdStatus(request)} AS "runIdStatus",
      jsonb_build_object(
        'isSlotWaiting', EXISTS (SELECT FROM inbox), 'run', (${inboxRunJson(request)})
      ) AS inbox
  `);
}

function nameOf(caller: Caller, { phase, commitSha, runId }: StoreAdmissionRequest): string {
  const slot = phase === 'scan' && commitSha === undefined ? 'scan_by_issue' : phase;
  return `admit_store.${kindOf(caller)}.${slot}${runId === undefined ? '' : '.by_run_id'}`;
}

function runningRow(request: StoreAdmissionRequest): FragmentSqlToken {
  return sql.fragment`
    SELECT
      e.id AS "runId",
      e.status,
      e.run_order AS "order",
      e.commit_sha AS "commitSha",
      e.branch,
      e.phase_run_namespace AS "phaseRunNamespace",
      e.phase_run_name AS "phaseRunName"
    FROM ${executionsOf(request.phase)} e
    WHERE e.customer_id = (SELECT customer_id FROM repository) AND e.repository_id = (SELECT id FROM repository)
      AND ${inSlot(request)} AND ${toBeMoved(request)}
    ORDER BY e.run_order DESC LIMIT 1`;
}

function toBeMoved({ runId, pipelineRunId, commitSha }: StoreAdmissionRequest): FragmentSqlToken {
  if (runId !== undefined) return sql.fragment`e.id = ${runId}`;
  return sql.fragment`e.status = 'running' AND e.pipeline_run_id = ${pipelineRunId ?? null}
    AND e.commit_sha IS NOT DISTINCT FROM ${commitSha ?? null}
    AND NOT EXISTS (SELECT FROM inbox i WHERE i.run_id = e.id AND i.status IN ('completed', 'failed'))`;
}

function inboxRunJson({ phase, runId, pipelineRunId, commitSha }: StoreAdmissionRequest): FragmentSqlToken {
  const isWanted =
    runId !== undefined
      ? sql.fragment`i.run_id = ${runId}`
      : sql.fragment`i.status = 'running' AND i.pipeline_run_id = ${pipelineRunId ?? null}
          AND i.commit_sha IS NOT DISTINCT FROM ${commitSha ?? null}`;
  return sql.fragment`
    SELECT jsonb_build_object(
      'runId', i.run_id, 'status', i.status, 'commitSha', i.commit_sha, 'branch', i.branch,
      'sha256', encode(i.sha256, 'hex')
    )
    FROM inbox i
    WHERE i.phase = ${phase} AND ${isWanted}
    ORDER BY i.run_order DESC LIMIT 1`;
}

function runIdStatus({ runId }: StoreAdmissionRequest): FragmentSqlToken {
  if (runId === undefined) return sql.fragment`NULL`;
  return sql.fragment`CASE
    WHEN EXISTS (SELECT FROM running) THEN 'found'
    WHEN EXISTS (SELECT FROM scan_executions WHERE id = ${runId})
      OR EXISTS (SELECT FROM validation_executions WHERE id = ${runId})
      OR EXISTS (SELECT FROM mitigation_executions WHERE id = ${runId})
      OR EXISTS (SELECT FROM run_tombstones WHERE run_id = ${runId}) THEN 'taken'
    ELSE 'free'
  END`;
}
