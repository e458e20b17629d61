import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import { startKubernetes } from '../../src/embedded/kubernetes.ts';
import { ensureKubernetesAssets, type KubernetesAssets } from '../../src/embedded/kubernetes-assets.ts';
import { startPostgres } from '../../src/embedded/postgres.ts';
import { applyManifests } from '../../src/kube/apply.ts';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { parseManifests } from '../../src/kube/manifest.ts';
import { createDatabase, type Database } from '../../src/store/database.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { mainOf, type Role, type RoleName, type RoleProcess, startRole } from './role-process.ts';
import { twinOf } from './twin-kind.ts';

/** The product on servers of its own, which end with it. */
export interface BenchStack {
  readonly assets: KubernetesAssets;
  readonly tenant: Tenant;
  /** The Kubernetes namespace that is bound to the tenant. */
  readonly namespace: string;
  readonly databaseUrl: string;
  /** The product's own client and pool, for the bare calls. */
  readonly kubernetes: KubeClient;
  readonly database: Database;
  /** Aborts when the benchmark is told to stop. */
  readonly signal: AbortSignal;
  /** Starts a role, which ends with the stack if not before; from the sources unless there is another `command`. */
  start(
    role: RoleName | Role,
    settings?: Readonly<Record<string, string>>,
    command?: readonly string[],
  ): Promise<RoleProcess>;
  /** Runs a command of the product to its end; answers what it printed. */
  run(command: readonly string[]): Promise<string>;
  readonly pids: () => ServerPids;
}

export interface Tenant {
  readonly customerId: string;
  readonly apiKey: string;
  /** The GitHub namespace that the customer owns, and so the owner in `repo`. */
  readonly forgeNamespace: string;
}

export interface ServerPids {
  readonly kubeApiserver: number;
  readonly etcd: number;
  /** Of the postmaster. */
  readonly postgres: number;
}

export interface StackOptions {
  /** The checkout whose processes, schema and kinds these are, its packages installed. */
  readonly product: string;
  readonly onProgress: (message: string) => void;
  readonly signal: AbortSignal;
}

/** The checkout that this benchmark is part of. */
export const THIS_PRODUCT = fileURLToPath(new URL('../..', import.meta.url));

const TENANT = 'acme';
const SYSTEM_NAMESPACE = 'phaserun-system';
const INSTALL_TIMEOUT_MS = 60_000;
/** Past this many Postgres only does less at once; calls beyond them wait in the pool. */
const CONNECTIONS = 16;

/** Starts the servers, runs the work, and ends and removes everything however that went. */
export async function withStack<T>(
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
  for (const role of ['controller', 'api', 'plain-operator']) {
    const log = await readFile(join(directory, `${role}.log`), 'utf8').catch(() => '');
    const complaints = log.split('\n').filter((line) => /"level":"(warn|error|fatal)"/.test(line));
    for (const line of complaints.slice(-5)) onProgress(`${role}: ${line}`);
  }
}

async function startStack(
  directory: string,
  { product, onProgress, signal }: StackOptions,
  opened: AsyncDisposableStack,
): Promise<BenchStack> {
  // Postgres may run as another user, who has to get in.
  await chmod(directory, 0o711);
  const assets = await ensureAssets(onProgress, signal);
  const kubernetesServer = await startKubernetes({ directory: join(directory, 'kubernetes'), assets });
  opened.defer(() => kubernetesServer.stop());
  const postgres = await startPostgres({ directory: join(directory, 'postgres') });
  opened.defer(() => postgres.stop());
  signal.throwIfAborted();

  const { kubeconfigPath: kubeconfig } = kubernetesServer;
  const databaseUrl = postgres.url;
  const logger = createLogger({ name: 'bench', level: 'silent' });
  const database = await createDatabase({
    url: databaseUrl,
    poolMax: CONNECTIONS,
    applicationName: 'phaserun-bench',
    logger,
  });
  opened.defer(() => database.close());
  const kubernetes = createKubeClient({ kind: 'kubeconfig', path: kubeconfig }, { logger });
  opened.defer(() => kubernetes.close());

  const run = async (command: readonly string[]) => {
    const { PATH } = process.env;
    const env = { PATH, DATABASE_URL: databaseUrl, KUBECONFIG: kubeconfig };
    const { stdout } = await promisify(execFile)(process.execPath, [mainOf(product), ...command], {
      env,
      signal,
    });
    return stdout;
  };
  await installKinds(kubernetes, product);
  await run(['migrate']);
  const tenant = await createTenant(run);
  signal.throwIfAborted();
  return {
    assets,
    tenant,
    namespace: TENANT,
    databaseUrl,
    kubernetes,
    database,
    signal,
    run,
    async start(role, settings = {}, command) {
      signal.throwIfAborted();
      const options = { product, directory, databaseUrl, kubeconfig, settings };
      const process = await startRole(role, { ...options, ...(command !== undefined && { command }) });
      opened.defer(() => process.stop());
      return process;
    },
    pids: () => ({ ...kubernetesServer.pids(), postgres: postgres.pid() }),
  };
}

function ensureAssets(onProgress: (message: string) => void, signal: AbortSignal): Promise<KubernetesAssets> {
  const { KUBEBUILDER_ASSETS: kubebuilderAssets, XDG_CACHE_HOME: cacheDirectory } = process.env;
  const environment = {
    ...(kubebuilderAssets !== undefined && { kubebuilderAssets }),
    ...(cacheDirectory !== undefined && { cacheDirectory }),
  };
  return ensureKubernetesAssets({ onProgress, environment, signal });
}

/** The product's kind with its policies, its twin, and the namespaces. */
async function installKinds(client: KubeClient, product: string): Promise<void> {
  const files = ['crds/phases.rsolv.dev_phaseruns.yaml', 'manifests/policies.yaml'];
  const texts = await Promise.all(files.map((file) => readFile(join(product, file), 'utf8')));
  const namespaces = [SYSTEM_NAMESPACE, TENANT].map((name) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name },
  }));
  await applyManifests(client, [...texts, ...texts.map(twinOf)].flatMap(parseManifests).concat(namespaces), {
    fieldManager: 'phaserun-bench',
    signal: AbortSignal.timeout(INSTALL_TIMEOUT_MS),
  });
}

const created = z.object({ customer: z.object({ id: z.string() }), apiKey: z.string() });

async function createTenant(run: BenchStack['run']): Promise<Tenant> {
  const account = `github/${TENANT}`;
  const command = ['admin', 'tenant', 'create', TENANT, '--forge-account', account, '--namespace', TENANT];
  const output = await run([...command, '--output', 'json']);
  const { customer, apiKey } = created.parse(JSON.parse(output));
  return { customerId: customer.id, apiKey, forgeNamespace: TENANT };
}
