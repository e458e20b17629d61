import { undefinedIfGone } from '../../kube/kube-error.ts';
import type { KubeResource } from '../../kube/resource.ts';
import type { PhaseRun } from '../../resources/phase-run.ts';
import { listCustomers } from '../../store/customers.ts';
import type { Connection } from '../../store/database.ts';
import { currentIncarnation } from '../../store/incarnation.ts';
import { type KeptResult, listKeptResults } from '../../store/kept-results.ts';
import { listSessionsBehind, listUnrecordedSessions } from '../../store/session-discrepancies.ts';
import type { CachedPhaseRun } from '../phase-run-cache.ts';
import type { Discrepancy } from './discrepancy.ts';
import { examineRows, rowPages } from './examine-rows.ts';
import { type Examined, examinePhaseRun, type Surroundings, withPayloadDigest } from './examine-phase-run.ts';

export interface DoctorDependencies {
  readonly pool: Connection;
  readonly phaseRuns: KubeResource<PhaseRun>;
}

/** What an examination came to. */
export interface Examination {
  /** How many were looked at. */
  readonly phaseRuns: number;
  readonly executions: number;
  /** PhaseRuns that the controller has yet to archive. */
  readonly waiting: readonly string[];
  readonly discrepancies: readonly Discrepancy[];
}

export interface ExaminationOptions {
  /** Whether to compute the digest of every row anew: reads all that is stored. */
  readonly deep: boolean;
  /** Told now and again how far it is. */
  readonly onProgress: (examined: { readonly phaseRuns: number; readonly executions: number }) => void;
}

/** Most sessions that are named; more of them are one and the same disaster. */
const SESSIONS_LISTED = 1_000;

/**
 * Compares all PhaseRuns with all that is kept of them. Nothing is locked meanwhile, so what seems wrong is looked at
 * once more before it is said.
 * @throws KubeError or DatabaseError when one of the two cannot be read
 */
export async function examineAll(
  dependencies: DoctorDependencies,
  { deep, onProgress }: ExaminationOptions,
): Promise<Examination> {
  const { pool, phaseRuns } = dependencies;
  const discrepancies: Discrepancy[] = [];
  const waiting: string[] = [];
  const examined = { phaseRuns: 0, executions: 0 };
  for await (const page of pagesOf(phaseRuns)) {
    for (const [phaseRun, finding] of await examinePage(pool, page.map(withPayloadDigest))) {
      const confirmed = typeof finding === 'object' ? await examineAgain(dependencies, phaseRun) : finding;
      if (confirmed === 'waiting') waiting.push(`${phaseRun.metadata.namespace}/${phaseRun.metadata.name}`);
      else if (confirmed !== undefined) discrepancies.push(confirmed);
    }
    examined.phaseRuns += page.length;
    onProgress(examined);
  }
  discrepancies.push(...(await examineOpenSessions(pool)), ...(await examineTransitions(pool)));
  if (deep) {
    for await (const rows of rowPages(pool)) {
      discrepancies.push(...(await examineRows(dependencies, rows)));
      examined.executions += rows.length;
      onProgress(examined);
    }
  }
  return { ...examined, waiting, discrepancies };
}

/** Compares some PhaseRuns with what is kept of them, in a few statements. */
export async function examinePage(
  pool: Connection,
  page: readonly CachedPhaseRun[],
): Promise<readonly (readonly [CachedPhaseRun, Examined])[]> {
  const [incarnation, customers, kept] = await Promise.all([
    currentIncarnation(pool),
    listCustomers(pool),
    listKeptResults(
      pool,
      page.map(({ runId }) => runId),
    ),
  ]);
  const surroundings = { incarnation, customers: new Set(customers.map(({ id }) => id)) };
  const byRun = new Map(kept.toSorted(rowsLast).map((result) => [result.runId, result]));
  return page.map((phaseRun) => {
    const around: Surroundings = { ...surroundings, kept: byRun.get(phaseRun.runId) };
    return [phaseRun, examinePhaseRun(phaseRun, around)] as const;
  });
}

/** A row of its own counts before what else is noted of a run. */
function rowsLast(a: KeptResult, b: KeptResult): number {
  return Number(a.kind === 'row') - Number(b.kind === 'row');
}

async function examineAgain(
  { pool, phaseRuns }: DoctorDependencies,
  { metadata: { namespace, name } }: CachedPhaseRun,
): Promise<Examined> {
  const now = await phaseRuns.get({ namespace, name }).catch(undefinedIfGone);
  if (now === undefined) return undefined;
  return (await examinePage(pool, [withPayloadDigest(now)]))[0]?.[1];
}

/** Holds open sessions against their executions. */
export async function examineOpenSessions(pool: Connection): Promise<readonly Discrepancy[]> {
  const behind = await listSessionsBehind(pool, SESSIONS_LISTED);
  return behind.map(({ sessionId, customerId, status, wanted, executionId }) => ({
    kind: 'SessionBehind',
    id: sessionId,
    customerId,
    message: `it is ${status}, and its newest execution ${executionId} calls for ${wanted}`,
  }));
}

/** Holds all sessions against their transitions; reads them all. */
async function examineTransitions(pool: Connection): Promise<readonly Discrepancy[]> {
  const unrecorded = await listUnrecordedSessions(pool, SESSIONS_LISTED);
  return unrecorded.map(({ sessionId, customerId, status }) => ({
    kind: 'SessionUnrecorded',
    id: sessionId,
    customerId,
    message: `it is ${status}, which its transitions do not lead to`,
  }));
}

/** All pages of all namespaces, one at a time. */
async function* pagesOf(phaseRuns: KubeResource<PhaseRun>): AsyncGenerator<readonly PhaseRun[]> {
  for (let token: string | undefined; ; ) {
    const page = await phaseRuns.listPage({ continue: token });
    yield page.items;
    token = page.continue;
    if (token === undefined) return;
  }
}
