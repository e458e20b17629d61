import { setTimeout as sleep } from 'node:timers/promises';
import { hasStatus } from '../../src/kube/kube-error.ts';

const PATIENCE_MS = 90_000;

/**
 * For what a fault itself asks of a server that another fault of the same moment may have away: asks again until it is
 * answered.
 * @throws the last error, after a minute and a half
 */
export async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + PATIENCE_MS; ; await sleep(250)) {
    try {
      return await ask();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

/** As {@link patiently}; the status `done` says that an earlier try, whose answer was lost, has done it. */
export function patientlyOnce(ask: () => Promise<unknown>, done: number): Promise<unknown> {
  return patiently(() =>
    ask().catch((error: unknown) => {
      if (!hasStatus(error, done)) throw error;
    }),
  );
}
