import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { execFile } from 'node:child_process';
import { installPhaseRuns } from '../../src/cli/dev-install.ts';
import type { DevTenant } from '../../src/cli/dev-tenants.ts';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { createDatabase, type Database } from '../../src/store/database.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { ensureTestAssets } from '../fixtures/assets.ts';
import { type Link, layLink } from './link.ts';
import type { Part } from './part.ts';
import { copyProgram, type Mutation } from './program.ts';
import { prepareRole, type Role } from './role.ts';
import {
  type CachePart,
  type ClusterParts,
  type DatabasePart,
  startCache,
  startCluster,
  startDatabase,
} from './servers.ts';
import { makeTenants } from './tenants.ts';

export interface WorldOptions {
  readonly directory: string;
  readonly apis: number;
  readonly controllers: number;
  readonly tenants: number;
  readonly mutations: readonly Mutation[];
  /** Whether deletion is guarded by the admission policies, as it should be. */
  readonly guarded: boolean;
  readonly note: (message: string) => void;
  /** Told when a process of the product ended though nobody ended it. */
  readonly onCrash: (name: string) => void;
}

/** Everything that is broken, with the links between all of it; and ways in that no fault touches. */
export interface World {
  readonly cluster: ClusterParts;
  readonly database: DatabasePart;
  readonly cache: CachePart | undefined;
  readonly apis: readonly Role[];
  readonly controllers: readonly Role[];
  readonly links: readonly Link[];
  readonly tenants: readonly DevTenant[];
  /** Where runners reach each API, through a link. */
  readonly apiUrls: readonly string[];
  /** A pool and a client of our own, past every link. */
  readonly pool: Database['pool'];
  readonly kube: KubeClient;
  /** Every part, in the order in which they are started. */
  readonly parts: readonly Part[];
  kubectl(args: readonly string[]): Promise<{ readonly ok: boolean; readonly output: string }>;
}

/** Starts it all; what was opened is ended by `opened`, however far this came. */
export async function startWorld(options: WorldOptions, opened: AsyncDisposableStack): Promise<World> {
  const { directory, note, onCrash } = options;
  const assets = await ensureTestAssets();
  const main = await copyProgram(join(directory, 'program'), options.mutations);
  const links: Link[] = [];
  const lay = async (name: string, port?: number) => {
    const link = await layLink(name, port);
    opened.defer(() => link.close());
    links.push(link);
    return link;
  };
  const at = (name: string) => ({ directory: join(directory, name), opened, onCrash: () => undefined });

  note('starting etcd, kube-apiserver, Postgres and Redis');
  const cluster = await startCluster(at('kubernetes'), assets, await lay('kube-apiserver>etcd'));
  const database = await startDatabase(at('postgres'));
  const cache = await startCache(at('redis'));
  const adminConfig = await cluster.kubeconfigFor('admin', cluster.kubePort);

  await promisify(execFile)(process.execPath, [main, 'migrate'], {
    env: { PATH: process.env['PATH'], DATABASE_URL: database.url, LOG_LEVEL: 'warn' },
  });
  const logger = createLogger({ name: 'faults', level: 'silent' });
  const ownDatabase = await createDatabase({
    url: database.url,
    poolMax: 4,
    applicationName: 'phaserun-faults',
    logger,
  });
  opened.defer(() => ownDatabase.close());
  const { pool } = ownDatabase;
  const kube = createKubeClient({ kind: 'kubeconfig', path: adminConfig }, { logger });
  opened.defer(() => kube.close());
  const tenants = await makeTenants(pool, 'tenant', options.tenants);
  await installPhaseRuns(
    adminConfig,
    Object.fromEntries(tenants.map(({ forgeNamespace, customerId }) => [forgeNamespace, customerId])),
  );

  const kubectl: World['kubectl'] = (args) => runKubectl(assets.kubectl, adminConfig, args);
  if (!options.guarded) await removeGuard(kubectl);

  note(`starting ${options.apis} API and ${options.controllers} controller processes`);
  await mkdir(join(directory, 'roles'), { recursive: true });
  const prepare = async (role: 'api' | 'controller', count: number) => {
    const roles: Role[] = [];
    for (let index = 1; index <= count; index += 1) {
      const name = `${role}-${index}`;
      const toKube = await lay(`${name}>kube-apiserver`, cluster.kubePort);
      const toPostgres = await lay(`${name}>postgres`, database.port);
      const toRedis = cache && role === 'api' ? await lay(`${name}>redis`, cache.port) : undefined;
      const databaseUrl = new URL(database.url);
      databaseUrl.port = String(toPostgres.port);
      const environment = {
        DATABASE_URL: databaseUrl.href,
        KUBECONFIG: await cluster.kubeconfigFor(name, toKube.port),
        ...(toRedis !== undefined && { REDIS_URL: `redis://127.0.0.1:${toRedis.port}` }),
        ...ROLE_ENVIRONMENT,
      };
      const where = { directory: join(directory, 'roles'), main };
      const prepared = await prepareRole({ role, name, ...where, environment, onCrash });
      opened.defer(() => prepared.part.abandon());
      roles.push(prepared);
    }
    return roles;
  };
  const controllers = await prepare('controller', options.controllers);
  const apis = await prepare('api', options.apis);
  await Promise.all([...controllers, ...apis].map(({ part }) => part.start()));
  const apiUrls: string[] = [];
  for (const { part, port } of apis)
    apiUrls.push(`http://127.0.0.1:${(await lay(`runner>${part.name}`, port)).port}`);

  const parts = [
    cluster.etcd,
    cluster.kube,
    database.postgres,
    ...(cache === undefined ? [] : [cache.redis]),
    ...[...controllers, ...apis].map(({ part }) => part),
  ];
  return { cluster, database, cache, apis, controllers, links, tenants, apiUrls, pool, kube, parts, kubectl };
}

/** Limits are not the subject, and this machine may be busy; objects that are archived are to be cleaned up under way. */
const ROLE_ENVIRONMENT = {
  RATE_LIMIT_PER_HOUR: '0',
  AUTH_FAILURES_PER_MINUTE: '0',
  MAX_EVENT_LOOP_DELAY_MS: '600000',
  MAX_ARCHIVED_PHASERUNS: '2000',
  WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true',
};

function runKubectl(
  program: string | undefined,
  kubeconfig: string,
  args: readonly string[],
): Promise<{ readonly ok: boolean; readonly output: string }> {
  if (program === undefined) throw new Error('this needs kubectl beside kube-apiserver');
  const cache = `${kubeconfig}.cache`;
  return new Promise((resolve) => {
    const all = [`--kubeconfig=${kubeconfig}`, `--cache-dir=${cache}`, ...args];
    execFile(program, all, { timeout: 60_000 }, (error, stdout, stderr) =>
      resolve({ ok: error === null, output: (stdout + stderr).trim() }),
    );
  });
}

async function removeGuard(kubectl: World['kubectl']): Promise<void> {
  const removed = await kubectl([
    'delete',
    'validatingadmissionpolicybinding,validatingadmissionpolicy',
    'phaserun-deletion.phases.rsolv.dev',
  ]);
  if (!removed.ok) throw new Error(`the deletion guard cannot be removed: ${removed.output}`);
}
