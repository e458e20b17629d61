import { measureStoredBytes } from '../../../src/store/stored-bytes.ts';
import type { Figure } from '../figure.ts';
import { measure } from '../measure.ts';
import { createBodies, type StoreBody } from '../payload.ts';
import { CALLERS } from '../phase-runs.ts';
import { createRunner, type Runner, storing } from '../runner.ts';
import type { Section } from '../section.ts';
import type { BenchStack } from '../stack.ts';

/** What results take on the disk of Postgres, by table, with indexes and all that is written beside them. */
export const databaseSection: Section = {
  name: 'database',
  help: 'bytes in the database per result of 1 KB, and of scans of 100 KB and 2.5 MB compared with their JSON',
  async measure(stack, { quick, onProgress }) {
    const { tenant } = stack;
    await stack.start('controller');
    const api = await stack.start('api');
    await using runner = createRunner(stack, { url: api.url, connections: CALLERS });
    const nextBody = createBodies(tenant.forgeNamespace);
    const [small, medium, large] = quick ? [200, 10, 2] : [2_000, 100, 20];
    onProgress(`${small} results of 1 KB`);
    const result = await store(stack, runner, { calls: small, make: () => nextBody(1_000) });
    const figures: Figure[] = [
      { name: 'database, a result of 1 KB', value: (result.rows + result.payloads) / small, unit: 'bytes' },
    ];
    for (const [calls, payloadBytes] of [
      [medium, 100_000],
      [large, 2_500_000],
    ] as const) {
      onProgress(`${calls} scans of ${payloadBytes / 1000} KB`);
      const make = (): StoreBody => ({ ...nextBody(payloadBytes), phase: 'scan' });
      const { rows, payloads, json } = await store(stack, runner, { calls, make });
      const name = `database, a scan of ${payloadBytes / 1000} KB`;
      figures.push(
        { name: `${name}, all that stays`, value: rows / calls, unit: 'bytes' },
        { name: `${name}, its payload that goes after a day`, value: payloads / calls, unit: 'bytes' },
        {
          name: `${name}, saved of its JSON`,
          value: 100 * (1 - rows / json),
          unit: '%',
          target: { atLeast: 70 },
        },
      );
    }
    return { figures };
  },
};

/** Bytes that the database grew by, and those of the JSON that was stored. */
interface Growth {
  readonly rows: number;
  /** Of the table `payloads`: copies that are needed until their runs are rows. */
  readonly payloads: number;
  readonly json: number;
}

async function store(
  stack: BenchStack,
  runner: Runner,
  { calls, make }: { readonly calls: number; readonly make: () => StoreBody },
): Promise<Growth> {
  let json = 0;
  const subject = storing(runner, () => {
    const body = make();
    json += Buffer.byteLength(JSON.stringify(body.data));
    return body;
  });
  const before = await sizes(stack);
  await measure(subject, { calls, concurrency: CALLERS, pauseMs: 0 }, stack.signal);
  const after = await sizes(stack);
  return { rows: after.rows - before.rows, payloads: after.payloads - before.payloads, json };
}

async function sizes({ database }: BenchStack): Promise<Omit<Growth, 'json'>> {
  const tables = await measureStoredBytes(database.pool);
  const sum = (of: typeof tables) => of.reduce((total, { bytes }) => total + bytes, 0);
  return {
    rows: sum(tables.filter(({ table }) => table !== 'payloads')),
    payloads: sum(tables.filter(({ table }) => table === 'payloads')),
  };
}
