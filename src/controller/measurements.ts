import type { Connection } from '../store/database.ts';
import { countOpenSessions } from '../store/sessions.ts';
import { measureStoredBytes } from '../store/stored-bytes.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { BackgroundJob } from './background-job.ts';

export interface MeasurementsOptions {
  readonly pool: Connection;
  readonly metrics: {
    readonly product: Pick<Metrics['product'], 'showOpenSessions'>;
    readonly storage: Metrics['storage'];
  };
}

const SESSIONS_INTERVAL_MS = 30_000;
const STORAGE_INTERVAL_MS = 5 * 60_000;

/** What the leader counts in the database for the metrics alone; who does not lead any more shows none of it. */
export function createMeasurements({ pool, metrics }: MeasurementsOptions): readonly BackgroundJob[] {
  const { bytes } = metrics.storage;
  return [
    {
      name: 'measure-sessions',
      intervalMs: SESSIONS_INTERVAL_MS,
      run: async () => metrics.product.showOpenSessions(await countOpenSessions(pool)),
      end: () => metrics.product.showOpenSessions(undefined),
    },
    {
      name: 'measure-storage',
      intervalMs: STORAGE_INTERVAL_MS,
      async run() {
        const measured = await measureStoredBytes(pool);
        bytes.reset();
        for (const { table, bytes: size } of measured) bytes.set({ table }, size);
      },
      end: () => bytes.reset(),
    },
  ];
}
