/**
 * `hack/smoke`: whether what is stored is counted, to the last test, and what every alert and panel makes of it.
 */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { type DevFile, readDevFile } from '../../src/cli/dev-file.ts';
import { type Smoker, withSmoker } from './smoker.ts';
import { type DashboardFile, fillLegend, readPanelQueries, resolvePromql, resolveSql } from './panels.ts';
import { listAlerts, queryNumber, queryPrometheus, type Sample } from './prometheus-api.ts';

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
/** What the two samples hold, by the expression that counts it. */
const SENT: Readonly<Record<string, number>> = {
  'rsolv_validation_executions_total{status="completed"}': 1,
  'rsolv_validation_tests_total{outcome="generated"}': 3,
  'rsolv_validation_tests_total{outcome="passed"}': 2,
  'rsolv_validation_tests_total{outcome="failed"}': 1,
  'rsolv_mitigation_executions_total{status="completed"}': 1,
  rsolv_mitigation_trust_score_value_count: 1,
  rsolv_mitigation_trust_score_value_sum: 85,
};
const METRICS = [
  'rsolv_validation_executions_total',
  'rsolv_validation_tests_total',
  'rsolv_mitigation_executions_total',
  'rsolv_mitigation_trust_score_value_sum',
];
const DASHBOARDS: readonly DashboardFile[] = ['phases', 'control-plane', 'analytics'];
const SHOWN = { period: '1d', from: new Date(Date.now() - 86_400_000) };
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
  if (values.help) return print(HELP) ?? 0;
  const running = await find(resolve(values['data-dir']));
  if (typeof running === 'string') {
    process.stderr.write(`${running}\n`);
    return 2;
  }
  const before = await count(running);
  const rose = await withSmoker(running.dev, async (smoker) => {
    for (const sample of SAMPLES) await storeSample(running.dev, smoker, sample);
    await scrapedSince(running, Date.now() / 1000);
    return compare(before, await count(running));
  });
  await printMetrics(running);
  await printAlerts(running);
  for (const dashboard of DASHBOARDS) await printPanels(running, dashboard);
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

async function storeSample(
  dev: DevFile,
  { apiKey, repo, issueNumber }: Smoker,
  sample: string,
): Promise<void> {
  const path = new URL(`../../test/fixtures/samples/${sample}`, import.meta.url);
  const body = { ...JSON.parse(await readFile(path, 'utf8')), repo, issue_number: issueNumber };
  const response = await fetch(`${dev.apiUrl}/api/v1/phases/store`, {
    method: 'POST',
    headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${sample} was answered ${response.status}: ${text}`);
  print(`stored  ${sample} as issue ${issueNumber} of ${repo}`);
}

/** Waits until both processes were scraped after a time, in seconds. */
async function scrapedSince({ prometheus }: Running, time: number): Promise<void> {
  const deadline = Date.now() + SCRAPED_WITHIN_MS;
  while ((await queryNumber(prometheus, `min(timestamp(up)) > ${time}`)) === undefined) {
    if (Date.now() > deadline) throw new Error('Prometheus does not scrape: see its page Targets');
    await sleep(500);
  }
}

async function count({ prometheus }: Running): Promise<ReadonlyMap<string, number>> {
  const counted = new Map<string, number>();
  for (const expression of Object.keys(SENT))
    counted.set(expression, (await queryNumber(prometheus, `sum(${expression})`)) ?? 0);
  return counted;
}

function compare(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): boolean {
  const rows = Object.entries(SENT).map(([expression, sent]) => {
    const rose = (after.get(expression) ?? 0) - (before.get(expression) ?? 0);
    print(`${rose === sent ? 'ok    ' : 'FAILED'}  ${expression} rose by ${rose}, sent were ${sent}`);
    return rose === sent;
  });
  return rows.every(Boolean);
}

async function printMetrics({ prometheus }: Running): Promise<void> {
  print('\nMetrics');
  for (const name of METRICS) {
    for (const { labels, value } of await queryPrometheus(
      prometheus,
      `sum without (job, instance) (${name})`,
    ))
      print(`  ${name}{${describeLabels(labels)}} ${value}`);
  }
}

async function printAlerts({ prometheus }: Running): Promise<void> {
  print('\nAlerts');
  for (const { name, state } of await listAlerts(prometheus)) print(`  ${state.padEnd(8)}  ${name}`);
}

async function printPanels(running: Running, dashboard: DashboardFile): Promise<void> {
  print(`\nDashboard ${dashboard}`);
  const show = dashboard === 'analytics' ? await sqlReader(running.dev) : promqlReader(running.prometheus);
  for (const { panel, legend, text } of readPanelQueries(dashboard))
    print(`  ${panel}: ${(await show.read(text, legend)) || 'no data'}`);
  await show.close();
}

interface PanelReader {
  read(text: string, legend: string): Promise<string>;
  close(): Promise<void>;
}

function promqlReader(prometheus: string): PanelReader {
  const describe = ({ labels, value }: Sample, legend: string) =>
    `${fillLegend(legend, labels)} ${round(value)}`;
  return {
    async read(text, legend) {
      const samples = await queryPrometheus(prometheus, resolvePromql(text, SHOWN));
      return samples.map((sample) => describe(sample, legend)).join(', ');
    },
    close: async () => undefined,
  };
}

async function sqlReader({ readerUrl }: DevFile): Promise<PanelReader> {
  const client = new Client({ connectionString: readerUrl });
  await client.connect();
  const { rows } = await client.query<{ id: string }>('SELECT customer_id AS id FROM analytics_customers');
  const chosen = { ...SHOWN, customerIds: rows.map(({ id }) => id) };
  return {
    async read(text) {
      const result = await client.query<Record<string, unknown>>(resolveSql(text, chosen));
      return result.rows
        .map((row) =>
          Object.entries(row)
            .map(([name, value]) => `${name} ${round(value)}`)
            .join(' '),
        )
        .join('; ');
    },
    close: () => client.end(),
  };
}

function describeLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .filter(([name]) => name !== '__name__')
    .map(([name, value]) => `${name}="${value}"`)
    .join(', ');
}

function round(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'number' ? String(Number(value.toPrecision(4))) : String(value);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = await main();
