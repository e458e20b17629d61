import type { Logger } from 'pino';
import { KubeError } from '../kube/kube-error.ts';
import type { PhaseRunWriter } from '../kube/phase-run-writer.ts';
import type { KubeResource } from '../kube/resource.ts';
import { isRefusal, isUnavailable } from '../kube/retry.ts';
import { type Namespace, namespaceOfCustomer } from '../resources/namespace-binding.ts';
import { listCommittedRuns } from '../store/committed-runs.ts';
import type { Connection } from '../store/database.ts';
import {
  type ClaimedInboxRun,
  claimInboxRuns,
  deletePublishedRun,
  hasDueInboxRuns,
  measureInbox,
  postponeInboxRun,
  quarantineInboxRun,
  releaseInboxRuns,
} from '../store/inbox-claims.ts';
import type { InboxOutcome } from '../telemetry/families/inbox.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { BackgroundJob } from './background-job.ts';
import { publishStore } from './publish-store.ts';

export interface InboxPublisherOptions {
  readonly pool: Connection;
  readonly phaseRuns: PhaseRunWriter;
  readonly namespaces: Pick<KubeResource<Namespace>, 'list'>;
  /** Holds the runs of customers with no namespace of their own. */
  readonly defaultNamespace: string;
  readonly metrics: Pick<Metrics, 'inbox'>;
  readonly logger: Logger;
}

const PUBLISH_INTERVAL_MS = 1_000;
const MEASURE_INTERVAL_MS = 15_000;
/** Slots at once. */
const SLOTS = 16;
/** For the stores of one slot, before the next slots have their turn. */
const SLOT_MS = 5_000;
/** Longer than that and the last attempt with its record can take. */
const LEASE_SECONDS = 30;
const LIST_TIMEOUT_MS = 5_000;
const LONGEST_RETRY_SECONDS = 60;

/** What the leader does for the inbox: it makes PhaseRuns of what is there, slot by slot in order, and measures it. */
export function createInboxJobs(options: InboxPublisherOptions): readonly BackgroundJob[] {
  const { pool, metrics } = options;
  const { runs, bytes, oldestAge } = metrics.inbox;
  return [
    { name: 'publish-inbox', intervalMs: PUBLISH_INTERVAL_MS, run: (signal) => publishAll(options, signal) },
    {
      name: 'measure-inbox',
      intervalMs: MEASURE_INTERVAL_MS,
      async run() {
        const measured = await measureInbox(pool);
        runs.set(measured.runs);
        bytes.set(measured.bytes);
        oldestAge.set(measured.oldestAgeSeconds);
      },
      end() {
        for (const gauge of [runs, bytes, oldestAge]) gauge.set(0);
      },
    },
  ];
}

/**
 * Publishes until nothing is due, the signal aborts, or Kubernetes turns out to be away. Whenever a slot is done another one
 * has its turn: were they taken in rounds, each store would wait for the longest slot, and its runner meanwhile send the next.
 */
async function publishAll(options: InboxPublisherOptions, signal: AbortSignal): Promise<void> {
  const { pool, namespaces, defaultNamespace } = options;
  if (!(await hasDueInboxRuns(pool))) return;
  const known = await namespaces.list({ signal, timeoutMs: LIST_TIMEOUT_MS }).catch(undefinedWhileAway);
  if (known === undefined) return;
  const names = new Set(known.map(({ metadata }) => metadata.name));
  const namespaceOf = ({ namespace, customerId }: ClaimedInboxRun) =>
    namespace !== undefined && names.has(namespace)
      ? namespace
      : (namespaceOfCustomer(known, customerId) ?? defaultNamespace);
  const underWay = new Set<Promise<void>>();
  const ended: { readonly failures: unknown[]; isAway: boolean } = { failures: [], isAway: false };
  const publish = async (stores: readonly ClaimedInboxRun[]) => {
    try {
      const result = await publishSlot(options, stores, { namespaceOf, signal });
      ended.isAway ||= result === 'away';
    } catch (error) {
      ended.failures.push(error);
    }
  };
  while (!signal.aborted && !ended.isAway && ended.failures.length === 0) {
    const free = SLOTS - underWay.size;
    const claims = await claimInboxRuns(pool, { slots: free, leaseSeconds: LEASE_SECONDS });
    for (const stores of claims) {
      const slot = publish(stores).finally(() => underWay.delete(slot));
      underWay.add(slot);
    }
    if (underWay.size === 0) return;
    await Promise.race(underWay);
  }
  await Promise.all(underWay);
  if (ended.failures.length > 0) throw ended.failures[0];
}

/**
 * Publishes stores of one slot one after another, as far as they go and the time of their lease allows. On a busy machine
 * stores of a slot come as fast as this goes, so each waits for one answer of Kubernetes alone.
 * @throws DatabaseError, and then the leases of the claims end by themselves
 */
async function publishSlot(
  options: InboxPublisherOptions,
  stores: readonly ClaimedInboxRun[],
  { namespaceOf, signal }: { namespaceOf: (store: ClaimedInboxRun) => string; signal: AbortSignal },
): Promise<AttemptResult> {
  const { pool } = options;
  const endsAt = performance.now() + SLOT_MS;
  const ids = stores.map(({ storeId }) => storeId);
  const rows = new Set((await listCommittedRuns(pool, ids)).map(({ runId }) => runId));
  const removals: Promise<void>[] = [];
  let result: AttemptResult = 'done';
  let tried = 0;
  for (const store of stores) {
    // A process that was frozen has lost its lease.
    if (result !== 'done' || signal.aborted || performance.now() >= endsAt) break;
    const isRow = rows.has(store.storeId);
    result = await attempt(options, store, { namespace: namespaceOf(store), isRow, removals });
    tried += 1;
  }
  await Promise.all(removals);
  if (tried < stores.length) await releaseInboxRuns(pool, stores.slice(tried));
  return result;
}

/** What became of a store: `done` when it is out of the inbox, `postponed` when those behind it have to wait for it. */
type AttemptResult = 'away' | 'postponed' | 'done';

/** @throws DatabaseError */
async function attempt(
  options: InboxPublisherOptions,
  claim: ClaimedInboxRun,
  { namespace, isRow, removals }: { namespace: string; isRow: boolean; removals: Promise<void>[] },
): Promise<AttemptResult> {
  const { pool, metrics, logger } = options;
  const count = (outcome: InboxOutcome) => metrics.inbox.outcomes.inc({ outcome });
  const named = { customerId: claim.customerId, slot: claim.slot, run: claim.runId };
  try {
    await publishStore(options, claim, { namespace, isRow });
    const removal = deletePublishedRun(pool, claim).then(() => count('published'));
    // Awaited with the others; meanwhile its failure is nobody's.
    removal.catch(() => undefined);
    removals.push(removal);
    return 'done';
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    if (isRefusal(error)) {
      await quarantineInboxRun(pool, claim, {
        namespace,
        message: `Kubernetes refused it: ${error.message}`,
      });
      count('refused');
      logger.error({ err: error, ...named }, 'Kubernetes refuses what the inbox holds: quarantined');
      return 'done';
    }
    const isAway = isUnavailable(error);
    const retryInSeconds = isAway ? 1 : Math.min(2 ** claim.attempt, LONGEST_RETRY_SECONDS);
    await postponeInboxRun(pool, claim, { error: error.message, retryInSeconds });
    count('postponed');
    logger.warn({ err: error, ...named, retryInSeconds }, 'what the inbox holds cannot be published yet');
    return isAway ? 'away' : 'postponed';
  }
}

function undefinedWhileAway(error: unknown): undefined {
  if (isUnavailable(error)) return undefined;
  throw error;
}
