/**
 * `npm run bench`: what a store and a retrieve cost, beside the bare calls to the Kubernetes API and to Postgres that
 * they cannot do without. Compare ratios from run to run, not times: floors and ours take turns, so that a busy or
 * slow machine is busy or slow for both.
 */
import { writeFile } from 'node:fs/promises';
import { inspect, parseArgs } from 'node:util';
import { compareInRounds } from './comparison.ts';
import { describeMachine, loadAverages } from './machine.ts';
import { type Report, renderReport } from './report.ts';
import { createRunner } from './runner.ts';
import { withBenchStack } from './stack.ts';
import { MOST_AT_ONCE, prepareWorkload } from './workload.ts';

const USAGE = `Usage: npm run bench -- [--quick] [--json FILE]

Starts kube-apiserver, etcd and Postgres in a temporary directory, with an API and a controller, measures for about
three minutes, prints a table, and leaves nothing behind. Exits 1 when a call fails.

  --quick       a fifth of the calls in fewer rounds: to see that it works
  --json FILE   also write the figures to FILE
  --help        print this
`;

async function bench(options: { readonly quick: boolean; readonly signal: AbortSignal }): Promise<Report> {
  const { quick, signal } = options;
  const startedAt = new Date();
  const before = loadAverages();
  return withBenchStack({ concurrency: MOST_AT_ONCE, onProgress: note, signal }, async (stack) => {
    note('storing what is to be retrieved');
    await using runner = createRunner({
      url: stack.apiUrl,
      apiKey: stack.tenant.apiKey,
      connections: MOST_AT_ONCE,
      signal,
    });
    const comparisons = await prepareWorkload(stack, runner, quick ? 0.2 : 1);
    const rounds = quick ? 2 : 5;
    const onRound = (round: number) =>
      note(round === 0 ? 'a round to get warm' : `round ${round} of ${rounds}`);
    const results = await compareInRounds(comparisons, { rounds, signal, onRound });
    const machine = await describeMachine(stack);
    const seconds = Math.round((Date.now() - startedAt.getTime()) / 1000);
    const load = { before, after: loadAverages() };
    return { startedAt: startedAt.toISOString(), seconds, quick, machine, load, results };
  });
}

function note(message: string): void {
  process.stderr.write(`${message}\n`);
}

async function main(signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void process.stdout.write(USAGE);
  const report = await bench({ quick: values.quick, signal });
  process.stdout.write(renderReport(report));
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
}

const stopping = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(name, () => stopping.abort(`stopped by ${name}`));
}
try {
  await main(stopping.signal);
} catch (error) {
  note(stopping.signal.aborted ? String(stopping.signal.reason) : inspect(error));
  process.exitCode = 1;
}
