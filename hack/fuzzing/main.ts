/**
 * `hack/fuzz-api [--max-examples 50] [--seed 1]`: schemathesis against everything that `dev` runs, all its checks in all its phases.
 * Takes a minute or two, leaves nothing behind but schemathesis itself in the cache, and exits 1 when an answer is a
 * server error, is not as documented, or when less than half of the operations ever answered a 2xx.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureTestAssets } from '../../test/fixtures/assets.ts';
import { startDevProcess } from '../dev-process.ts';
import { judge } from './report.ts';
import { ensureSchemathesis, runSchemathesis } from './schemathesis.ts';

const LIMIT_MS = 600_000;

/** Limits would answer in the place of routes, and a busy machine sheds load. */
const UNLIMITED = {
  RATE_LIMIT_PER_HOUR: '0',
  AUTH_FAILURES_PER_MINUTE: '0',
  MAX_EVENT_LOOP_DELAY_MS: '600000',
};

const { values: options } = parseArgs({
  options: { 'max-examples': { type: 'string', default: '50' }, seed: { type: 'string' } },
});

async function main(signal: AbortSignal): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'phaserun-fuzz-'));
  opened.defer(() => rm(directory, { recursive: true, force: true }));

  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const program = await ensureSchemathesis(cache, signal);
  // Where they have to be built first, `dev` would take longer to start than it is given.
  await ensureTestAssets();
  const dev = await startDevProcess(directory, UNLIMITED);
  opened.defer(() => dev.stop());
  signal.throwIfAborted();

  const report = await runSchemathesis(program, {
    apiUrl: dev.file.apiUrl,
    apiKey: dev.file.apiKey,
    maxExamples: Number(options['max-examples']),
    ...(options.seed !== undefined && { seed: Number(options.seed) }),
    directory,
    signal,
  });
  const { reached, missed, problems } = judge(report);
  for (const operation of reached) print(`2xx     ${operation}`);
  for (const operation of missed) print(`never   ${operation}`);
  for (const problem of problems) print(`FAILED  ${problem}`);
  print(
    `${report.test_cases.generated} requests with seed ${report.seed}; ${reached.length} of ${report.operations.total} operations answered a 2xx`,
  );
  if (problems.length > 0) process.exitCode = 1;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

const stopping = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.once(name, () => stopping.abort(`stopped by ${name}`));
await main(AbortSignal.any([stopping.signal, AbortSignal.timeout(LIMIT_MS)]));
