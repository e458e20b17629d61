import type { Logger } from 'pino';
import type { KubeClient } from './client.ts';
import { type Clock, pause, systemClock } from './clock.ts';
import type { ObjectName } from './kube-object.ts';
import { createLeaseLock } from './lease-lock.ts';

/** All in milliseconds; `renewDeadlineMs` must lie well under `leaseDurationMs`, and over twice `retryPeriodMs`. */
export interface LeaseTiming {
  /** How long the others wait after the last renewal that they saw. */
  readonly leaseDurationMs: number;
  /** How long a leader goes on after the last renewal that succeeded. */
  readonly renewDeadlineMs: number;
  /** Between two attempts to renew the lease. */
  readonly retryPeriodMs: number;
  /** Between two looks at a lease that another holds: how long a lease that is given back lies there. */
  readonly standbyPeriodMs: number;
}

/** client-go's defaults, but that who stands by looks more often. */
export const LEASE_TIMING: LeaseTiming = {
  leaseDurationMs: 15_000,
  renewDeadlineMs: 10_000,
  retryPeriodMs: 2_000,
  standbyPeriodMs: 500,
};

export interface LeaderElectionObserver {
  onLeading(isLeading: boolean): void;
}

export interface LeaderElectorOptions {
  readonly client: KubeClient;
  readonly lease: ObjectName;
  /** Must be this process's alone: the pod's name with something random, for a container restarts under the same name. */
  readonly identity: string;
  /**
   * What only the leader does, for as long as it leads. The signal aborts when the leadership is lost, or when it is to be
   * given up: then it should return soon. If it returns or throws by itself, the lease is given up too.
   */
  readonly lead: (signal: AbortSignal) => Promise<void>;
  readonly timing?: LeaseTiming;
  readonly logger: Logger;
  readonly observer?: LeaderElectionObserver;
  readonly clock?: Clock;
}

export interface LeaderElector {
  /** Tries to lead, for ever. To be called once. */
  start(): void;
  /** Lets `lead` finish, keeping the lease meanwhile, then gives the lease back. */
  stop(): Promise<void>;
  /** Whether the lease is surely ours at this moment. */
  isLeading(): boolean;
  /** Identity of the leader, as last seen. */
  leader(): string | undefined;
}

/**
 * One leader at a time among those who name the same Lease, to client-go's rules. A leader that cannot renew stops
 * {@link LeaseTiming.renewDeadlineMs} after it *sent* its last good renewal; the others take over no earlier than
 * {@link LeaseTiming.leaseDurationMs} after they *saw* it: as long as clocks run at about the same speed there are never two.
 */
export function createLeaderElector(options: LeaderElectorOptions): LeaderElector {
  const { client, lease, identity, lead, observer, timing = LEASE_TIMING, clock = systemClock } = options;
  const { leaseDurationMs: durationMs, renewDeadlineMs, retryPeriodMs, standbyPeriodMs } = timing;
  const logger = options.logger.child({ lease: lease.name, identity });
  const timeoutMs = renewDeadlineMs / 2;
  const lock = createLeaseLock({ client, lease, identity, durationMs, timeoutMs, clock });
  const stopping = new AbortController();
  let running: Promise<void> | undefined;
  let leadsUntil: number | undefined;

  async function contend(): Promise<void> {
    while (!stopping.signal.aborted) {
      const claimedAt = clock.now();
      if ((await claim()) === 'ours') await leadFrom(claimedAt);
      // Spread, so that those who wait do not all ask at once; never longer than the period.
      await pause(clock, standbyPeriodMs * (0.75 + Math.random() / 4), stopping.signal);
    }
  }

  async function claim(): Promise<'ours' | 'taken' | 'unknown'> {
    try {
      return (await lock.claim()) ? 'ours' : 'taken';
    } catch (error) {
      logger.warn({ err: error }, 'the lease cannot be taken or renewed');
      return 'unknown';
    }
  }

  async function leadFrom(claimedAt: number): Promise<void> {
    const lapsed = new AbortController();
    const finished = new AbortController();
    const deadline = createDeadline(clock, () => lapsed.abort());
    const extend = (from: number) => {
      leadsUntil = from + renewDeadlineMs;
      deadline.set(leadsUntil);
    };
    extend(claimedAt);
    logger.info('leading');
    observer?.onLeading(true);
    const work = perform(AbortSignal.any([lapsed.signal, stopping.signal])).finally(() => finished.abort());
    await renew(extend, lapsed, finished.signal);
    await work;
    deadline.cancel();
    leadsUntil = undefined;
    logger.info({ lapsed: lapsed.signal.aborted }, 'no longer leading');
    observer?.onLeading(false);
    // After a lapse too: the work has ended, and the last renewal may have arrived after all.
    await lock
      .release()
      .catch((error: unknown) => logger.warn({ err: error }, 'the lease is left to expire'));
  }

  async function perform(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    try {
      await lead(signal);
    } catch (error) {
      if (!signal.aborted)
        logger.error({ err: error }, 'the work of the leader failed, the lease is given up');
    }
  }

  /** Renews until the work has finished or the lease has lapsed. */
  async function renew(
    extend: (from: number) => void,
    lapsed: AbortController,
    finished: AbortSignal,
  ): Promise<void> {
    const over = AbortSignal.any([lapsed.signal, finished]);
    for (;;) {
      await pause(clock, retryPeriodMs, over);
      if (over.aborted) return;
      const sentAt = clock.now();
      const outcome = await claim();
      if (outcome === 'taken') lapsed.abort();
      if (outcome === 'ours' && !over.aborted) extend(sentAt);
    }
  }

  return {
    start() {
      if (running !== undefined) throw new Error('the leader election runs already');
      running = contend();
    },
    async stop() {
      stopping.abort();
      await running;
    },
    isLeading: () => leadsUntil !== undefined && clock.now() < leadsUntil,
    leader: () => lock.holder(),
  };
}

interface Deadline {
  /** Puts the deadline to this moment of the clock. */
  set(at: number): void;
  cancel(): void;
}

function createDeadline(clock: Clock, run: () => void): Deadline {
  let cancel: () => void = () => undefined;
  return {
    set(at) {
      cancel();
      cancel = clock.after(Math.max(0, at - clock.now()), run);
    },
    cancel: () => cancel(),
  };
}
