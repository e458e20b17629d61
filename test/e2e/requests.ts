import { setTimeout as sleep } from 'node:timers/promises';
import type { AskOptions } from './in-pod/ask.ts';
import { startInPod } from './runner-pod.ts';

export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** One request from the runner's pod. */
export function ask(options: AskOptions): Promise<Answer> {
  return startInPod('ask', options).hear<Answer>();
}

const WAIT_MS = 120_000;

/** Tries until it does not throw. @throws {Error} with what it threw last */
export async function until<T>(what: string, attempt: () => Promise<T>, withinMs = WAIT_MS): Promise<T> {
  for (const deadline = performance.now() + withinMs; ; await sleep(250)) {
    try {
      return await attempt();
    } catch (cause) {
      if (performance.now() > deadline)
        throw new Error(`not within ${withinMs / 1_000} s: ${what}`, { cause });
    }
  }
}
