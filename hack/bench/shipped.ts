import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { z } from 'zod';
import { readEntryPoint } from '../entry-point.ts';
import type { RoleProcess } from './role-process.ts';
import { type BenchStack, THIS_PRODUCT } from './stack.ts';

/** The roles that the chart has pods of. */
type ShippedRole = 'api' | 'controller';

/** The program as it is shipped: what the image holds, started as in a pod of the chart. */
export interface Shipped extends AsyncDisposable {
  start(role: ShippedRole): Promise<RoleProcess>;
}

/** Assembles what the image holds, which goes at the end. */
export async function ship(stack: BenchStack): Promise<Shipped> {
  await using opened = new AsyncDisposableStack();
  const app = await mkdtemp(join(tmpdir(), 'phaserun-shipped-'));
  opened.defer(() => rm(app, { recursive: true }));
  await promisify(execFile)(join(THIS_PRODUCT, 'hack/image'), ['--out', app], { signal: stack.signal });
  const limits = await readMemoryLimits();
  const [, ...args] = readEntryPoint(app);
  const command = (role: ShippedRole) => [
    process.execPath,
    `--max-old-space-size=${limits[role] / 2}`,
    ...args,
    role,
  ];
  const done = opened.move();
  return {
    start: (role) => stack.start(role, {}, command(role)),
    [Symbol.asyncDispose]: () => done.disposeAsync(),
  };
}

/**
 * MiB that the chart allows each. Node lets the heap grow to half of what its container may use, and V8 collects the earlier
 * the less that is; on a machine with no limit it leaves several times as much garbage.
 */
async function readMemoryLimits(): Promise<Readonly<Record<ShippedRole, number>>> {
  const values = await readFile(join(THIS_PRODUCT, 'charts/phaserun/values.yaml'), 'utf8');
  const { api, controller } = chartValues.parse(parse(values));
  return { api: api.resources.limits.memory, controller: controller.resources.limits.memory };
}

const memory = z
  .string()
  .regex(/^\d+[GM]i$/)
  .transform((quantity) => Number.parseInt(quantity, 10) * (quantity.endsWith('Gi') ? 1024 : 1));
const pods = z.object({ resources: z.object({ limits: z.object({ memory }) }) });
const chartValues = z.object({ api: pods, controller: pods });
