import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'slonik';
import { z } from 'zod';
import { type Listing, render } from '../../src/cli/output.ts';
import type { History } from './history.ts';
import { residentBytes } from '../fixtures/process-tree.ts';
import { now } from './runner.ts';
import type { World } from './world.ts';

/** What the processes and the stores hold at one moment; bytes. */
export interface Sample {
  readonly seconds: number;
  readonly acknowledged: number;
  /** Resident memory, by process. */
  readonly resident: Readonly<Record<string, number>>;
  readonly postgresConnections: number;
  readonly postgresBytes: number;
  readonly etcdBytes: number;
}

const SAMPLES = 10;
const SETTLE_MS = 15_000;

/** Lets the load go on until so many results were acknowledged, and samples before, ten times under way, and after a rest. */
export async function soak(
  { world, history, over }: { readonly world: World; readonly history: History; readonly over: AbortSignal },
  runs: number,
  note: (message: string) => void,
): Promise<{ readonly samples: readonly Sample[]; readonly last: () => Promise<Sample> }> {
  const from = now();
  const samples: Sample[] = [];
  for (let next = 0; !over.aborted && next <= runs; next += runs / SAMPLES) {
    while (countAcknowledged(history) < next && !over.aborted) await sleep(100);
    const sample = await takeSample(world, history, from);
    samples.push(sample);
    note(`${sample.acknowledged} acknowledged, ${history.violations.length} violations`);
  }
  return {
    samples,
    async last() {
      await sleep(SETTLE_MS);
      return takeSample(world, history, from);
    },
  };
}

function countAcknowledged({ stores }: History): number {
  return stores.reduce((sum, { acks }) => sum + Math.min(1, acks.length), 0);
}

async function takeSample(world: World, history: History, from: number): Promise<Sample> {
  const resident: Record<string, number> = {};
  for (const { part } of [...world.apis, ...world.controllers]) {
    resident[part.name] = await residentBytes(part.pid ?? 0);
  }
  const sizes = z.object({ connections: z.number(), bytes: z.number() });
  const { connections, bytes } = await world.pool.one(sql.type(sizes)`
    SELECT
      (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
      pg_database_size(current_database()) AS bytes
  `);
  const metrics = await (await fetch(`${world.cluster.etcdUrl()}/metrics`)).text();
  const etcdBytes = Number(/^etcd_mvcc_db_total_size_in_bytes (\S+)$/m.exec(metrics)?.[1] ?? Number.NaN);
  return {
    seconds: (now() - from) / 1000,
    acknowledged: countAcknowledged(history),
    resident,
    postgresConnections: connections,
    postgresBytes: bytes,
    etcdBytes,
  };
}

const inMiB = (bytes: number) => Math.round(bytes / 2 ** 20);

export function renderSamples(samples: readonly Sample[]): string {
  const listing: Listing<Sample> = {
    name: ({ acknowledged }) => `sample/${acknowledged}`,
    columns: [
      { header: 'SECONDS', value: ({ seconds }) => Math.round(seconds) },
      { header: 'ACKNOWLEDGED', value: ({ acknowledged }) => acknowledged },
      ...Object.keys(samples[0]?.resident ?? {}).map((name) => ({
        header: `${name.toUpperCase()} MIB`,
        value: ({ resident }: Sample) => inMiB(resident[name] ?? 0),
      })),
      { header: 'PG CONNECTIONS', value: ({ postgresConnections }) => postgresConnections },
      { header: 'PG MIB', value: ({ postgresBytes }) => inMiB(postgresBytes) },
      { header: 'ETCD MIB', value: ({ etcdBytes }) => inMiB(etcdBytes) },
    ],
  };
  return render('table', listing, samples);
}
