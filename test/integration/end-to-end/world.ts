import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { afterAll, inject } from 'vitest';
import { createKubeClient } from '../../../src/kube/client.ts';
import type { KubeResource } from '../../../src/kube/resource.ts';
import { PHASE_RUNS, type PhaseRun } from '../../../src/resources/phase-run.ts';
import { createApiKey } from '../../../src/store/api-keys.ts';
import { createCustomer } from '../../../src/store/customers.ts';
import { type Connection, createDatabase } from '../../../src/store/database.ts';
import { addForgeAccount, verifyForgeAccount } from '../../../src/store/forge-accounts.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { type Environment, type RoleProcess, roleProcesses } from '../../fixtures/processes.ts';
import { runLogger } from '../../fixtures/run-log/of-test.ts';

/** A customer, and what it needs for both ways in. */
export interface Tenant {
  readonly customerId: string;
  readonly apiKey: string;
  /** A GitHub namespace that is verified as its own. */
  readonly owner: string;
  /** The Kubernetes namespace that is bound to it. */
  readonly namespace: string;
}

export interface KubectlResult {
  readonly ok: boolean;
  /** What it wrote to both streams. */
  readonly output: string;
}

export interface KubectlOptions {
  readonly stdin?: string;
  /** Whom to be; default a cluster admin. */
  readonly kubeconfigPath?: string;
}

/** Kubernetes, Postgres and the program's processes over them. */
export interface World {
  readonly pool: Connection;
  readonly phaseRuns: KubeResource<PhaseRun>;
  /** Starts a replica; `env` replaces parts of its environment. */
  startApi(env?: Environment): Promise<RoleProcess>;
  startController(env?: Environment): Promise<RoleProcess>;
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<KubectlResult>;
  makeTenant(): Promise<Tenant>;
}

export interface WorldOptions {
  readonly kubeconfigPath: string;
  readonly databaseUrl: string;
  /** The program, if it is another version than this one. */
  readonly main?: string;
}

/** Call it at the top level; what it opened and started is gone at the end of the file. */
export async function createWorld({ kubeconfigPath, databaseUrl, main }: WorldOptions): Promise<World> {
  const logger = runLogger('world');
  const database = await createDatabase({ url: databaseUrl, poolMax: 4, applicationName: 'world', logger });
  const client = createKubeClient({ kind: 'kubeconfig', path: kubeconfigPath }, { logger });
  afterAll(async () => {
    await client.close();
    await database.close();
  });
  const processes = roleProcesses(main);
  const env = {
    DATABASE_URL: databaseUrl,
    KUBECONFIG: kubeconfigPath,
    POD_NAMESPACE: await freshNamespace({ kubeconfigPath }),
    // What a replica does when its machine is too busy is not the subject here.
    MAX_EVENT_LOOP_DELAY_MS: '60000',
  };
  const { pool } = database;
  return {
    pool,
    phaseRuns: client.resource<PhaseRun>(PHASE_RUNS),
    startApi: (other) => processes.start('api', { ...env, ...other }),
    startController: (other) => processes.start('controller', { ...env, ...other }),
    kubectl: (args, options) => runKubectl(args, { kubeconfigPath, ...options }),
    makeTenant: () => makeTenant(pool, kubeconfigPath),
  };
}

async function makeTenant(pool: Connection, kubeconfigPath: string): Promise<Tenant> {
  const owner = `owner-${randomBytes(5).toString('hex')}`;
  const { id: customerId } = await createCustomer(pool, owner);
  await addForgeAccount(pool, customerId, { forge: 'github', namespace: owner });
  await verifyForgeAccount(pool, customerId, { forge: 'github', namespace: owner });
  const scopes = ['phases:read', 'phases:write'] as const;
  const { apiKey } = await createApiKey(pool, { customerId, name: 'test', scopes });
  return { customerId, apiKey, owner, namespace: await freshNamespace({ customerId, kubeconfigPath }) };
}

function runKubectl(
  args: readonly string[],
  { kubeconfigPath, stdin = '' }: KubectlOptions & { readonly kubeconfigPath: string },
): Promise<KubectlResult> {
  const { kubectl } = inject('kubernetesAssets');
  if (kubectl === undefined) throw new Error('the tests need kubectl beside kube-apiserver');
  // What it learns of one API server is not for the next.
  const cache = join(dirname(kubeconfigPath), 'kubectl-cache');
  const all = [`--kubeconfig=${kubeconfigPath}`, `--cache-dir=${cache}`, ...args];
  return new Promise((resolve) => {
    const child = execFile(kubectl, all, { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) =>
      resolve({ ok: error === null, output: stdout + stderr }),
    );
    child.stdin?.end(stdin);
  });
}
