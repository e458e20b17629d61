import type { Logger } from 'pino';
import type { KubeClient } from '../kube/client.ts';
import { pause, systemClock } from '../kube/clock.ts';
import {
  createInformer,
  type Informer,
  type InformerEvent,
  type InformerObserver,
} from '../kube/informer.ts';
import { hasStatus, undefinedIfGone } from '../kube/kube-error.ts';
import type { KubeResource } from '../kube/resource.ts';
import { writeStatus } from '../kube/status-writer.ts';
import {
  createWorkQueue,
  type WorkQueue,
  type WorkQueueObserver,
  type WorkResult,
} from '../kube/work-queue.ts';
import { customerOfNamespace, leanNamespace, type Namespace } from '../resources/namespace-binding.ts';
import type { PhaseRun } from '../resources/phase-run.ts';
import type { Tracer } from '../telemetry/tracer.ts';
import { failAbandonedRuns } from './abandoned-runs.ts';
import { expireArchivedRuns, type ReceiptToVerify } from './archived-run-expiry.ts';
import { type BackgroundJob, type BackgroundJobObserver, runJobs } from './background-job.ts';
import type { DoctorObjects } from './doctor/doctor-job.ts';
import { type CachedPhaseRun, leanPhaseRun } from './phase-run-cache.ts';
import { PhaseRunView } from './phase-run-view.ts';
import { checkPolicies } from './policy-check.ts';
import { type ReconcileObserver, type ReconcileTurn, type RunArchive, SlotReconciler } from './reconciler.ts';
import { RunsAtHand } from './runs-at-hand.ts';
import { isSettled } from './settled.ts';
import { StatusLane } from './status-lane.ts';

/** A time in which this controller leads, over one database. */
export interface ControllerTerm {
  /** Names the database: receipts of another one do not count. */
  readonly incarnation: string;
  /** Aborts when it is found that another controller has begun a term, or that the database is another one. */
  readonly over: AbortSignal;
}

/** What the controller asks of Postgres. */
export interface ControllerArchive extends RunArchive {
  /** Makes this controller the one whose writes count, and waits until nothing of the one before is under way. */
  beginTerm(signal: AbortSignal): Promise<ControllerTerm>;
  /** Finds out whether the term is over; its signal says so. */
  checkTerm(): Promise<void>;
  /** Has places of runs drawn from now on be above this one. */
  raiseOrder(above: number): Promise<void>;
  /** Deletes payloads that nothing refers to, but for these digests. */
  sweepPayloads(inUse: readonly string[], signal: AbortSignal): Promise<void>;
  /** Of the given receipts, the runs whose row or tombstone is there. */
  verifyReceipts(receipts: readonly ReceiptToVerify[]): Promise<ReadonlySet<string>>;
}

export interface ControllerObserver extends ReconcileObserver, BackgroundJobObserver {
  informer(resource: string): InformerObserver;
  readonly queue: WorkQueueObserver;
  reconciled(result: 'success' | 'error' | 'requeue', seconds: number): void;
  /** So many statuses wait to be written. */
  statusesWait(count: number): void;
  expired(count: number): void;
  abandoned(): void;
  policyChecked(policy: string, isInPlace: boolean): void;
}

export interface ControllerOptions {
  readonly client: Pick<KubeClient, 'request'>;
  readonly phaseRuns: KubeResource<PhaseRun>;
  readonly namespaces: KubeResource<Namespace>;
  readonly archive: ControllerArchive;
  readonly observer: ControllerObserver;
  readonly tracer: Pick<Tracer, 'begin'>;
  readonly logger: Logger;
  /** Slots whose rows are written at once, and, beside them, statuses. */
  readonly concurrency: number;
  readonly maxArchived: number;
  /** Makes the job that compares objects with rows. */
  readonly doctor: (objects: DoctorObjects) => BackgroundJob;
  /** What else the leader does now and again. */
  readonly jobs: readonly BackgroundJob[];
  /** How long a run may be pending or running. */
  readonly sessionRetentionDays: number;
}

const MINUTE_MS = 60_000;
const REVIEW_REJECTED_MS = 5 * 60_000;
const RETRY_START_MS = 1_000;

/**
 * The controller of PhaseRuns: it watches on every replica, so that a new leader has everything at hand, and acts
 * only while {@link Controller.lead} runs.
 */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #phaseRuns: Informer<CachedPhaseRun>;
  readonly #namespaces: Informer<Namespace>;
  readonly #view: PhaseRunView;
  readonly #atHand = new RunsAtHand();
  /** Of the current term; absent while another replica leads. */
  #queue: WorkQueue | undefined;

  constructor(options: ControllerOptions) {
    this.#options = options;
    const { phaseRuns, namespaces, logger, observer } = options;
    this.#phaseRuns = createInformer<PhaseRun, CachedPhaseRun>({
      resource: phaseRuns,
      transform: leanPhaseRun,
      indexers: {
        slot: ({ slot }) => [slot],
        namespace: ({ metadata }) => [metadata.namespace],
      },
      onEvent: (event) => this.#onPhaseRun(event),
      logger,
      observer: observer.informer('phaseruns'),
    });
    this.#namespaces = createInformer<Namespace, Namespace>({
      resource: namespaces,
      transform: leanNamespace,
      onEvent: (event) => this.#onNamespace(event),
      logger,
      observer: observer.informer('namespaces'),
    });
    this.#view = new PhaseRunView(this.#phaseRuns);
  }

  /** Starts to watch. */
  start(): void {
    this.#namespaces.start();
    this.#phaseRuns.start();
  }

  /** Stops watching; {@link lead} must have ended. */
  async stop(): Promise<void> {
    await Promise.all([this.#phaseRuns.stop(), this.#namespaces.stop()]);
  }

  /** Whether it sees what it is to act on. */
  hasSynced(): boolean {
    return this.#phaseRuns.hasSynced() && this.#namespaces.hasSynced();
  }

  /** Every PhaseRun that it sees. */
  livePhaseRuns(): readonly CachedPhaseRun[] {
    return this.#phaseRuns.list();
  }

  /**
   * Acts as the one controller until the signal aborts, or Postgres says that this term is over; then finishes the rows and statuses
   * that are being written. After a restore or a promotion every receipt is worthless, and the next term archives all runs again.
   */
  async lead(signal: AbortSignal): Promise<void> {
    try {
      await Promise.all([this.#phaseRuns.waitForSync(signal), this.#namespaces.waitForSync(signal)]);
      const over = await this.#beginTerm(signal);
      await this.#actFor(AbortSignal.any([signal, over]));
      if (over.aborted) this.#options.logger.warn({ err: over.reason }, 'this term is over');
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
  }

  /** Acts until the signal aborts. */
  async #actFor(signal: AbortSignal): Promise<void> {
    const { logger, concurrency, observer } = this.#options;
    const queue = createWorkQueue({ logger, observer: observer.queue });
    const reconciler = this.#createReconciler();
    this.#queue = queue;
    this.#enqueue(this.#view.slotsWithWork());
    queue.run({
      concurrency,
      worker: (slot, giveUpTurn) => this.#work(reconciler, slot, { signal, giveUpTurn }),
    });
    await runJobs([...this.#ownJobs(), ...this.#options.jobs], { signal, logger, observer });
    this.#queue = undefined;
    await queue.shutDown();
  }

  /** The jobs that need what the informers know. */
  #ownJobs(): readonly BackgroundJob[] {
    return [
      { name: 'expire-phase-runs', intervalMs: 1_000, run: (signal) => this.#expire(signal) },
      { name: 'check-term', intervalMs: 5_000, run: () => this.#options.archive.checkTerm() },
      { name: 'check-policies', intervalMs: MINUTE_MS, run: () => this.#checkPolicies() },
      {
        name: 'fail-abandoned-runs',
        intervalMs: 10 * MINUTE_MS,
        run: (signal) => this.#failAbandoned(signal),
      },
      { name: 'sweep-payloads', intervalMs: 10 * MINUTE_MS, run: (signal) => this.#sweepPayloads(signal) },
      this.#options.doctor({
        cached: () => this.#phaseRuns.list(),
        archiveAgain: (phaseRun) => this.#archiveAgain(phaseRun),
      }),
    ];
  }

  #createReconciler(): SlotReconciler {
    const { archive, phaseRuns, observer, tracer, logger, concurrency } = this.#options;
    return new SlotReconciler({
      archive,
      objects: {
        unsettledIn: (slot) => this.#view.unsettledIn(slot),
        markWritten: (phaseRun, status) => this.#view.markWritten(phaseRun, status),
        read: async ({ metadata }) =>
          this.#atHand.take(metadata) ??
          phaseRuns.get(metadata, { notOlderThan: metadata.resourceVersion }).catch(undefinedIfGone),
        writeStatus: (phaseRun, status) => writeStatus(phaseRuns, phaseRun, status),
        customerOf: (namespace) => customerOfNamespace(this.#namespaces.get(namespace)),
      },
      statusLane: new StatusLane(concurrency, (count) => observer.statusesWait(count)),
      observer,
      tracer,
      logger,
      now: () => new Date(),
    });
  }

  async #work(reconciler: SlotReconciler, slot: string, turn: ReconcileTurn): Promise<WorkResult> {
    const { observer } = this.#options;
    const began = performance.now();
    const finish = (result: 'success' | 'error' | 'requeue') =>
      observer.reconciled(result, (performance.now() - began) / 1000);
    try {
      const result = await reconciler.reconcile(slot, turn);
      finish(result === 'conflict' ? 'requeue' : 'success');
      if (result === 'conflict') return 'retry';
      return result === 'waiting' ? { afterMs: REVIEW_REJECTED_MS } : 'done';
    } catch {
      // The reconciler has told of it.
      if (turn.signal.aborted) return 'done';
      finish('error');
      return 'retry';
    }
  }

  #onPhaseRun(event: InformerEvent<CachedPhaseRun, PhaseRun>): void {
    if (event.type === 'deleted') return this.#forget(event.object);
    const { object, raw, initial } = event;
    if (event.type === 'modified' && event.old.metadata.uid !== object.metadata.uid) this.#forget(event.old);
    this.#view.observe(object);
    const hasWork = this.#view.hasWork(object);
    // One that was settled has work again after a restore, or while it is not known which database there is: all have then.
    if (hasWork && !isSettled(object, object.archivedIn)) this.#atHand.keep(raw);
    else this.#atHand.drop(object.metadata);
    if (hasWork) this.#queue?.add(object.slot, initial ? 'low' : 'normal');
  }

  #forget(phaseRun: CachedPhaseRun): void {
    this.#view.forget(phaseRun);
    this.#atHand.drop(phaseRun.metadata);
  }

  /** A binding may have changed: what was rejected for want of one is looked at again. */
  #onNamespace({ type, object }: { type: string; object: Namespace }): void {
    if (type !== 'deleted') this.#enqueue(this.#view.slotsWithWork(object.metadata.name));
  }

  #enqueue(slots: Iterable<string>): void {
    for (const slot of slots) this.#queue?.add(slot, 'low');
  }

  async #beginTerm(signal: AbortSignal): Promise<AbortSignal> {
    const { archive, logger } = this.#options;
    for (;;) {
      try {
        const { incarnation, over } = await archive.beginTerm(signal);
        // A restore takes the sequence back behind what it has given: what is new would be older than what is there.
        if (incarnation !== this.#view.incarnation) await archive.raiseOrder(this.#greatestOrder());
        this.#view.setIncarnation(incarnation);
        return over;
      } catch (error) {
        logger.warn({ err: error }, 'waiting for Postgres');
        await pause(systemClock, RETRY_START_MS, signal);
        signal.throwIfAborted();
      }
    }
  }

  #greatestOrder(): number {
    return this.#phaseRuns
      .list()
      .reduce((greatest, { greatestOrder }) => Math.max(greatest, greatestOrder), 0);
  }

  async #checkPolicies(): Promise<void> {
    const { client, logger, observer } = this.#options;
    for (const [policy, isInPlace] of await checkPolicies(client)) {
      observer.policyChecked(policy, isInPlace);
      if (!isInPlace) logger.error({ policy }, 'an admission policy that guards PhaseRuns is not in force');
    }
  }

  async #failAbandoned(signal: AbortSignal): Promise<void> {
    const { phaseRuns, observer, sessionRetentionDays } = this.#options;
    await failAbandonedRuns(
      {
        phaseRuns: () => this.#phaseRuns.list(),
        fail: async ({ metadata }, errorMessage) => {
          const { namespace, name, resourceVersion } = metadata;
          const result = { status: 'failed', errorMessage };
          await phaseRuns
            .mergePatch({ namespace, name }, { metadata: { resourceVersion }, spec: { result } })
            .catch(undefinedIfMovedOn);
        },
        onAbandoned: () => observer.abandoned(),
        now: () => Date.now(),
        retentionDays: sessionRetentionDays,
      },
      signal,
    );
  }

  /** For a run whose row is not as its receipt says. */
  #archiveAgain(phaseRun: CachedPhaseRun): void {
    this.#view.markMissing(phaseRun);
    this.#queue?.add(phaseRun.slot);
  }

  /** Payloads that a PhaseRun still refers to are spared, archived or not: it may be archived again. */
  async #sweepPayloads(signal: AbortSignal): Promise<void> {
    const inUse = new Set(this.#phaseRuns.list().flatMap(({ payloadSha256 }) => payloadSha256 ?? []));
    await this.#options.archive.sweepPayloads([...inUse], signal);
  }

  async #expire(signal: AbortSignal): Promise<void> {
    const { archive, phaseRuns, observer, maxArchived, logger } = this.#options;
    await expireArchivedRuns(
      {
        phaseRuns: () => this.#phaseRuns.list(),
        incarnation: () => this.#view.incarnation,
        verify: (receipts) => archive.verifyReceipts(receipts),
        // As it was seen: were its row lost to a restore meanwhile, another leader would have written its status.
        remove: async ({ metadata: { namespace, name, uid, resourceVersion } }) => {
          const preconditions = { uid, resourceVersion };
          await phaseRuns.delete({ namespace, name }, { preconditions }).catch(undefinedIfGone);
        },
        onMissing: (phaseRun) => this.#archiveAgain(phaseRun),
        onRemoved: (count) => observer.expired(count),
        logger,
        now: () => Date.now(),
        maxArchived,
      },
      signal,
    );
  }
}

function undefinedIfMovedOn(error: unknown): undefined {
  if (hasStatus(error, 404) || hasStatus(error, 409)) return undefined;
  throw error;
}
