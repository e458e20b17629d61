import { setTimeout as sleep } from 'node:timers/promises';
import { isThere, signalAll, treeOf, untilGone } from '../fixtures/process-tree.ts';

export interface PartOptions {
  /** `api-1`, `postgres`. */
  readonly name: string;
  /** Starts it on the data and the port that it had before, and waits until it serves. */
  readonly launch: () => Promise<{ readonly pid: number }>;
  /** What asks it to end. */
  readonly stopSignal: 'SIGTERM' | 'SIGINT';
  /** Told when it ended though nobody ended it. */
  readonly onCrash: (name: string) => void;
}

const GRACE_MS = 20_000;
const START_WITHIN_MS = 120_000;

/**
 * A process of the world under test that can be ended in every way and started again. Every method may be called in any
 * state: two faults at once may mean the same part.
 */
export class Part {
  readonly name: string;
  readonly #options: PartOptions;
  #pid: number | undefined;
  #frozen: readonly number[] = [];
  #starting: Promise<void> | undefined;
  #abandoned = false;
  #hasRun = false;
  #watching: NodeJS.Timeout | undefined;

  constructor(options: PartOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** Undefined while it does not run. */
  get pid(): number | undefined {
    return this.#pid;
  }

  /** Starts it if it does not run, again and again as a supervisor does. */
  start(): Promise<void> {
    this.#starting ??= this.#startUntilUp().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  /** SIGKILL, to its children as well: what a machine that loses power leaves behind. */
  async kill(): Promise<void> {
    const pid = this.#release();
    if (pid === undefined) return;
    const tree = await treeOf(pid);
    signalAll(tree, 'SIGKILL');
    await untilGone(tree, GRACE_MS);
  }

  /** Asks it to end, and kills it when it does not. Resolves to whether it ended by itself. */
  async stop(): Promise<boolean> {
    this.thaw();
    const pid = this.#release();
    if (pid === undefined) return true;
    const tree = await treeOf(pid);
    signalAll([pid], this.#options.stopSignal);
    if (await untilGone(tree, GRACE_MS)) return true;
    signalAll(tree, 'SIGKILL');
    await untilGone(tree, GRACE_MS);
    return false;
  }

  /** SIGSTOP: it holds its connections and its locks, and does nothing. */
  async freeze(): Promise<void> {
    if (this.#pid === undefined) return;
    this.#frozen = await treeOf(this.#pid);
    signalAll(this.#frozen, 'SIGSTOP');
  }

  thaw(): void {
    signalAll(this.#frozen, 'SIGCONT');
    this.#frozen = [];
  }

  /** Ends it for good: what starts it meanwhile gives up. */
  async abandon(): Promise<void> {
    this.#abandoned = true;
    await this.#starting?.catch(() => undefined);
    await this.stop();
  }

  async #startUntilUp(): Promise<void> {
    for (const deadline = Date.now() + START_WITHIN_MS; this.#pid === undefined && !this.#abandoned; ) {
      try {
        this.#pid = (await this.#options.launch()).pid;
        this.#hasRun = true;
        this.#watch(this.#pid);
      } catch (error) {
        // What has never come up never will.
        if (!this.#hasRun || Date.now() > deadline || this.#abandoned) throw error;
        await sleep(250);
      }
    }
  }

  #watch(pid: number): void {
    clearInterval(this.#watching);
    this.#watching = setInterval(() => void this.#look(pid), 200);
    this.#watching.unref();
  }

  async #look(pid: number): Promise<void> {
    if ((await isThere(pid)) || this.#pid !== pid) return;
    this.#release();
    this.#options.onCrash(this.name);
  }

  /** From here on its end is no surprise. */
  #release(): number | undefined {
    const pid = this.#pid;
    clearInterval(this.#watching);
    this.#pid = undefined;
    this.#frozen = [];
    return pid;
  }
}
