/**
 * `npm run test:faults`: the promises under faults. Real processes are killed, frozen, cut off and starved while results
 * are stored, and at the end each answer that was given is held against what is there; see checker.ts for how.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect, parseArgs } from 'node:util';
import type { Fault } from './fault.ts';
import { FAULTS } from './faults.ts';
import { PLANTS, type Plant } from './plants.ts';
import { makeReport, type Report, renderReport } from './report.ts';
import { runTrial } from './trial.ts';

const USAGE = `Usage: npm run test:faults -- [--seed N] [--minutes N | --seconds N] [--pause-ms N] [--faults a,b]
                               [--plant NAME] [--soak N] [--keep] [-o table|json]

Starts etcd, kube-apiserver, Postgres, Redis, two API and two controller processes in a temporary directory, stores
results through them while faults come and go, and checks that nothing acknowledged was lost, doubled or put out of
order. Exits 0 when every promise was held, 1 with what was not, 2 when asked for something that does not exist.

  --seed N         of the faults and the load; default 1
  --minutes N      how long faults go on; default 2. Starting, settling and checking add about a minute
  --seconds N      the same, shorter
  --pause-ms N     the longest pause of a runner between two stores; default 1200. Give more where several runs share a machine:
                   what cannot keep up with its load is late for that alone
  --faults a,b     these alone; a name's beginning will do: --faults kill,freeze-leader
  --list           print the faults and the plants
  --plant NAME     put in a bug that has to be found: exits 1 when it was found for the right reason, 3 when not
  --soak N         no faults, but so many results; prints memory, connections and sizes under way
  --keep           leave data and logs where they are, and say where
  -o FORMAT        table or json; default table
  --help           print this
`;

class UsageError extends Error {}

interface Options {
  readonly seed: number;
  readonly seconds: number;
  readonly pauseMs: number;
  readonly faults: readonly Fault[];
  readonly plant: Plant | undefined;
  readonly soakRuns: number | undefined;
  readonly keep: boolean;
  readonly output: 'table' | 'json';
}

function readOptions(): Options | 'help' | 'list' {
  const { values } = parse();
  if (values.help) return 'help';
  if (values.list) return 'list';
  if (values.minutes !== undefined && values.seconds !== undefined)
    throw new UsageError('--minutes and --seconds say the same: give one of them');
  const { output } = values;
  if (output !== 'table' && output !== 'json') throw new UsageError(`-o is table or json, not ${output}`);
  const plant = readPlant(values.plant);
  const minutes = readNumber('--minutes', values.minutes ?? (plant === undefined ? '2' : '0.4'));
  return {
    seed: readNumber('--seed', values.seed),
    seconds: values.seconds === undefined ? 60 * minutes : readNumber('--seconds', values.seconds),
    pauseMs: readNumber('--pause-ms', values['pause-ms']),
    faults: readFaults(values.faults ?? plant?.faults.join(',')),
    plant,
    soakRuns: values.soak === undefined ? undefined : readNumber('--soak', values.soak),
    keep: values.keep,
    output,
  };
}

function parse() {
  try {
    return parseArgs({
      options: {
        seed: { type: 'string', default: '1' },
        minutes: { type: 'string' },
        seconds: { type: 'string' },
        'pause-ms': { type: 'string', default: '1200' },
        faults: { type: 'string' },
        list: { type: 'boolean', default: false },
        plant: { type: 'string' },
        soak: { type: 'string' },
        keep: { type: 'boolean', default: false },
        output: { type: 'string', short: 'o', default: 'table' },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function readNumber(option: string, text: string): number {
  const number = Number(text);
  if (text.trim() !== '' && Number.isFinite(number) && number >= 0) return number;
  throw new UsageError(`${option} is a number, not ${JSON.stringify(text)}`);
}

function readPlant(name: string | undefined): Plant | undefined {
  const plant = PLANTS.find((plant) => plant.name === name);
  if (name === undefined || plant !== undefined) return plant;
  throw new UsageError(
    `there is no plant ${name}; there are ${PLANTS.map((plant) => plant.name).join(', ')}`,
  );
}

function readFaults(list: string | undefined): readonly Fault[] {
  if (list === undefined) return FAULTS;
  return list.split(',').flatMap((wanted) => {
    const exact = FAULTS.filter(({ name }) => name === wanted);
    const found =
      exact.length > 0 ? exact : FAULTS.filter(({ name }) => wanted !== '' && name.startsWith(wanted));
    if (found.length === 0)
      throw new UsageError(`there is no fault ${JSON.stringify(wanted)}; --list prints them`);
    return found;
  });
}

function printList(): void {
  for (const { name, title } of FAULTS) print(`${name.padEnd(24)} ${title}`);
  print('');
  for (const { name, title } of PLANTS) print(`--plant ${name.padEnd(24)} ${title}`);
}

async function main(signal: AbortSignal): Promise<number> {
  const options = readOptions();
  if (options === 'help') return print(USAGE.trimEnd());
  if (options === 'list') return printList() ?? 0;
  const report = await runOnce(options, signal);
  process.stdout.write(
    options.output === 'json' ? `${JSON.stringify(report, null, 2)}\n` : renderReport(report),
  );
  return options.plant === undefined ? exitCode(report) : exitCodeOfPlant(options.plant, report);
}

async function runOnce(options: Options, signal: AbortSignal): Promise<Report> {
  const { seed, seconds, plant, keep } = options;
  const directory = await mkdtemp(join(tmpdir(), 'phaserun-faults-'));
  // Postgres may run as another user, who has to get in.
  await chmod(directory, 0o711);
  const began = Date.now();
  const since = () => `${((Date.now() - began) / 1000).toFixed(0).padStart(5)} s  `;
  try {
    const trial = await runTrial({
      ...options,
      directory,
      signal,
      note: (message) => note(since() + message),
    });
    const again = `npm run test:faults -- ${process.argv.slice(2).join(' ')}`.trimEnd();
    return makeReport(trial, { seed, seconds, plant: plant?.name, again });
  } finally {
    if (keep) note(`data and logs: ${directory}`);
    else await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

function exitCode({ violations, acknowledged, seed }: Report): number {
  if (acknowledged === 0) note('nothing was acknowledged: this run proves nothing');
  else
    note(
      `seed ${seed}: ${violations.length === 0 ? 'every promise was held' : `${violations.length} violations`}`,
    );
  return violations.length === 0 && acknowledged > 0 ? 0 : 1;
}

function exitCodeOfPlant({ name, caughtAs }: Plant, { violations }: Report): number {
  const caught = violations.some(({ kind }) => caughtAs.includes(kind));
  note(`the plant ${name} was ${caught ? 'found' : `NOT found as ${caughtAs.join(' or ')}`}`);
  return caught ? 1 : 3;
}

function note(message: string): void {
  process.stderr.write(`${message}\n`);
}

function print(line: string): 0 {
  process.stdout.write(`${line}\n`);
  return 0;
}

const stopping = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(name, () => stopping.abort(`stopped by ${name}`));
}
try {
  process.exitCode = await main(stopping.signal);
} catch (error) {
  note(error instanceof UsageError ? `${error.message}\n\n${USAGE}` : inspect(error));
  // What did not run to its end has not found its plant.
  const failed = process.argv.some((word) => word.startsWith('--plant')) ? 3 : 1;
  process.exitCode = error instanceof UsageError ? 2 : failed;
}
// All is judged and taken down: a connection that a fault has left half open must not keep the process.
process.exit();
