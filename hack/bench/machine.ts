import { execFile } from 'node:child_process';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { promisify } from 'node:util';
import { sql } from 'slonik';
import { z } from 'zod';
import { readVersion } from '../../src/cli/version.ts';
import type { BenchStack } from './stack.ts';

/** What figures depend on besides the product. */
export interface Machine {
  readonly cpus: number;
  readonly cpuModel: string;
  readonly memoryGiB: number;
  readonly platform: string;
  readonly versions: Readonly<Record<'phaserun' | 'node' | 'kubernetes' | 'etcd' | 'postgres', string>>;
}

/** Processes that ran or waited to, on average over the last 1, 5 and 15 minutes; ours are among them. */
export function loadAverages(): number[] {
  return loadavg().map((load) => Math.round(load * 100) / 100);
}

export async function describeMachine({ assets, kubernetes, database }: BenchStack): Promise<Machine> {
  const version = z.object({ gitVersion: z.string() });
  const { gitVersion } = version.parse(await kubernetes.request({ method: 'GET', path: '/version' }));
  const etcd = await promisify(execFile)(assets.etcd, ['--version']);
  const postgres = await database.pool.one(
    sql.prepared(
      'server_version',
      z.object({ version: z.string() }),
    )`SELECT current_setting('server_version') AS version`,
  );
  return {
    cpus: availableParallelism(),
    cpuModel: cpus()[0]?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform}-${process.arch}`,
    versions: {
      phaserun: readVersion(),
      node: process.versions.node,
      kubernetes: gitVersion,
      etcd: /etcd Version: (\S+)/.exec(etcd.stdout)?.[1] ?? 'unknown',
      postgres: postgres.version,
    },
  };
}
