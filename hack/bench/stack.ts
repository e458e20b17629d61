import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installPhaseRuns } from '../../src/cli/dev-install.ts';
import { type DevTenant, ensureDevTenant } from '../../src/cli/dev-tenants.ts';
import { startKubernetes } from '../../src/embedded/kubernetes.ts';
import { ensureKubernetesAssets, type KubernetesAssets } from '../../src/embedded/kubernetes-assets.ts';
import { startPostgres } from '../../src/embedded/postgres.ts';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { createDatabase, type Database } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { startRole } from './role-process.ts';
import { installTwinKind } from './twin-kind.ts';

/** The whole product on servers of its own, for one benchmark. */
export interface BenchStack {
  readonly assets: KubernetesAssets;
  readonly tenant: DevTenant;
  /** The Kubernetes namespace that is bound to the tenant. */
  readonly namespace: string;
  readonly apiUrl: string;
  /** The product's own client and pool, for the bare calls. */
  readonly kubernetes: KubeClient;
  readonly database: Database;
}

export interface StackOptions {
  /** Most calls at once. */
  readonly concurrency: number;
  readonly onProgress: (message: string) => void;
  readonly signal: AbortSignal;
}

const TENANT = 'acme';

/** Starts everything, runs the work, and ends and removes everything however that went. */
export async function withBenchStack<T>(
  options: StackOptions,
  work: (stack: BenchStack) => Promise<T>,
): Promise<T> {
  await using opened = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'phaserun-bench-'));
  opened.defer(() => rm(directory, { recursive: true }));
  try {
    return await work(await startStack(directory, options, opened));
  } catch (error) {
    if (!options.signal.aborted) await tellComplaints(directory, options.onProgress);
    throw error;
  }
}

/** The logs go with the directory: what they complain of is told before. */
async function tellComplaints(directory: string, onProgress: (message: string) => void): Promise<void> {
  for (const role of ['controller', 'api']) {
    const log = await readFile(join(directory, `${role}.log`), 'utf8').catch(() => '');
    const complaints = log.split('\n').filter((line) => /"level":"(warn|error|fatal)"/.test(line));
    for (const line of complaints.slice(-5)) onProgress(`${role}: ${line}`);
  }
}

async function startStack(
  directory: string,
  { concurrency, onProgress, signal }: StackOptions,
  opened: AsyncDisposableStack,
): Promise<BenchStack> {
  // Postgres may run as another user, who has to get in.
  await chmod(directory, 0o711);
  const assets = await ensureAssets(onProgress, signal);
  onProgress('starting etcd, kube-apiserver and Postgres, durable as in production');
  const kubernetesServer = await startKubernetes({ directory: join(directory, 'kubernetes'), assets });
  opened.defer(() => kubernetesServer.stop());
  const postgres = await startPostgres({ directory: join(directory, 'postgres') });
  opened.defer(() => postgres.stop());
  signal.throwIfAborted();

  const { kubeconfigPath: kubeconfig } = kubernetesServer;
  const databaseUrl = postgres.url;
  await migrate(databaseUrl);
  const logger = createLogger({ name: 'bench', level: 'silent' });
  const database = await createDatabase({
    url: databaseUrl,
    poolMax: concurrency,
    applicationName: 'phaserun-bench',
    logger,
  });
  opened.defer(() => database.close());
  const kubernetes = createKubeClient({ kind: 'kubeconfig', path: kubeconfig }, { logger });
  opened.defer(() => kubernetes.close());
  const tenant = await ensureDevTenant(database.pool, TENANT);
  await installPhaseRuns(kubeconfig, { [TENANT]: tenant.customerId });
  await installTwinKind(kubernetes);
  signal.throwIfAborted();

  onProgress('starting the controller and the API');
  const settings = { directory, databaseUrl, kubeconfig };
  const controller = await startRole('controller', settings);
  opened.defer(() => controller.stop());
  const api = await startRole('api', settings);
  opened.defer(() => api.stop());
  return { assets, tenant, namespace: TENANT, apiUrl: api.url, kubernetes, database };
}

function ensureAssets(onProgress: (message: string) => void, signal: AbortSignal): Promise<KubernetesAssets> {
  const { KUBEBUILDER_ASSETS: kubebuilderAssets, XDG_CACHE_HOME: cacheDirectory } = process.env;
  const environment = {
    ...(kubebuilderAssets !== undefined && { kubebuilderAssets }),
    ...(cacheDirectory !== undefined && { cacheDirectory }),
  };
  return ensureKubernetesAssets({ onProgress, environment, signal });
}
