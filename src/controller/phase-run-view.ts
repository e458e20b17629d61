import type { PhaseRun, PhaseRunStatus } from '../resources/phase-run.ts';
import { type CachedPhaseRun, leanPhaseRun } from './phase-run-cache.ts';
import { isSettled } from './settled.ts';

/** What the view reads of the informer's cache. */
export interface PhaseRunCache {
  list(): readonly CachedPhaseRun[];
  byIndex(index: 'slot' | 'namespace', value: string): readonly CachedPhaseRun[];
}

/**
 * Knows which PhaseRuns have work left. The cache trails the server: a status written a moment ago may not be in it yet,
 * and would have its run archived a second time, for nothing. So what was written here counts until the cache shows it.
 */
export class PhaseRunView {
  readonly #cache: PhaseRunCache;
  /** Generation whose outcome was written, by uid, until the cache shows it. */
  readonly #written = new Map<string, number>();
  /** Runs whose row was found missing: settled by their status, and to be archived again nevertheless. */
  readonly #missing = new Set<string>();
  #incarnation: string | undefined;

  constructor(cache: PhaseRunCache) {
    this.#cache = cache;
  }

  /** The database whose receipts count. */
  get incarnation(): string | undefined {
    return this.#incarnation;
  }

  /** @returns whether it is another than before, so that every receipt known has lost its worth */
  setIncarnation(incarnation: string): boolean {
    if (incarnation === this.#incarnation) return false;
    this.#incarnation = incarnation;
    this.#written.clear();
    return true;
  }

  hasWork(phaseRun: CachedPhaseRun): boolean {
    const { uid, generation } = phaseRun.metadata;
    if (this.#missing.has(uid)) return true;
    return this.#written.get(uid) !== generation && !isSettled(phaseRun, this.#incarnation);
  }

  unsettledIn(slotKey: string): readonly CachedPhaseRun[] {
    return this.#cache.byIndex('slot', slotKey).filter((phaseRun) => this.hasWork(phaseRun));
  }

  /** Slots with work left: all of them, or those with a run in one namespace. */
  slotsWithWork(namespace?: string): ReadonlySet<string> {
    const phaseRuns =
      namespace === undefined ? this.#cache.list() : this.#cache.byIndex('namespace', namespace);
    const slots = new Set<string>();
    for (const phaseRun of phaseRuns) {
      if (this.hasWork(phaseRun)) slots.add(phaseRun.slot);
    }
    return slots;
  }

  /**
   * This status was written. It counts if it settles the run, which the receipt of another database does not, and as long as
   * the cache does not show it: the event may have come before the answer.
   */
  markWritten(phaseRun: PhaseRun, status: PhaseRunStatus): void {
    const written = leanPhaseRun({ ...phaseRun, status });
    const { uid, generation } = written.metadata;
    this.#missing.delete(uid);
    if (this.#isShownSettled(written)) return;
    if (isSettled(written, this.#incarnation)) this.#written.set(uid, generation);
  }

  #isShownSettled({ metadata: { uid, generation }, slot }: CachedPhaseRun): boolean {
    const shown = this.#cache
      .byIndex('slot', slot)
      .find(({ metadata }) => metadata.uid === uid && metadata.generation === generation);
    return shown !== undefined && isSettled(shown, this.#incarnation);
  }

  /** A row that a receipt vouches for is not there. */
  markMissing({ metadata }: CachedPhaseRun): void {
    this.#written.delete(metadata.uid);
    this.#missing.add(metadata.uid);
  }

  /** The cache shows this state of an object. */
  observe(phaseRun: CachedPhaseRun): void {
    if (isSettled(phaseRun, this.#incarnation)) this.#written.delete(phaseRun.metadata.uid);
  }

  /** The object is gone. */
  forget({ metadata }: CachedPhaseRun): void {
    this.#written.delete(metadata.uid);
    this.#missing.delete(metadata.uid);
  }
}
