import type { ArchivableRun, ArchiveOutcome } from '../domain/run.ts';

/** Transactions of groups at once: with two, Postgres works on one while the other is being put together. */
const AT_ONCE = 2;
/** Runs in one transaction. */
const AT_MOST = 16;
/** Bytes of a payload that would make its neighbours wait. */
const LARGE = 64 * 1024;

/** How runs are archived. */
export interface GroupArchive {
  /** Archives one run by itself. */
  one(run: ArchivableRun): Promise<ArchiveOutcome>;
  /** Archives runs, no two of one slot, in one transaction; undefined for those that are to be archived by themselves. */
  together(runs: readonly ArchivableRun[]): Promise<readonly (ArchiveOutcome | undefined)[]>;
}

/**
 * Archives runs in groups: those that come while transactions are under way share the next one, which costs Postgres and us
 * little more than one run's. Nobody waits for company: a run that comes alone is archived alone, at once.
 */
export class RunGroups {
  readonly #archive: GroupArchive;
  /** In the order in which they came. */
  readonly #waiting = new Set<Waiting>();
  /** Of the runs that have been taken up: two of one slot take turns. */
  readonly #slots = new Set<string>();
  #underWay = 0;

  constructor(archive: GroupArchive) {
    this.#archive = archive;
  }

  /** @throws what the archive threw for the run, or for the group that it was in */
  archive(run: ArchivableRun): Promise<ArchiveOutcome> {
    // The session that it names may be that of any slot: in company it would often be left out.
    if (run.sessionId !== undefined || run.sizeBytes > LARGE) return this.#archive.one(run);
    const { promise, resolve, reject } = Promise.withResolvers<ArchiveOutcome>();
    const slot = `${run.customerId} ${run.slot}`;
    this.#waiting.add({ run, slot, resolve, reject });
    this.#begin();
    return promise.finally(() => {
      this.#slots.delete(slot);
      this.#begin();
    });
  }

  #begin(): void {
    while (this.#underWay < AT_ONCE) {
      const group = this.#take();
      if (group.length === 0) return;
      this.#underWay += 1;
      void this.#work(group).finally(() => {
        this.#underWay -= 1;
        this.#begin();
      });
    }
  }

  #take(): readonly Waiting[] {
    const group: Waiting[] = [];
    for (const waiting of this.#waiting) {
      if (this.#slots.has(waiting.slot)) continue;
      this.#slots.add(waiting.slot);
      this.#waiting.delete(waiting);
      if (group.push(waiting) === AT_MOST) break;
    }
    return group;
  }

  /** Never rejects; does not wait for those that are archived by themselves. */
  async #work(group: readonly Waiting[]): Promise<void> {
    try {
      const outcomes = await this.#archive.together(group.map(({ run }) => run));
      for (const [index, { run, resolve }] of group.entries())
        resolve(outcomes[index] ?? this.#archive.one(run));
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }
}

interface Waiting {
  readonly run: ArchivableRun;
  readonly slot: string;
  readonly resolve: (outcome: ArchiveOutcome | Promise<ArchiveOutcome>) => void;
  readonly reject: (error: unknown) => void;
}
