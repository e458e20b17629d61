/**
 * `npm run bench`: what the product costs, beside the bare calls to the Kubernetes API and to Postgres that it cannot
 * do without. Compare ratios from run to run, not times: floors and ours take turns, so that a busy or slow machine is
 * busy or slow for both.
 */
import { writeFile } from 'node:fs/promises';
import { inspect, parseArgs } from 'node:util';
import { describeMachine, loadAverages, type Machine } from './machine.ts';
import { type Report, renderReport, reportJson, type SectionReport } from './report.ts';
import type { Section } from './section.ts';
import { SECTIONS } from './sections.ts';
import { THIS_PRODUCT, withStack } from './stack.ts';
import { stopSignal } from './stop-signal.ts';

const USAGE = `Usage: npm run bench -- [--quick] [--only a,b] [--json FILE]

Starts kube-apiserver, etcd and Postgres in a temporary directory, with the processes of the product, measures for about
half an hour, prints tables, and leaves nothing behind. Says of each target whether it was met; exits 1 only when a call
fails, 2 when asked for what does not exist.

  --quick       few calls in one or two rounds: to see that it works
  --only a,b    these sections alone
  --json FILE   also write the figures to FILE
  --help        print this

Sections, each on fresh servers:

${SECTIONS.map(({ name, help }) => `  ${name.padEnd(15)} ${help}`).join('\n')}
`;

class UsageError extends Error {}

interface Options {
  readonly quick: boolean;
  readonly sections: readonly Section[];
  readonly json: string | undefined;
}

function readOptions(): Options | 'help' {
  const { values } = parse();
  if (values.help) return 'help';
  return { quick: values.quick, sections: readSections(values.only), json: values.json };
}

function parse() {
  try {
    return parseArgs({
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string' },
        json: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}: see --help`);
  }
}

function readSections(only: string | undefined): readonly Section[] {
  if (only === undefined) return SECTIONS;
  const names = only.split(',');
  const unknown = names.filter((name) => !SECTIONS.some((section) => section.name === name));
  if (unknown.length > 0) throw new UsageError(`there is no section ${unknown.join(', ')}: see --help`);
  return SECTIONS.filter(({ name }) => names.includes(name));
}

async function bench({ quick, sections }: Options, signal: AbortSignal): Promise<Report> {
  const startedAt = new Date();
  const before = loadAverages();
  const reports: SectionReport[] = [];
  let machine: Machine | undefined;
  for (const section of sections) await section.prepare?.({ onProgress: progressOf(section), signal });
  for (const section of sections) {
    const began = performance.now();
    const onProgress = progressOf(section);
    onProgress('starting etcd, kube-apiserver and Postgres, durable as in production');
    const findings = await withStack({ product: THIS_PRODUCT, onProgress, signal }, async (stack) => {
      machine ??= await describeMachine(stack);
      return section.measure(stack, { quick, onProgress });
    });
    reports.push({ name: section.name, seconds: secondsSince(began), ...findings });
  }
  if (machine === undefined) throw new Error('there was nothing to measure');
  const load = { before, after: loadAverages() };
  const seconds = Math.round((Date.now() - startedAt.getTime()) / 1000);
  return { startedAt: startedAt.toISOString(), seconds, quick, machine, load, sections: reports };
}

function secondsSince(began: number): number {
  return Math.round((performance.now() - began) / 1000);
}

/** What is to be told of a failure, and how the process exits. */
function explain(error: unknown, { aborted, reason }: AbortSignal): { message: string; exitCode: number } {
  if (aborted) return { message: String(reason), exitCode: 1 };
  return error instanceof UsageError
    ? { message: error.message, exitCode: 2 }
    : { message: inspect(error), exitCode: 1 };
}

function progressOf({ name }: Section): (message: string) => void {
  return (message) => note(`${name}: ${message}`);
}

function note(message: string): void {
  process.stderr.write(`${message}\n`);
}

async function main(signal: AbortSignal): Promise<void> {
  const options = readOptions();
  if (options === 'help') return void process.stdout.write(USAGE);
  const report = await bench(options, signal);
  process.stdout.write(renderReport(report));
  if (options.json !== undefined) await writeFile(options.json, reportJson(report));
}

const signal = stopSignal();
try {
  await main(signal);
} catch (error) {
  const { message, exitCode } = explain(error, signal);
  note(message);
  process.exitCode = exitCode;
}
