import type { StackProgress } from '../embedded/dev-stack.ts';
import { note } from './output.ts';

/** Tells on stderr how far `dev` has come: a line for each part that is up, and one for each stage of a long part. */
export class DevProgress {
  #lastDetail: string | undefined;

  show({ step, state, detail, elapsedMs }: StackProgress): void {
    if (state === 'done') return this.#done(step, elapsedMs);
    if (state === 'skipped') return note(`  -  ${step}: ${detail}`);
    if (detail === undefined || detail === this.#lastDetail) return;
    this.#lastDetail = detail;
    note(`  …  ${step}: ${detail}`);
  }

  /** Runs one part, and says that it is up and how long it took. */
  async during<T>(step: string, work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    const result = await work();
    this.#done(step, performance.now() - began);
    return result;
  }

  /** The same for a part that the machine may not have. */
  async duringIfThere<T>(step: string, work: () => Promise<T | undefined>): Promise<T | undefined> {
    const began = performance.now();
    const result = await work();
    if (result === undefined) note(`  -  ${step}: this machine has no ${step}`);
    else this.#done(step, performance.now() - began);
    return result;
  }

  #done(step: string, elapsedMs: number): void {
    note(`  ok ${step} (${(elapsedMs / 1000).toFixed(1)} s)`);
  }
}
