import { Client } from 'pg';
import { z } from 'zod';
import { COMMITTED_CHANNEL } from '../../src/store/committed-runs.ts';

/** Hears when runs become rows, as an API replica does. */
export interface CommittedRows extends AsyncDisposable {
  /** `performance.now()` when the row of a run was first heard of, by run id, in that order. */
  readonly times: ReadonlyMap<string, number>;
  /**
   * Waits until all of these are rows.
   * @throws Error when for half a minute none became one
   */
  waitFor(runIds: readonly string[], signal: AbortSignal): Promise<void>;
}

const PATIENCE_MS = 30_000;

const notification = z.object({ runId: z.string() });

export async function hearCommittedRows(databaseUrl: string): Promise<CommittedRows> {
  const times = new Map<string, number>();
  const client = new Client({ connectionString: databaseUrl, application_name: 'phaserun-bench-listen' });
  let onRow: (runId: string) => void = () => undefined;
  client.on('notification', ({ payload = '' }) => {
    const now = performance.now();
    const { runId } = notification.parse(JSON.parse(payload));
    if (times.has(runId)) return;
    times.set(runId, now);
    onRow(runId);
  });
  await client.connect();
  await client.query(`LISTEN ${COMMITTED_CHANNEL}`);
  return {
    times,
    async waitFor(runIds, signal) {
      const waiting = new Set(runIds.filter((runId) => !times.has(runId)));
      if (waiting.size === 0) return;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const giveUp = () => reject(new Error(`${waiting.size} runs have not become rows`));
      const timer = setTimeout(giveUp, PATIENCE_MS);
      const stop = () => reject(signal.reason);
      signal.addEventListener('abort', stop);
      onRow = (runId) => {
        if (!waiting.delete(runId)) return;
        timer.refresh();
        if (waiting.size === 0) resolve();
      };
      await promise.finally(() => {
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
        onRow = () => undefined;
      });
    },
    [Symbol.asyncDispose]: () => client.end(),
  };
}
