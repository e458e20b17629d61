import { sql } from 'slonik';
import { z } from 'zod';
import { PHASES } from '../../../src/domain/phase.ts';
import { type Comparison, type ComparisonResult, compareInRounds } from '../comparison.ts';
import type { Figure } from '../figure.ts';
import { makeHistory } from '../history.ts';
import { type Load, measure, type Sample, summarise } from '../measure.ts';
import { createBodies, type StoreBody } from '../payload.ts';
import { createRunner, type Runner, retrieving, storeKnownIssues, storing } from '../runner.ts';
import type { Section, SectionOptions } from '../section.ts';
import { type BenchStack, THIS_PRODUCT, withStack } from '../stack.ts';

const PAYLOAD_BYTES = 1_000;
const KNOWN_ISSUES = 10;
/** Executions of an issue: some were scanned, proven and fixed again. */
const ROWS_OF_ISSUE = 10;
/** Past what is kept by default. */
const OLD_DAYS = 400;
const KEEP_ALL = { EXECUTION_RETENTION_DAYS: 'forever' };

const STORE_LOADS: readonly Load[] = [
  { concurrency: 1, pauseMs: 0, calls: 100 },
  { concurrency: 8, pauseMs: 0, calls: 240 },
];
const RETRIEVE_LOADS: readonly Load[] = [
  { concurrency: 1, pauseMs: 0, calls: 300 },
  { concurrency: 8, pauseMs: 0, calls: 800 },
];

/** What a call costs in a database that has grown, beside the same product on an empty one, and whether old rows leave in time. */
export const growthSection: Section = {
  name: 'growth',
  help: 'store and retrieve with 1,000,000 executions beside an empty database, and retention while results come in',
  async measure(stack, options) {
    const [rows, old, stores] = options.quick ? [30_000, 20_000, 100] : [1_000_000, 250_000, 600];
    options.onProgress(`making ${rows} executions, and ${old} that are too old`);
    const kept = { repository: 'grown', rows, issues: rows / ROWS_OF_ISSUE, payloadBytes: PAYLOAD_BYTES };
    const queries = await makeHistory(stack, kept);
    await makeHistory(stack, { ...kept, repository: 'old', rows: old, ageDays: OLD_DAYS });
    const calls = await compareWithEmpty(stack, { rows, queries, options });
    const retention = await measureRetention(stack, { concurrency: 8, pauseMs: 0, calls: stores });
    return { calls, figures: [...calls.map(judge), ...retention] };
  },
};

interface Grown {
  readonly rows: number;
  readonly queries: readonly URLSearchParams[];
  readonly options: SectionOptions;
}

/** Both take turns, each with processes and servers of its own. */
function compareWithEmpty(
  stack: BenchStack,
  { rows, queries, options }: Grown,
): Promise<readonly ComparisonResult[]> {
  const { quick, onProgress } = options;
  const { signal } = stack;
  return withStack({ product: THIS_PRODUCT, onProgress, signal }, async (empty) => {
    await using there = await serve(stack);
    await using here = await serve(empty);
    const { forgeNamespace } = empty.tenant;
    const known = await storeKnownIssues(here.runner, {
      forgeNamespace,
      issues: KNOWN_ISSUES,
      payloadBytes: PAYLOAD_BYTES,
    });
    const ofBoth = { payloadBytes: PAYLOAD_BYTES, history: rows };
    const stores = STORE_LOADS.map(
      (load): Comparison => ({
        ...load,
        ...ofBoth,
        ours: storing(there.runner, there.nextBody),
        floors: [storing(here.runner, here.nextBody, 'store, nothing there')],
      }),
    );
    const retrieves = RETRIEVE_LOADS.map(
      (load): Comparison => ({
        ...load,
        ...ofBoth,
        ours: retrieving(there.runner, queries),
        floors: [retrieving(here.runner, known, 'retrieve, nothing else there')],
      }),
    );
    // Awaited here: what is measured ends with this function.
    return await compareInRounds([...stores, ...retrieves], {
      rounds: quick ? 1 : 5,
      share: quick ? 0.2 : 1,
      signal,
      onProgress,
    });
  });
}

function judge({ ours, concurrency, history, ratio }: ComparisonResult): Figure {
  return {
    name: `${ours.name}, ${concurrency} at once, ${history} rows, p50`,
    value: ratio,
    unit: '× as in an empty database',
    target: { atMost: 1.5 },
  };
}

interface Served extends AsyncDisposable {
  readonly runner: Runner;
  readonly nextBody: () => StoreBody;
}

/** The processes of a stack, of which the controller keeps what is too old, and a runner that calls them. */
async function serve(stack: BenchStack): Promise<Served> {
  await using opened = new AsyncDisposableStack();
  const { tenant } = stack;
  const controller = await stack.start('controller', KEEP_ALL);
  opened.defer(() => controller.stop());
  const api = await stack.start('api');
  opened.defer(() => api.stop());
  const connections = Math.max(...RETRIEVE_LOADS.map(({ concurrency }) => concurrency));
  const runner = opened.use(createRunner(stack, { url: api.url, connections }));
  const nextBody = createBodies(tenant.forgeNamespace);
  const done = opened.move();
  return {
    runner,
    nextBody: () => nextBody(PAYLOAD_BYTES),
    [Symbol.asyncDispose]: () => done.disposeAsync(),
  };
}

/** Above the issues of the stores that were measured before. */
const RETENTION_ISSUES = 3_000_000;

/** A controller begins with what is too old as soon as it leads; stores come in meanwhile, before that and after. */
async function measureRetention(stack: BenchStack, load: Load): Promise<Figure[]> {
  const { signal, tenant } = stack;
  const api = await stack.start('api');
  const { concurrency: connections } = load;
  await using runner = createRunner(stack, { url: api.url, connections });
  const nextBody = createBodies(tenant.forgeNamespace, RETENTION_ISSUES);
  const store = storing(runner, () => nextBody(PAYLOAD_BYTES));
  const measureWith = async (settings: Readonly<Record<string, string>>) => {
    const controller = await stack.start('controller', settings);
    const before = await countOld(stack);
    const sample = await measure(store, load, signal);
    const after = await countOld(stack);
    await controller.stop();
    return { sample, left: after.rows, removed: (before.rows - after.rows) / (after.at - before.at) };
  };
  const without = await measureWith(KEEP_ALL);
  const { sample, left, removed } = await measureWith({});
  if (left === 0) throw new Error('all that was too old has gone before the stores were over: no rate');
  const p50Of = (of: Sample) => summarise([of]).p50;
  const arrived = sample.times.length / sample.seconds;
  return [
    { name: 'retention, rows that went', value: removed, unit: 'rows/s' },
    { name: 'retention, results that came', value: arrived, unit: 'runs/s' },
    {
      name: 'retention, what goes of what comes',
      value: removed / arrived,
      unit: '×',
      target: { atLeast: 1 },
    },
    {
      name: `store, ${load.concurrency} at once, p50 while rows go`,
      value: p50Of(sample) / p50Of(without.sample),
      unit: '× as without',
    },
  ];
}

/** How many rows are too old, and when that was, in seconds. */
async function countOld({
  database,
  tenant,
}: BenchStack): Promise<{ readonly rows: number; readonly at: number }> {
  let rows = 0;
  for (const phase of PHASES) {
    const table = sql.identifier([`${phase}_executions`]);
    const { old } = await database.pool.one(sql.prepared(
      `bench_count_old_${phase}`,
      z.object({ old: z.number() }),
    )`
      SELECT count(*) AS old FROM ${table}
      WHERE customer_id = ${tenant.customerId} AND updated_at < now() - interval '365 days'
    `);
    rows += old;
  }
  return { rows, at: performance.now() / 1000 };
}
