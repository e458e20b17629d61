import { setTimeout as sleep } from 'node:timers/promises';
import { type NewPhaseRun, PHASE_RUNS, type PhaseRun } from '../resources/phase-run.ts';
import { canMove, draftMove, type MovingStore } from '../resources/phase-run-move.ts';
import { createBackoff } from './backoff.ts';
import { type Circuit, createCircuit } from './circuit.ts';
import type { KubeClient } from './client.ts';
import type { Deadline } from './deadline.ts';
import { hasStatus, KubeError } from './kube-error.ts';
import type { KubeResource } from './resource.ts';
import { objectPath } from './resource-path.ts';
import { isUnavailable } from './retry.ts';

/** Where a PhaseRun is. */
export interface PhaseRunName {
  readonly namespace: string;
  readonly name: string;
}

/** What became of moving a run forward; `ended` has the run as it is now, which stays as it is. */
export type MovedRun =
  | { readonly outcome: 'moved' | 'gone' }
  | { readonly outcome: 'ended'; readonly phaseRun: PhaseRun };

/**
 * The PhaseRuns of the cluster, as a store writes them. All methods throw KubeError; while the API server is known to be away
 * those that write, and `find`, throw it at once.
 */
export interface PhaseRunWriter {
  /**
   * Creates the PhaseRun, trying again while the API server is away and the deadline allows. An attempt whose answer
   * was lost may have succeeded: finding the same run under the name is success.
   */
  create(draft: NewPhaseRun, deadline: Deadline): Promise<PhaseRun>;
  /** Puts the result of `store` in the place of that of the run with the same id, unless the run has ended. */
  moveForward(target: PhaseRunName, store: MovingStore, deadline: Deadline): Promise<MovedRun>;
  /** Whether the API server is known to be away; asks it again now and then, for the object, which need not be there. */
  isAway(target: PhaseRunName): Promise<boolean>;
  /** The PhaseRun as it is now. */
  get(target: PhaseRunName, deadline: Deadline): Promise<PhaseRun>;
  /** The run with this id among those that the selector selects. */
  find(
    namespace: string,
    wanted: { readonly labelSelector: string; readonly runId: string },
    deadline: Deadline,
  ): Promise<PhaseRun | undefined>;
  /** The runs that the selector selects, as etcd has them now. It is tried once: one that is away says so at once. */
  list(namespace: string, labelSelector: string, deadline: Deadline): Promise<readonly PhaseRun[]>;
}

/** Five tries within about a second; what lasts longer is an outage, and the client's to wait for. */
const ATTEMPTS = 5;
/** A try that takes longer is given up and made again: the connection may be dead. */
const ATTEMPT_MS = 2_000;
const BACKOFF = { baseMs: 50, maxMs: 800 };

export function createPhaseRunWriter(client: KubeClient): PhaseRunWriter {
  const resource = client.resource<PhaseRun>(PHASE_RUNS);
  const circuit = createCircuit();
  const get = (target: PhaseRunName, deadline: Deadline) =>
    resource.get(target, { timeoutMs: attemptMs(deadline) });
  /** A probe asks for the object itself: to answer that there is none the server has to reach etcd. */
  const pass = (target: PhaseRunName) => circuit.pass(() => resource.get(target, { timeoutMs: ATTEMPT_MS }));
  const persist = async <T>(target: PhaseRunName, deadline: Deadline, attempt: () => Promise<T>) => {
    await pass(target);
    return withRetries(circuit, deadline, attempt);
  };
  return {
    get,
    isAway: (target) =>
      pass(target).then(
        () => false,
        () => true,
      ),
    create: (draft, deadline) =>
      persist(draft.metadata, deadline, () => createOrFind(resource, draft, deadline)),
    moveForward: (target, store, deadline) =>
      persist(target, deadline, async () => {
        const current = await get(target, deadline).catch(undefinedWhenGone);
        if (current?.spec.runId !== store.runId) return { outcome: 'gone' };
        if (!canMove(current, store)) return { outcome: 'ended', phaseRun: current };
        await replaceResult(client, current, store, deadline);
        return { outcome: 'moved' };
      }),
    async find(namespace, { labelSelector, runId }, deadline) {
      const runs = await persist({ namespace, name: runId }, deadline, () =>
        resource.list({ namespace, labelSelector, timeoutMs: attemptMs(deadline) }),
      );
      return runs.find(({ spec }) => spec.runId === runId);
    },
    list: (namespace, labelSelector, deadline) =>
      resource.list({ namespace, labelSelector, timeoutMs: attemptMs(deadline) }),
  };
}

async function createOrFind(
  resource: KubeResource<PhaseRun>,
  draft: NewPhaseRun,
  deadline: Deadline,
): Promise<PhaseRun> {
  try {
    return await resource.create({ ...draft }, { timeoutMs: attemptMs(deadline) });
  } catch (error) {
    if (!(hasStatus(error, 409) && error.reason === 'AlreadyExists')) throw error;
    const found = await resource.get(draft.metadata, { timeoutMs: attemptMs(deadline) });
    if (found.spec.runId === draft.spec.runId) return found;
    throw error;
  }
}

async function replaceResult(
  client: KubeClient,
  current: PhaseRun,
  store: MovingStore,
  deadline: Deadline,
): Promise<void> {
  await client.request({
    method: 'PATCH',
    path: objectPath(PHASE_RUNS, current.metadata),
    query: { fieldValidation: 'Strict' },
    contentType: 'application/json-patch+json',
    body: draftMove(current, store),
    timeoutMs: attemptMs(deadline),
  });
}

function attemptMs(deadline: Deadline): number {
  return Math.min(ATTEMPT_MS, deadline.remainingMs());
}

function undefinedWhenGone(error: unknown): undefined {
  if (hasStatus(error, 404)) return undefined;
  throw error;
}

async function withRetries<T>(circuit: Circuit, deadline: Deadline, attempt: () => Promise<T>): Promise<T> {
  const backoff = createBackoff(BACKOFF);
  for (let left = ATTEMPTS - 1; ; left -= 1) {
    try {
      return await attempt();
    } catch (error) {
      const waitMs = waitBefore(error, backoff.next());
      const isLast = waitMs === undefined || left === 0 || waitMs >= deadline.remainingMs();
      if (isUnavailable(error) && isLast) circuit.open(error);
      // What another call found out counts here too.
      if (isLast || (isUnavailable(error) && circuit.isOpen())) throw error;
      await sleep(waitMs);
    }
  }
}

/** Milliseconds to wait before the same call makes sense again; undefined when it never does. */
function waitBefore(error: unknown, backoffMs: number): number | undefined {
  if (!(error instanceof KubeError) || error.reason === 'Unconfigured') return undefined;
  if (error.status === 409 && error.reason === 'Conflict') return backoffMs;
  if (!isUnavailable(error)) return undefined;
  return Math.max(backoffMs, 1000 * (error.retryAfterSeconds ?? 0));
}
