import type { Logger } from 'pino';
import { createInformer, type Informer, type InformerEvent } from '../kube/informer.ts';
import type { KubeResource } from '../kube/resource.ts';
import type { PhaseRun } from '../resources/phase-run.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { observeInformer } from '../telemetry/observers.ts';
import { backlogFull } from './upstream-fault.ts';

/** How much may wait in etcd to become rows, over all replicas. */
export interface BacklogBounds {
  readonly maxRuns: number;
  readonly maxBytes: number;
  /** Ends the counting so long after the last trouble. Default a minute. */
  readonly quietMs?: number;
}

export interface UnarchivedBacklogOptions {
  readonly phaseRuns: KubeResource<PhaseRun>;
  readonly bounds: BacklogBounds;
  readonly metrics: Pick<Metrics, 'store' | 'informer'>;
  readonly logger: Logger;
  /** Told of each place of a slot that is met. */
  readonly onPlace: (place: number) => void;
}

/** What is about to be written. */
export interface Reservation {
  readonly runId: string;
  readonly bytes: number;
}

/** A few numbers of a PhaseRun. */
interface Counted {
  readonly metadata: Pick<PhaseRun['metadata'], 'name' | 'namespace' | 'uid' | 'resourceVersion'>;
  readonly runId: string | undefined;
  /** Undefined: archived, or rejected. */
  readonly bytes: number | undefined;
  readonly place: number;
}

const QUIET_MS = 60_000;
/** For the first count. */
const SYNC_MS = 3_000;
/** A PhaseRun that was written is seen sooner; one whose fate is unknown is given up. */
const RESERVED_MS = 30_000;

/**
 * Counts the PhaseRuns of the cluster that are not archived, while there is trouble and a while longer: each takes room in
 * the etcd that the whole cluster shares. Whoever is about to write one reserves its size before.
 */
export class UnarchivedBacklog {
  readonly #options: UnarchivedBacklogOptions;
  readonly #reserved = new Map<string, { readonly bytes: number; readonly until: number }>();
  #informer: Informer<Counted> | undefined;
  /** Sizes of what is not archived, by key. */
  #sizes = new Map<string, number>();
  #bytes = 0;
  #inTrouble = false;
  #troubledAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #stopping: Promise<void> = Promise.resolve();

  constructor(options: UnarchivedBacklogOptions) {
    this.#options = options;
  }

  get isCounting(): boolean {
    return this.#informer !== undefined;
  }

  /** There is trouble until it is said that there is none. */
  setTrouble(inTrouble: boolean): void {
    this.#inTrouble = inTrouble;
    this.noteTrouble();
  }

  /** A result is not a row in the time that it should be. */
  noteTrouble(): void {
    if (this.#closed) return;
    this.#troubledAt = performance.now();
    this.#informer ??= this.#start();
  }

  /**
   * Makes room for a PhaseRun that nothing but etcd keeps.
   * @throws ProblemError 503 when there is none, or when it is not known in time whether there is
   */
  async reserve(wanted: Reservation): Promise<void> {
    this.noteTrouble();
    const informer = this.#informer;
    const synced = informer?.waitForSync(AbortSignal.timeout(SYNC_MS));
    await synced?.catch(() => {
      throw this.#refuse('How many PhaseRuns are not archived is not known yet; try again in a moment');
    });
    this.#take(wanted);
  }

  /**
   * The same for a PhaseRun that the database has let in: while nothing is counted there is room.
   * @throws ProblemError 503
   */
  reserveIfCounting(wanted: Reservation): void {
    if (this.#informer?.hasSynced() === true) this.#take(wanted);
  }

  /** It was not written. */
  release({ runId }: Pick<Reservation, 'runId'>): void {
    this.#reserved.delete(runId);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stop();
    await this.#stopping;
  }

  #take({ runId, bytes }: Reservation): void {
    const { maxRuns, maxBytes } = this.#options.bounds;
    const now = performance.now();
    let runsAfter = this.#sizes.size + 1;
    let bytesAfter = this.#bytes + bytes;
    for (const [other, reserved] of this.#reserved) {
      if (reserved.until < now) this.#reserved.delete(other);
      else if (other !== runId) {
        runsAfter += 1;
        bytesAfter += reserved.bytes;
      }
    }
    if (runsAfter > maxRuns || bytesAfter > maxBytes) {
      throw this.#refuse(
        `${this.#sizes.size} PhaseRuns with ${this.#bytes} bytes are not archived yet, and ${maxRuns} with ${maxBytes} may be; try again later`,
      );
    }
    this.#reserved.set(runId, { bytes, until: now + RESERVED_MS });
  }

  #refuse(detail: string) {
    this.#options.metrics.store.refusedWithoutDatabase.inc({ reason: 'backlog' });
    return backlogFull(detail);
  }

  #start(): Informer<Counted> {
    const { phaseRuns, metrics, logger, bounds } = this.#options;
    this.#sizes = new Map();
    this.#bytes = 0;
    const informer = createInformer<PhaseRun, Counted>({
      resource: phaseRuns,
      transform: count,
      onEvent: (event) => this.#follow(event),
      logger,
      observer: observeInformer(metrics, phaseRuns.definition.plural),
    });
    informer.start();
    const { quietMs = QUIET_MS } = bounds;
    this.#timer = setInterval(() => {
      const isQuiet = !this.#inTrouble && performance.now() - this.#troubledAt >= quietMs;
      if (isQuiet) this.#stop();
    }, quietMs / 4).unref();
    return informer;
  }

  #stop(): void {
    clearInterval(this.#timer);
    const informer = this.#informer;
    this.#informer = undefined;
    this.#reserved.clear();
    this.#sizes = new Map();
    this.#bytes = 0;
    this.#show();
    if (informer !== undefined) this.#stopping = this.#stopping.then(() => informer.stop());
  }

  #follow({ type, key, object }: InformerEvent<Counted>): void {
    const { runId, bytes, place } = object;
    if (this.#informer === undefined) return;
    this.#bytes -= this.#sizes.get(key) ?? 0;
    this.#sizes.delete(key);
    if (type !== 'deleted' && bytes !== undefined) {
      this.#sizes.set(key, bytes);
      this.#bytes += bytes;
    }
    if (runId !== undefined) this.#reserved.delete(runId);
    this.#options.onPlace(place);
    this.#show();
  }

  #show(): void {
    const { unarchived, unarchivedBytes } = this.#options.metrics.store;
    unarchived.set(this.#sizes.size);
    unarchivedBytes.set(this.#bytes);
  }
}

function count({ metadata, spec, status }: PhaseRun): Counted {
  const { name, namespace, uid, resourceVersion, generation } = metadata;
  const holds = (type: string, value: string) =>
    status?.conditions?.some(
      (condition) =>
        condition.type === type && condition.status === value && condition.observedGeneration === generation,
    ) === true;
  const isSettled = holds('Archived', 'True') || holds('Accepted', 'False');
  const { data, dataGzip, order } = spec.result;
  return {
    metadata: { name, namespace, uid, resourceVersion },
    runId: spec.runId,
    bytes: isSettled ? undefined : (dataGzip?.length ?? Buffer.byteLength(JSON.stringify(data ?? {}))),
    place: Math.max(spec.order ?? 0, order ?? 0),
  };
}
