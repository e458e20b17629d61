/**
 * `hack/smoke`: whether what is stored is counted, to the last test, and what every alert and panel makes of it.
 */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type DevFile, readDevFile } from '../../src/cli/dev-file.ts';
import { REPO, type Smoker, withSmoker } from './smoker.ts';
import { queryNumber } from './prometheus-api.ts';
import { describeAll } from './report.ts';

const HELP = `hack/smoke [--data-dir .phaserun] [--help]

Asks a running \`npm start\` on a machine with Prometheus. With a key that it creates and revokes it stores a validation (3
tests generated, 2 passed, 1 failed) and a mitigation (trust 85) of an issue of their own, waits until Prometheus has
scraped them, and checks that the counters rose by exactly that. Then it prints the four metrics, the state of each
alert, and the value of each panel.

  exit 0   the counters rose by what was sent, and every alert and panel could be evaluated
  exit 1   they did not, or one could not
  exit 2   there is no \`npm start\` to ask, or it has no Prometheus
`;

const SAMPLES = ['07-store-validation-metrics.json', '08-store-mitigation-metrics.json'];
/** What the two samples hold, by the series that counts it. */
const SENT = [
  { name: 'rsolv_validation_executions_total', label: 'status="completed"', sent: 1 },
  { name: 'rsolv_validation_tests_total', label: 'outcome="generated"', sent: 3 },
  { name: 'rsolv_validation_tests_total', label: 'outcome="passed"', sent: 2 },
  { name: 'rsolv_validation_tests_total', label: 'outcome="failed"', sent: 1 },
  { name: 'rsolv_mitigation_executions_total', label: 'status="completed"', sent: 1 },
  { name: 'rsolv_mitigation_trust_score_value_count', label: '', sent: 1 },
  { name: 'rsolv_mitigation_trust_score_value_sum', label: '', sent: 85 },
];
const SCRAPED_WITHIN_MS = 60_000;

interface Running {
  readonly dev: DevFile;
  readonly prometheus: string;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      'data-dir': { type: 'string', default: '.phaserun' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    print(HELP);
    return 0;
  }
  const running = await find(resolve(values['data-dir']));
  if (typeof running === 'string') {
    process.stderr.write(`${running}\n`);
    return 2;
  }
  await scrapedSince(running, 0);
  const before = await count(running);
  const rose = await withSmoker(running.dev, async (smoker) => {
    for (const sample of SAMPLES) await storeSample(running.dev, smoker, sample);
    // A run is counted right after its row is committed, which is what the answer waits for.
    await scrapedSince(running, Date.now() / 1000 + 1);
    return compare(before, await count(running));
  });
  for await (const line of describeAll(running.prometheus, running.dev.readerUrl)) print(line);
  print(
    rose
      ? '\nok: the counters rose by exactly what was sent'
      : '\nFAILED: the counters did not rise by what was sent',
  );
  return rose ? 0 : 1;
}

async function find(dataDirectory: string): Promise<Running | string> {
  const dev = await readDevFile(dataDirectory);
  if (dev === undefined)
    return `There is no ${dataDirectory}/dev.json: run npm start first, or give --data-dir.`;
  const answers = await fetch(`${dev.apiUrl}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  );
  if (!answers) return `Nothing answers at ${dev.apiUrl}: run npm start first.`;
  if (dev.prometheusUrl === undefined)
    return 'npm start found no Prometheus on this machine: install one, and start anew.';
  return { dev, prometheus: dev.prometheusUrl };
}

async function storeSample(dev: DevFile, { apiKey, issueNumber }: Smoker, sample: string): Promise<void> {
  const path = new URL(`../../test/fixtures/samples/${sample}`, import.meta.url);
  const body = { ...JSON.parse(await readFile(path, 'utf8')), repo: REPO, issue_number: issueNumber };
  const response = await fetch(`${dev.apiUrl}/api/v1/phases/store`, {
    method: 'POST',
    headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${sample} was answered ${response.status}: ${text}`);
  print(`stored  ${sample} as issue ${issueNumber} of ${REPO}`);
}

/** Waits until each process was scraped after a time, in seconds; of one that was never, Prometheus knows nothing. */
async function scrapedSince({ prometheus, dev }: Running, time: number): Promise<void> {
  const deadline = Date.now() + SCRAPED_WITHIN_MS;
  const all = `count(timestamp(up) > ${time}) == ${dev.metricsUrls.length}`;
  while ((await queryNumber(prometheus, all)) === undefined) {
    if (Date.now() > deadline) throw new Error('Prometheus does not scrape: see its page Targets');
    await sleep(500);
  }
}

/** In the order of SENT; what has no series yet was counted never. */
function count({ prometheus }: Running): Promise<readonly number[]> {
  return Promise.all(
    SENT.map(async ({ name, label }) => {
      const labels = [`repo="${REPO}"`, label].filter(Boolean).join(', ');
      return (await queryNumber(prometheus, `sum(${name}{${labels}})`)) ?? 0;
    }),
  );
}

function compare(before: readonly number[], after: readonly number[]): boolean {
  const verdicts = SENT.map(({ name, label, sent }, index) => {
    const rose = (after[index] ?? 0) - (before[index] ?? 0);
    print(`${rose === sent ? 'ok    ' : 'FAILED'}  ${name}{${label}} rose by ${rose}, sent were ${sent}`);
    return rose === sent;
  });
  return verdicts.every(Boolean);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return isUsage(error) ? 2 : 1;
});

/** Whether parseArgs does not know what was asked. */
function isUsage(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}
