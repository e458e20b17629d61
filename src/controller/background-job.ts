import type { Logger } from 'pino';
import { pause, systemClock } from '../kube/clock.ts';

/** Work that the leader does now and again, beside reconciling. */
export interface BackgroundJob {
  /** For logs and metrics: kebab-case. */
  readonly name: string;
  readonly intervalMs: number;
  /** One round; it returns early when the signal aborts. A failure is logged, and the next round comes all the same. */
  run(signal: AbortSignal): Promise<void>;
  /** Called once the last round has ended: somebody else may go on from now. */
  end?(): void;
}

export interface BackgroundJobObserver {
  /** The first round of this term is about to begin. */
  jobBegins(name: string, intervalMs: number): void;
  /** A round has ended. */
  jobRan(name: string, ok: boolean): void;
}

/** Runs each job at once, and then again its interval after it ended, until the signal aborts. */
export async function runJobs(
  jobs: readonly BackgroundJob[],
  {
    signal,
    logger,
    observer,
  }: { readonly signal: AbortSignal; readonly logger: Logger; readonly observer: BackgroundJobObserver },
): Promise<void> {
  await Promise.all(
    jobs.map(async (job) => {
      observer.jobBegins(job.name, job.intervalMs);
      while (!signal.aborted) {
        observer.jobRan(job.name, await runOnce(job, signal, logger));
        await pause(systemClock, job.intervalMs, signal);
      }
      job.end?.();
    }),
  );
}

async function runOnce(job: BackgroundJob, signal: AbortSignal, logger: Logger): Promise<boolean> {
  try {
    await job.run(signal);
    return true;
  } catch (error) {
    if (!signal.aborted) logger.warn({ err: error, job: job.name }, 'background job failed, to be run again');
    return false;
  }
}
