import closeWithGrace from 'close-with-grace';
import type { RunningProcess } from './running-process.ts';

/** How long a process may take to finish what is in hand. */
const GRACE_MS = 30_000;

/**
 * Runs a role of the program until SIGTERM or SIGINT, then lets it finish and exits 0. A second signal, a fault nobody
 * caught, or 30 s of finishing end it at once with 1. The signal given to `start` aborts when it is told to stop before it
 * has started.
 */
export async function serveUntilSignalled(
  start: (signal: AbortSignal) => Promise<RunningProcess>,
): Promise<never> {
  const stopping = new AbortController();
  const starting = start(stopping.signal);
  closeWithGrace({ delay: GRACE_MS }, async () => {
    stopping.abort();
    const running = await starting.catch(() => undefined);
    await running?.close();
  });
  await starting;
  return new Promise<never>(() => undefined);
}
