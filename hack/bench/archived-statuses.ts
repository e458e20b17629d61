import { setTimeout as sleep } from 'node:timers/promises';
import type { ResourceDefinition } from '../../src/kube/resource.ts';
import type { PhaseRun } from '../../src/resources/phase-run.ts';
import { isArchived } from './phase-runs.ts';
import type { BenchStack } from './stack.ts';

/** Sees when runs have a status that says that they are archived. */
export interface ArchivedStatuses extends Disposable {
  /** `performance.now()` when a run was first seen to be archived, by run id. */
  readonly times: ReadonlyMap<string, number>;
  /** @throws Error when not all are archived in half a minute, and what ended the watch */
  waitFor(runIds: readonly string[]): Promise<void>;
}

const WATCH_SECONDS = 600;
const PATIENCE_MS = 30_000;

/** Watches PhaseRuns from now on, and not those that are there. */
export async function watchArchivedStatuses(
  { kubernetes, signal }: BenchStack,
  kind: ResourceDefinition,
): Promise<ArchivedStatuses> {
  const phaseRuns = kubernetes.resource<PhaseRun>(kind);
  const times = new Map<string, number>();
  const stopping = new AbortController();
  const { resourceVersion: now } = await phaseRuns.listPage();
  const watching = watch();
  // Told to whoever waits.
  watching.catch(() => undefined);
  /** The server cuts watches now and then; the next one goes on where the last one ended. */
  async function watch(): Promise<never> {
    const options = {
      timeoutSeconds: WATCH_SECONDS,
      silenceMs: 1000 * WATCH_SECONDS,
      signal: AbortSignal.any([signal, stopping.signal]),
    };
    for (let resourceVersion = now; ; ) {
      for await (const { type, object } of phaseRuns.watch({ ...options, resourceVersion })) {
        ({ resourceVersion } = object.metadata);
        const { runId } = type === 'MODIFIED' ? object.spec : {};
        if (runId !== undefined && isArchived(object) && !times.has(runId))
          times.set(runId, performance.now());
      }
    }
  }
  return {
    times,
    async waitFor(runIds) {
      const patience = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
      const allSeen = async () => {
        while (!runIds.every((runId) => times.has(runId))) await sleep(10, undefined, { signal: patience });
      };
      await Promise.race([watching, allSeen()]);
    },
    [Symbol.dispose]: () => stopping.abort(),
  };
}
