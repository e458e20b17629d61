import type { Logger } from 'pino';
import type { Forge, Phase } from '../domain/phase.ts';
import type { RunReading } from '../domain/reading.ts';
import { namespacePrefixes, parseRepositoryName } from '../domain/repository-name.ts';
import type { ArchivableRun, ArchivedRun, ArchiveOutcome, RepositoryName } from '../domain/run.ts';
import { keyOf } from '../kube/kube-object.ts';
import type { GiveUpTurn } from '../kube/work-queue.ts';
import type { StatusWriteResult } from '../kube/status-writer.ts';
import { TERMINAL_REJECTIONS } from '../resources/conditions.ts';
import { TRACEPARENT_ANNOTATION } from '../resources/annotations.ts';
import type { PhaseRun, PhaseRunStatus } from '../resources/phase-run.ts';
import { traceIdOf } from '../telemetry/trace-parent.ts';
import { type Span, type Tracer, traced } from '../telemetry/tracer.ts';
import { interpretPhaseRun, type MeasuredRun, Rejection } from './interpret.ts';
import { bySlotOrder, type CachedPhaseRun } from './phase-run-cache.ts';
import { runIdOf } from './run-id.ts';
import { archivedStatus, rejectedStatus } from './status.ts';
import type { StatusLane } from './status-lane.ts';

/** Names a payload by digest, and the run that refers to it. */
export interface PayloadReference {
  readonly customerId: string;
  readonly runId: string;
  readonly phase: Phase;
  /** Hex. */
  readonly sha256: string;
}

/** What the reconciler asks of Postgres. */
export interface RunArchive {
  /** @throws while Postgres is known to be away */
  reach(): Promise<void>;
  archive(run: ArchivableRun): Promise<ArchiveOutcome>;
  /** What the payload says that a run refers to; undefined when none is kept under this digest for this customer. */
  findReading(reference: PayloadReference): Promise<RunReading | undefined>;
  /** The customer with a verified account for the forge namespace: the longest verified of its prefixes decides. */
  findOwner(forge: Forge, prefixes: readonly string[]): Promise<string | undefined>;
  /** The customer in whose rows this run is, once it is there. */
  findCustomerOfRun(runId: string): Promise<string | undefined>;
}

/** What the reconciler asks of Kubernetes. */
export interface PhaseRunObjects {
  /** The runs of a slot that have work left, in no order. */
  unsettledIn(slotKey: string): readonly CachedPhaseRun[];
  /** Told that the object has this status now, whoever wrote it. */
  markWritten(phaseRun: PhaseRun, status: PhaseRunStatus): void;
  /** The whole object, payload and all, as it is in the cache or has become since; undefined when it is gone. */
  read(cached: CachedPhaseRun): Promise<PhaseRun | undefined>;
  writeStatus(phaseRun: PhaseRun, status: PhaseRunStatus): Promise<StatusWriteResult>;
  /** The customer a namespace is bound to. */
  customerOf(namespace: string): string | undefined;
}

/** Told of what was committed: metrics, Kubernetes events. Must not throw, and is not waited for. */
export interface ReconcileObserver {
  archived(phaseRun: PhaseRun, run: MeasuredRun, outcome: ArchivedRun): void;
  rejected(phaseRun: PhaseRun, rejection: Rejection): void;
}

export interface ReconcilerDependencies {
  readonly archive: RunArchive;
  readonly objects: PhaseRunObjects;
  readonly statusLane: StatusLane;
  readonly observer: ReconcileObserver;
  readonly tracer: Pick<Tracer, 'begin'>;
  readonly logger: Logger;
  readonly now: () => Date;
}

/** What a slot is reconciled by. */
export interface ReconcileTurn {
  /** Once it aborts nothing new is begun, neither row nor status: that is the next leader's. */
  readonly signal: AbortSignal;
  /** Called when the slot's rows are there and only statuses are left. */
  readonly giveUpTurn: GiveUpTurn;
}

/**
 * Reconciles slots. All runs of a slot that have work left are taken in order, one transaction after another, so that a slot's
 * rows and its session move in the order of its runs. Their statuses follow in a lane of their own.
 *
 * Level-based: what it does depends on the objects and rows as they are, so that running it twice, late or
 * after a crash between any two steps ends in the same rows.
 */
export class SlotReconciler {
  readonly #dependencies: ReconcilerDependencies;

  constructor(dependencies: ReconcilerDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * @returns `conflict` when an object had changed meanwhile, and the slot should be taken again; `waiting` when a run was
   *   rejected for something around it, which may change without notice
   * @throws what Postgres or Kubernetes threw: the slot is to be retried later, and of a run that Postgres failed no later
   *   one was touched
   */
  async reconcile(slotKey: string, turn: ReconcileTurn): Promise<'done' | 'conflict' | 'waiting'> {
    const statuses: Promise<RunResult>[] = [];
    let isShown: boolean;
    try {
      isShown = await this.#archiveAll(slotKey, turn, statuses);
    } finally {
      turn.giveUpTurn(() => this.#dependencies.statusLane.hurry(slotKey));
      await Promise.allSettled(statuses);
    }
    const results = await Promise.all(statuses);
    if (!isShown || results.includes('conflict')) return 'conflict';
    return results.includes('waiting') ? 'waiting' : 'done';
  }

  /**
   * Archives the runs of a slot, one after another, and has the status of each written: in the lane, but for rejections, whose
   * reason a client waits for. After a status that failed no more runs are begun.
   * @returns false when one has become another than the cache shows, and with it perhaps its place in the slot: that one and
   *   those behind it are left
   */
  async #archiveAll(
    slotKey: string,
    { signal }: ReconcileTurn,
    statuses: Promise<RunResult>[],
  ): Promise<boolean> {
    const { objects, statusLane } = this.#dependencies;
    const failures: unknown[] = [];
    for (const cached of objects.unsettledIn(slotKey).toSorted(bySlotOrder)) {
      signal.throwIfAborted();
      if (failures.length > 0) return true;
      const verdict = await this.#judge(cached, signal);
      if (verdict === 'gone') continue;
      if (verdict === 'changed') return false;
      const write = () => this.#conclude(verdict, signal);
      if (verdict.rejection === undefined) {
        const { done } = await statusLane.enter(slotKey, write);
        statuses.push(done);
        done.catch((error: unknown) => failures.push(error));
      } else {
        const written = write();
        statuses.push(written);
        await written;
      }
    }
    return true;
  }

  async #judge(cached: CachedPhaseRun, signal: AbortSignal): Promise<Verdict | 'gone' | 'changed'> {
    const phaseRun = await this.#read(cached, signal);
    if (phaseRun === undefined) return 'gone';
    if (phaseRun.metadata.resourceVersion !== cached.metadata.resourceVersion) return 'changed';
    const trace = this.#beginTrace(phaseRun);
    try {
      // Many wait in the lane, which a payload each would make heavy.
      return { ...(await this.#archiveOrReject(phaseRun, trace)), phaseRun: withoutPayload(phaseRun), trace };
    } catch (error) {
      throw endTrace(trace, error, signal);
    }
  }

  /** While Postgres is away nothing is read: each retry would ask the API server for what cannot be archived. */
  async #read(cached: CachedPhaseRun, signal: AbortSignal): Promise<PhaseRun | undefined> {
    const { archive, objects, logger } = this.#dependencies;
    try {
      await archive.reach();
      return await objects.read(cached);
    } catch (error) {
      const phaserun = keyOf(cached.metadata);
      if (!signal.aborted) logger.warn({ err: error, phaserun }, FAILED);
      throw error;
    }
  }

  /** In the trace of the request that stored the run; of an applied one that names none, in one of its own. */
  #beginTrace({ metadata }: PhaseRun): RunTrace {
    const phaserun = keyOf(metadata);
    const span = this.#dependencies.tracer.begin('reconcile PhaseRun', {
      parent: metadata.annotations?.[TRACEPARENT_ANNOTATION],
      kind: 'consumer',
      attributes: { 'phaserun.name': phaserun },
    });
    const traceId = traceIdOf(span.traceparent);
    return { span, logger: this.#dependencies.logger.child({ phaserun, traceId }) };
  }

  async #archiveOrReject(
    phaseRun: PhaseRun,
    trace: RunTrace,
  ): Promise<Pick<Verdict, 'status' | 'rejection'>> {
    try {
      return { status: await this.#archive(phaseRun, trace) };
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      trace.logger.info({ reason: error.reason }, 'PhaseRun rejected');
      return { status: rejectedStatus(phaseRun, error, this.#dependencies.now()), rejection: error };
    }
  }

  async #archive(phaseRun: PhaseRun, { span, logger }: RunTrace): Promise<PhaseRunStatus> {
    const { archive, observer, tracer, now } = this.#dependencies;
    const run = await this.#prepare(phaseRun);
    const parent = span.traceparent;
    const outcome = await traced(tracer, 'archive transaction', { parent }, () => archive.archive(run));
    if (outcome.disposition === 'rejected') throw new Rejection(outcome.reason, outcome.message);
    if (outcome.disposition === 'quarantined') {
      throw new Rejection(
        'Quarantined',
        `Postgres refused the content (${outcome.sqlstate}): ${outcome.message}`,
      );
    }
    observer.archived(phaseRun, run, outcome);
    const { disposition, executionId, session } = outcome;
    logger.debug({ disposition, executionId, session: session?.id }, 'PhaseRun archived');
    return archivedStatus(phaseRun, run, outcome, now());
  }

  async #prepare(phaseRun: PhaseRun): Promise<MeasuredRun> {
    const { spec } = phaseRun;
    const repository = parseRepositoryName(spec.forge, spec.repo);
    if (!repository.ok) throw new Rejection('InvalidRepository', `spec.repo: ${repository.message}`);
    const customerId = await this.#findCustomer(phaseRun, repository.value);
    const { phase } = spec;
    const { dataRef } = spec.result;
    const runId = spec.runId ?? phaseRun.metadata.uid;
    const referred =
      dataRef === undefined
        ? undefined
        : await this.#dependencies.archive.findReading({ customerId, runId, phase, sha256: dataRef.sha256 });
    return interpretPhaseRun(phaseRun, {
      customerId,
      repository: repository.value,
      ...(referred === undefined ? {} : { referred }),
    });
  }

  /**
   * Whose run this is. A run that the API made says so itself, and was authorised when it was acknowledged; an
   * applied one belongs to whom its namespace is bound to, or was when its row was first written.
   */
  async #findCustomer(phaseRun: PhaseRun, repository: RepositoryName): Promise<string> {
    const { spec, metadata } = phaseRun;
    const { archive, objects } = this.#dependencies;
    if (spec.customerId !== undefined) return spec.customerId;
    // Asked of the rows and not of the receipt, which a crash may have kept from being written.
    const known = await archive.findCustomerOfRun(runIdOf(phaseRun));
    if (known !== undefined) return known;
    const bound = objects.customerOf(metadata.namespace);
    if (bound === undefined) {
      throw new Rejection(
        'NamespaceNotBound',
        `namespace ${metadata.namespace} is bound to no customer: a cluster admin binds it with ` +
          `\`phaserun admin namespace bind ${metadata.namespace} --customer NAME\``,
      );
    }
    const owner = await archive.findOwner(repository.forge, namespacePrefixes(repository.namespace));
    if (owner === bound) return bound;
    throw new Rejection(
      'ForgeAccountNotVerified',
      `the customer of namespace ${metadata.namespace} has no verified ${repository.forge} account for ` +
        `${repository.namespace}: \`phaserun admin forge-account list\` shows which it has`,
    );
  }

  /** Has the object say what was found, and tells of a rejection once it does. */
  async #conclude(verdict: Verdict, signal: AbortSignal): Promise<RunResult> {
    const { phaseRun, rejection, trace } = verdict;
    try {
      signal.throwIfAborted();
      const written = await this.#write(verdict);
      const result = written === 'conflict' ? 'conflict' : resultOf(rejection);
      if (written === 'written' && rejection !== undefined)
        this.#dependencies.observer.rejected(phaseRun, rejection);
      trace.span.end({ attributes: { 'phaserun.result': result } });
      return result;
    } catch (error) {
      throw endTrace(trace, error, signal);
    }
  }

  async #write({ phaseRun, status, trace }: Verdict): Promise<StatusWriteResult> {
    const { objects, tracer } = this.#dependencies;
    const written = await traced(tracer, 'write status', { parent: trace.span.traceparent }, () =>
      objects.writeStatus(phaseRun, status),
    );
    if (written === 'written' || written === 'unchanged') objects.markWritten(phaseRun, status);
    return written;
  }
}

/** What was found of a run: its row is there, or it is rejected. */
interface Verdict {
  /** Without its payload. */
  readonly phaseRun: PhaseRun;
  readonly status: PhaseRunStatus;
  readonly rejection?: Rejection;
  readonly trace: RunTrace;
}

/** Where what is done for a run is noted. */
interface RunTrace {
  readonly span: Span;
  readonly logger: Logger;
}

/** What became of one run: nothing is left to do, its object had changed under the status write, or its surroundings have to. */
type RunResult = 'settled' | 'conflict' | 'waiting';

const FAILED = 'reconcile failed, to be retried';

/** Also without what repeats it: what kubectl notes of an object that it applied. */
function withoutPayload({ metadata, spec, ...phaseRun }: PhaseRun): PhaseRun {
  const { data: _data, dataGzip: _dataGzip, ...result } = spec.result;
  const { annotations: _annotations, managedFields: _managedFields, ...identity } = metadata;
  return { ...phaseRun, metadata: identity, spec: { ...spec, result } };
}

function resultOf(rejection: Rejection | undefined): RunResult {
  return rejection === undefined || TERMINAL_REJECTIONS.has(rejection.reason) ? 'settled' : 'waiting';
}

/** @returns the error, to be thrown */
function endTrace({ span, logger }: RunTrace, error: unknown, signal: AbortSignal): unknown {
  // What is left to the next leader has not failed.
  span.end(signal.aborted ? {} : { error });
  if (!signal.aborted) logger.warn({ err: error }, FAILED);
  return error;
}
