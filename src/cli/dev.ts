import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { Command } from 'commander';
import { destination } from 'pino';
import { loadConfig } from '../config.ts';
import { type DevStack, startDevStack } from '../embedded/dev-stack.ts';
import { startPrometheus } from '../embedded/prometheus.ts';
import { packageFile } from '../package-file.ts';
import { createDatabase } from '../store/database.ts';
import { migrate } from '../store/migrate.ts';
import { ensureReaderRole } from '../store/reader-role.ts';
import { createLogger } from '../telemetry/logger.ts';
import { startApi } from './api-process.ts';
import { helpFooter, portNumber } from './arguments.ts';
import { startController } from './controller-process.ts';
import { playDemo } from './demo.ts';
import { type DevFile, readDevFile, writeDevFile } from './dev-file.ts';
import { installPhaseRuns } from './dev-install.ts';
import { DevProgress } from './dev-progress.ts';
import { ensureDevTenant } from './dev-tenants.ts';
import { welcome } from './dev-welcome.ts';
import { note } from './output.ts';
import type { RunningProcess } from './running-process.ts';
import { serveUntilSignalled } from './serve.ts';

interface DevOptions {
  readonly port: number;
  readonly metricsPort: number;
  readonly dataDir: string;
  readonly demo: boolean;
}

/** The customers that `dev` makes; each owns the GitHub namespace of its name. */
const TENANTS = { first: 'acme', second: 'globex' } as const;

/** `dev`: everything on this machine, for trying and developing. */
export function devCommand(): Command {
  return new Command('dev')
    .summary('run everything on this machine, to try it')
    .description(
      'Starts a real kube-apiserver with etcd, Postgres, Redis and Prometheus if the machine has them, the controller and the API, with two ' +
        'customers to try things with. Data stays in the data directory and is found again by the next start. ' +
        'The first start on a machine may have to download or build kube-apiserver, which takes minutes.',
    )
    .option('--port <port>', 'port of the API', portNumber, 8088)
    .option('--metrics-port <port>', "port of the controller's metrics and probes", portNumber, 8089)
    .option('--data-dir <folder>', 'where data, logs and dev.json are kept', '.phaserun')
    .option('--demo', 'play scan, validation and mitigation of a sample repository first', false)
    .addHelpText('after', HELP)
    .action((options: DevOptions) => serveUntilSignalled((signal) => startDev(options, signal)));
}

const READER = 'phaserun_reader';
const RULES = packageFile('manifests/prometheus/rules.yaml');
const SCRAPE_INTERVAL_SECONDS = 5;

const HELP = helpFooter({
  examples: ['phaserun dev', 'phaserun dev --demo', 'phaserun dev --port 9000 --data-dir /tmp/phaserun'],
  environment: {
    KUBEBUILDER_ASSETS:
      'folder with kube-apiserver, etcd and kubectl; default: a cache, filled at the first start',
    LOG_LEVEL: 'level of the log in the data directory; default info',
  },
});

async function startDev(options: DevOptions, signal: AbortSignal): Promise<RunningProcess> {
  const dataDirectory = resolve(options.dataDir);
  await mkdir(dataDirectory, { recursive: true });
  const progress = new DevProgress();
  await using opened = new AsyncDisposableStack();

  const environment = loadConfig();
  const { kubebuilderAssets, cacheDirectory } = environment;
  const stack = await startDevStack({
    dataDirectory,
    onProgress: (step) => progress.show(step),
    environment: { cacheDirectory, ...(kubebuilderAssets === undefined ? {} : { kubebuilderAssets }) },
    signal,
  });
  opened.defer(() => stack.stop());
  signal.throwIfAborted();

  const file = await progress.during('database and tenants', () => prepare(stack, dataDirectory, options));
  const config = {
    ...environment,
    databaseUrl: file.databaseUrl,
    redisUrl: stack.redis?.url,
    kubeconfig: file.kubeconfig,
    host: '127.0.0.1',
    port: options.port,
    metricsPort: options.metricsPort,
  };
  const logPath = join(dataDirectory, 'phaserun.log');
  const logTo = destination({ dest: logPath, sync: false });
  const logger = (name: string) => createLogger({ name, level: environment.logLevel, destination: logTo });
  await progress.during('controller', async () => {
    const controller = await startController(config, logger('controller'));
    opened.defer(() => controller.close());
  });
  const api = await progress.during('api', () => startApi(config, logger('api')));
  opened.defer(() => api.close());

  const prometheus = await progress.duringIfThere('prometheus', () =>
    startPrometheus({
      directory: join(dataDirectory, 'prometheus'),
      targets: scrapeTargets(file),
      rules: RULES,
      scrapeIntervalSeconds: SCRAPE_INTERVAL_SECONDS,
    }),
  );
  if (prometheus !== undefined) opened.defer(() => prometheus.stop());

  const described = { ...file, ...(prometheus !== undefined && { prometheusUrl: prometheus.url }) };
  const path = await writeDevFile(dataDirectory, described);
  if (options.demo) await playDemo(described, stack);
  welcome(described, {
    path,
    logPath,
    ...(stack.assets.kubectl === undefined ? {} : { kubectl: stack.assets.kubectl }),
  });
  const running = opened.move();
  return {
    url: file.apiUrl,
    async close() {
      note('\nStopping…');
      await running.disposeAsync();
      note(`Stopped. The data stays in ${relative(process.cwd(), dataDirectory) || '.'}.`);
    },
  };
}

/** Brings database, cluster and tenants to where the API can serve; what is there already stays. */
async function prepare(
  stack: DevStack,
  dataDirectory: string,
  { port, metricsPort }: DevOptions,
): Promise<DevFile> {
  const databaseUrl = stack.postgres.url;
  await migrate(databaseUrl);
  const known = await readDevFile(dataDirectory);
  const database = await createDatabase({
    url: databaseUrl,
    poolMax: 1,
    applicationName: 'phaserun-dev',
    logger: { info: () => undefined, warn: () => undefined },
  });
  try {
    const first = await ensureDevTenant(database.pool, TENANTS.first, known?.apiKey);
    const second = await ensureDevTenant(database.pool, TENANTS.second, known?.second.apiKey);
    const readerUrl = await ensureReader(databaseUrl, known?.readerUrl);
    await installPhaseRuns(stack.kubernetes.kubeconfigPath, { [TENANTS.first]: first.customerId });
    return {
      apiUrl: `http://127.0.0.1:${port}`,
      apiKey: first.apiKey,
      forgeNamespace: first.forgeNamespace,
      kubeconfig: stack.kubernetes.kubeconfigPath,
      databaseUrl,
      readerUrl,
      namespace: TENANTS.first,
      metricsUrls: [`http://127.0.0.1:${port}/metrics`, `http://127.0.0.1:${metricsPort}/metrics`],
      second: { apiKey: second.apiKey, forgeNamespace: second.forgeNamespace },
    };
  } finally {
    await database.close();
  }
}

/** A login for dashboards, whose password stays what it was. */
async function ensureReader(databaseUrl: string, knownUrl?: string): Promise<string> {
  const password = (knownUrl && new URL(knownUrl).password) || randomBytes(24).toString('base64url');
  const url = new URL(databaseUrl);
  url.username = READER;
  url.password = password;
  await ensureReaderRole(databaseUrl, { name: READER, password });
  return url.href;
}

/** By job, under the names that the chart gives them. */
function scrapeTargets({ metricsUrls: [api, controller] }: DevFile) {
  return { 'phaserun-api': [new URL(api).host], 'phaserun-controller': [new URL(controller).host] };
}
