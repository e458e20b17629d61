import closeWithGrace from 'close-with-grace';
import { reportFailure } from './failure.ts';
import type { RunningProcess } from './running-process.ts';

/** How long a process may take to finish what is in hand. */
const GRACE_MS = 30_000;

/**
 * Runs a role of the program until SIGTERM or SIGINT, then lets it finish and exits 0. A fault that nobody caught is told
 * on stderr, and ends it likewise, with 1. A second signal or fault, or 30 s of finishing, end it at once with 1. The signal
 * given to `start` aborts when it is told to stop before it has started.
 */
export async function serveUntilSignalled(
  start: (signal: AbortSignal) => Promise<RunningProcess>,
): Promise<never> {
  const stopping = new AbortController();
  const starting = start(stopping.signal);
  const grace = closeWithGrace({ delay: GRACE_MS }, async ({ err }) => {
    if (err !== undefined) reportFailure(err);
    stopping.abort();
    const running = await starting.catch(() => undefined);
    await running?.close();
  });
  try {
    await starting;
  } catch (error) {
    // Else it would end the process with 0, since there is nothing left to do.
    grace.uninstall();
    throw error;
  }
  return new Promise<never>(() => undefined);
}
