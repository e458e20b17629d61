import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeError } from './kube-error.ts';
import { isUnavailable } from './retry.ts';

/**
 * Remembers that the API server is away, so that in an outage one call finds it out and the others do not wait for
 * it. While it is open a probe, at most once a second, finds out when the server is back.
 */
export interface Circuit {
  /**
   * Waits a moment for a probe when one is due.
   * @throws KubeError at once while it is open: what opened it
   */
  pass(probe: () => Promise<unknown>): Promise<void>;
  open(cause: KubeError): void;
  isOpen(): boolean;
}

const PROBE_INTERVAL_MS = 1_000;
/** A server that is back answers sooner; one that hangs is not waited for. */
const PROBE_WAIT_MS = 100;

export function createCircuit(now: () => number = () => performance.now()): Circuit {
  let cause: KubeError | undefined;
  let probeAt = 0;
  let probing: Promise<void> | undefined;

  async function ask(probe: () => Promise<unknown>): Promise<void> {
    try {
      await probe();
      cause = undefined;
    } catch (error) {
      // Any other answer is one.
      if (!isUnavailable(error)) cause = undefined;
    } finally {
      probeAt = now() + PROBE_INTERVAL_MS;
      probing = undefined;
    }
  }

  return {
    async pass(probe) {
      if (cause === undefined) return;
      if (now() >= probeAt) probing ??= ask(probe);
      if (probing !== undefined) await Promise.race([probing, sleep(PROBE_WAIT_MS)]);
      if (cause !== undefined) throw cause;
    },
    open(error) {
      cause = error;
      probeAt = now() + PROBE_INTERVAL_MS;
    },
    isOpen: () => cause !== undefined,
  };
}
