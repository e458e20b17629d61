import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, describe, expect, test } from 'vitest';
import {
  type DashboardFile,
  fillLegend,
  readPanelQueries,
  resolvePromql,
  resolveSql,
} from '../../../hack/observe/panels.ts';
import { PrometheusError, queryPrometheus } from '../../../hack/observe/prometheus-api.ts';
import { ALERT_GROUPS } from '../../../src/observability/rules.ts';
import { ensureReaderRole } from '../../../src/store/reader-role.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { ownKubernetes } from '../../fixtures/kubernetes.ts';
import { ownPrometheus, scraped } from '../../fixtures/prometheus.ts';
import { runLog } from '../../fixtures/run-log/of-test.ts';
import { createWorld } from '../end-to-end/world.ts';
import { analyticsFigures, type Choice, phasesFigures } from './figures.ts';
import { playTraffic } from './traffic.ts';

/** Longer than this file takes: all that happened is within. */
const PERIOD = '1h';

const { url: databaseUrl } = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const world = await createWorld({ kubeconfigPath, databaseUrl });
const [api, controller] = await Promise.all([world.startApi(), world.startController()]);
const prometheus = await ownPrometheus({
  'phaserun-api': [new URL(api.url).host],
  'phaserun-controller': [new URL(controller.url).host],
});
const owner = await connect(databaseUrl);

describe.skipIf(prometheus === undefined)('what is shown after a run', async () => {
  const { url = '' } = prometheus ?? {};
  const tenant = await world.makeTenant();
  const other = await world.makeTenant();
  const stored = (await playTraffic(api, tenant)) + (await playTraffic(api, other));
  await archived(stored);
  await measured();

  const choices: readonly Choice[] = [
    {},
    { repo: `${tenant.owner}/billing`, language: 'python' },
    { repo: `${tenant.owner}/shop`, language: 'javascript' },
  ];

  describe.each(choices)('chosen: %o', (choice) => {
    const figures = phasesFigures(choice);

    test('every panel of Phases has a figure in SQL', () => {
      expect(Object.keys(figures).toSorted()).toEqual(panelsOf('phases'));
    });

    test.each(panelsOf('phases'))('%s is what the rows say', async (panel) => {
      const shown = await show(panel, choice);
      expect(shown.size).toBeGreaterThan(0);
      expect(shown).toEqual(close(await read(figures[panel] ?? '')));
    });
  });

  /** By legend; what is 0 is as good as absent. */
  async function show(panel: string, choice: Choice): Promise<ReadonlyMap<string, number>> {
    const shown = new Map<string, number>();
    for (const { text, legend } of readPanelQueries('phases').filter((query) => query.panel === panel)) {
      for (const { labels, value } of await queryPrometheus(
        url,
        resolvePromql(text, { period: PERIOD, ...choice }),
      ))
        if (value !== 0) shown.set(fillLegend(legend, labels), value);
    }
    return shown;
  }

  test.each(readPanelQueries('control-plane'))(
    '$panel, $legend: Prometheus answers',
    async ({ text, legend }) => {
      const samples = await queryPrometheus(url, resolvePromql(text, { period: PERIOD }));
      const named = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
      for (const { labels } of samples) expect(Object.keys(labels)).toEqual(expect.arrayContaining(named));
    },
  );

  test('panels of the control plane show something, but for what did not happen', async () => {
    const empty = [];
    for (const { panel, text } of readPanelQueries('control-plane')) {
      const samples = await queryPrometheus(url, resolvePromql(text, { period: PERIOD }));
      if (samples.length === 0) empty.push(panel);
    }
    expect(empty).toEqual([]);
  });

  test.each(ALERT_GROUPS.flatMap(({ alerts }) => alerts))('$name: Prometheus answers', async ({ expr }) => {
    await expect(queryPrometheus(url, expr)).resolves.toBeInstanceOf(Array);
  });

  test('API and controller serve a hundred families and more, each explained', async () => {
    const pages = await Promise.all(
      [api, controller].map(async ({ url }) => (await fetch(`${url}/metrics`)).text()),
    );
    const served = new Set(
      pages.flatMap((page) => [...page.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)),
    );
    expect(served.size).toBeGreaterThanOrEqual(100);
    const docs = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');
    expect([...served].filter((name) => !docs.includes(`| \`${name}\` |`))).toEqual([]);
  });

  test('Prometheus refuses what is not PromQL', async () => {
    await expect(queryPrometheus(url, 'sum(up')).rejects.toThrow(PrometheusError);
  });

  describe('to the reader', async () => {
    const reader = await readerOf(databaseUrl);
    const from = new Date(Date.now() - 3_600_000);

    const figures = analyticsFigures(tenant.customerId);

    test('every panel of Analytics has a figure in SQL', () => {
      expect(Object.keys(figures).toSorted()).toEqual(panelsOf('analytics'));
    });

    test.each(readPanelQueries('analytics'))(
      '$panel is what the rows of the customer say',
      async ({ panel, text }) => {
        const customerIds = [tenant.customerId];
        const { rows } = await reader.query(resolveSql(text, { customerIds, from }));
        const { rows: wanted } = await owner.query(figures[panel] ?? '');
        expect(wanted.length).toBeGreaterThan(0);
        expect(rows).toEqual(wanted);
      },
    );

    test('customers are chosen together, too', async () => {
      const customerIds = [tenant.customerId, other.customerId];
      const [query] = readPanelQueries('analytics');
      const { rows } = await reader.query(resolveSql(query?.text ?? '', { customerIds, from }));
      expect(rows).toEqual([{ executions: String(stored) }]);
    });
  });
});

function panelsOf(file: DashboardFile): string[] {
  return [...new Set(readPanelQueries(file).map(({ panel }) => panel))].toSorted();
}

async function read(statement: string): Promise<ReadonlyMap<string, number>> {
  const { rows } = await owner.query<{ legend: string; value: number | null }>(statement);
  return new Map(
    rows.flatMap(({ legend, value }) => (value === null || value === 0 ? [] : [[legend, value]])),
  );
}

/** Both sides compute with doubles, in different orders. */
function close(figures: ReadonlyMap<string, number>): Map<string, unknown> {
  return new Map([...figures].map(([legend, value]) => [legend, expect.closeTo(value, 6)]));
}

/** Waits until all that was acknowledged is a row. */
async function archived(runs: number): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    const { rows } = await owner.query<{ runs: number }>(`
      SELECT (SELECT count(*) FROM scan_executions)::int + (SELECT count(*) FROM validation_executions)::int
        + (SELECT count(*) FROM mitigation_executions)::int AS runs`);
    if (rows[0]?.runs === runs) return;
    await sleep(100);
  }
  throw new Error(`not all of ${runs} runs became rows`);
}

/** Waits until the leader has counted the sessions as they are now, and both processes were scraped after that. */
async function measured(): Promise<void> {
  if (prometheus === undefined) return;
  // A run is counted right after its row is committed.
  const now = Date.now() / 1000 + 1;
  const job = 'phaserun_background_job_last_success_timestamp_seconds{background_job="measure-sessions"}';
  await scraped(prometheus, `${job} > ${now}`);
  await scraped(prometheus, `min(timestamp(up)) > ${now} and min(up) == 1`);
}

async function readerOf(url: string): Promise<Client> {
  const role = {
    name: `reader_${randomBytes(6).toString('hex')}`,
    password: randomBytes(16).toString('hex'),
  };
  await ensureReaderRole(url, role);
  const readerUrl = new URL(url);
  readerUrl.username = role.name;
  readerUrl.password = role.password;
  runLog().addEnvironment({ DATABASE_URL: readerUrl.href });
  afterAll(async () => {
    await owner.query(`DROP OWNED BY ${role.name}; DROP ROLE ${role.name}`);
  });
  return connect(readerUrl.href);
}

/** Closed at the end of the file. */
async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  await client.connect();
  afterAll(() => client.end());
  return client;
}
