import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type EmbeddedKubernetes, startKubernetes } from './kubernetes.ts';
import {
  ensureKubernetesAssets,
  type KubernetesAssets,
  type KubernetesEnvironment,
} from './kubernetes-assets.ts';
import { type EmbeddedPostgres, startPostgres } from './postgres.ts';
import { type EmbeddedRedis, startRedis } from './redis.ts';

type Step = 'kubernetes programs' | 'kubernetes' | 'postgres' | 'redis';

/** How far one part of the stack has come. */
export interface StackProgress {
  readonly step: Step;
  readonly state: 'running' | 'done' | 'skipped';
  /** What is being done now, or why it was skipped. */
  readonly detail?: string;
  /** Since the step began. */
  readonly elapsedMs: number;
}

export interface DevStack {
  readonly assets: KubernetesAssets;
  readonly kubernetes: EmbeddedKubernetes;
  readonly postgres: EmbeddedPostgres;
  /** Absent where the machine has no Redis. */
  readonly redis?: EmbeddedRedis;
  /** Ends everything, last started first; data stays. */
  stop(): Promise<void>;
}

export interface StartDevStackOptions {
  /** Holds the data of every server, each in a folder of its own; made if needed. */
  readonly dataDirectory: string;
  readonly onProgress: (progress: StackProgress) => void;
  readonly environment?: KubernetesEnvironment;
  readonly signal?: AbortSignal;
}

/**
 * Starts what PhaseRun stands on: a control plane, a Postgres and, if the machine has one, a Redis. When one of
 * them does not come up, those before it are stopped.
 * @throws KubernetesAssetsError, PostgresNotInstalledError, DirectoryInUseError, ServerStartError
 */
export async function startDevStack(options: StartDevStackOptions): Promise<DevStack> {
  const { onProgress } = options;
  const directory = resolve(options.dataDirectory);
  await mkdir(directory, { recursive: true });
  await using started = new AsyncDisposableStack();
  const start = async <Server extends { stop(): Promise<void> } | undefined>(
    step: Step,
    make: () => Promise<Server>,
  ) => {
    const server = await reported(step, onProgress, make);
    if (server !== undefined) started.defer(() => server.stop());
    return server;
  };
  const assets = await reported('kubernetes programs', onProgress, (say) =>
    ensureKubernetesAssets({ ...options, onProgress: say }),
  );
  const kubernetes = await start('kubernetes', () =>
    startKubernetes({ directory: join(directory, 'kubernetes'), assets }),
  );
  const postgres = await start('postgres', () => startPostgres({ directory: join(directory, 'postgres') }));
  const redis = await start('redis', () => startRedis({ directory: join(directory, 'redis') }));
  const running = started.move();
  return {
    assets,
    kubernetes,
    postgres,
    ...(redis !== undefined && { redis }),
    stop: () => running.disposeAsync(),
  };
}

async function reported<Result>(
  step: Step,
  onProgress: (progress: StackProgress) => void,
  work: (say: (detail: string) => void) => Promise<Result>,
): Promise<Result> {
  const began = Date.now();
  const report = (state: StackProgress['state'], detail?: string) =>
    onProgress({ step, state, elapsedMs: Date.now() - began, ...(detail !== undefined && { detail }) });
  report('running');
  const result = await work((detail) => report('running', detail));
  if (result === undefined) report('skipped', `this machine has no ${step}`);
  else report('done');
  return result;
}
