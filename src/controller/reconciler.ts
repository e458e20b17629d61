import type { Logger } from 'pino';
import type { Forge, Phase } from '../domain/phase.ts';
import type { RunReading } from '../domain/reading.ts';
import { namespacePrefixes, parseRepositoryName } from '../domain/repository-name.ts';
import type { ArchivableRun, ArchivedRun, ArchiveOutcome, RepositoryName } from '../domain/run.ts';
import { keyOf } from '../kube/kube-object.ts';
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
  readonly observer: ReconcileObserver;
  readonly tracer: Pick<Tracer, 'begin'>;
  readonly logger: Logger;
  readonly now: () => Date;
}

/**
 * Reconciles slots. All runs of a slot that have work left are taken in order, each with one transaction and
 * then one status write, so that a slot's rows and its session move in the order of its runs.
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
   * @throws what Postgres or Kubernetes threw: the slot is to be retried later, and no later run of it was touched
   */
  async reconcile(slotKey: string, signal: AbortSignal): Promise<'done' | 'conflict' | 'waiting'> {
    const results = new Set<RunResult>();
    for (const cached of this.#dependencies.objects.unsettledIn(slotKey).toSorted(bySlotOrder)) {
      signal.throwIfAborted();
      const phaseRun = await this.#read(cached, signal);
      if (phaseRun === undefined) continue;
      // What it has become may have another place in the slot, which the cache has yet to show.
      if (phaseRun.metadata.resourceVersion !== cached.metadata.resourceVersion) return 'conflict';
      results.add(await this.#traceRun(phaseRun, signal));
    }
    if (results.has('conflict')) return 'conflict';
    return results.has('waiting') ? 'waiting' : 'done';
  }

  /** While Postgres is away nothing is read: each retry would ask the API server for what cannot be archived. */
  async #read(cached: CachedPhaseRun, signal: AbortSignal): Promise<PhaseRun | undefined> {
    const { archive, objects, logger } = this.#dependencies;
    try {
      await archive.reach();
      return await objects.read(cached);
    } catch (error) {
      const phaserun = keyOf(cached.metadata);
      if (!signal.aborted) logger.warn({ err: error, phaserun }, 'reconcile failed, to be retried');
      throw error;
    }
  }

  /** Takes a run in the trace of the request that stored it; of an applied one that names none, in one of its own. */
  async #traceRun(phaseRun: PhaseRun, signal: AbortSignal): Promise<RunResult> {
    const { tracer } = this.#dependencies;
    const { metadata } = phaseRun;
    const phaserun = keyOf(metadata);
    const span = tracer.begin('reconcile PhaseRun', {
      parent: metadata.annotations?.[TRACEPARENT_ANNOTATION],
      kind: 'consumer',
      attributes: { 'phaserun.name': phaserun },
    });
    const { traceparent } = span;
    const logger = this.#dependencies.logger.child({ phaserun, traceId: traceIdOf(traceparent) });
    try {
      const result = await this.#reconcileRun(phaseRun, { traceparent, logger });
      span.end({ attributes: { 'phaserun.result': result } });
      return result;
    } catch (error) {
      span.end({ error });
      if (!signal.aborted) logger.warn({ err: error }, 'reconcile failed, to be retried');
      throw error;
    }
  }

  async #reconcileRun(phaseRun: PhaseRun, trace: RunTrace): Promise<RunResult> {
    try {
      return await this.#archive(phaseRun, trace);
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      trace.logger.info({ reason: error.reason }, 'PhaseRun rejected');
      return this.#reject(phaseRun, error, trace);
    }
  }

  async #archive(phaseRun: PhaseRun, trace: RunTrace): Promise<RunResult> {
    const { archive, observer, tracer, now } = this.#dependencies;
    const run = await this.#prepare(phaseRun);
    const parent = trace.traceparent;
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
    trace.logger.debug({ disposition, executionId, session: session?.id }, 'PhaseRun archived');
    const status = archivedStatus(phaseRun, run, outcome, now());
    return (await this.#write(phaseRun, status, trace)) === 'conflict' ? 'conflict' : 'settled';
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

  async #reject(phaseRun: PhaseRun, rejection: Rejection, trace: RunTrace): Promise<RunResult> {
    const { observer, now } = this.#dependencies;
    const written = await this.#write(phaseRun, rejectedStatus(phaseRun, rejection, now()), trace);
    if (written === 'conflict') return 'conflict';
    if (written === 'written') observer.rejected(phaseRun, rejection);
    return TERMINAL_REJECTIONS.has(rejection.reason) ? 'settled' : 'waiting';
  }

  async #write(
    phaseRun: PhaseRun,
    status: PhaseRunStatus,
    { traceparent: parent }: RunTrace,
  ): Promise<StatusWriteResult> {
    const { objects, tracer } = this.#dependencies;
    const written = await traced(tracer, 'write status', { parent }, () =>
      objects.writeStatus(phaseRun, status),
    );
    if (written === 'written' || written === 'unchanged') objects.markWritten(phaseRun, status);
    return written;
  }
}

/** Where what is done for a run is noted. */
interface RunTrace extends Pick<Span, 'traceparent'> {
  readonly logger: Logger;
}

/** What became of one run: nothing is left to do, its object had changed under the status write, or its surroundings have to. */
type RunResult = 'settled' | 'conflict' | 'waiting';
