import { execFile } from 'node:child_process';
import { chmod, mkdir, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startEtcd } from '../../src/embedded/etcd.ts';
import { findFreePort } from '../../src/embedded/free-port.ts';
import { startKubeApiserver } from '../../src/embedded/kube-apiserver.ts';
import type { KubernetesAssets } from '../../src/embedded/kubernetes-assets.ts';
import {
  ensureCredentials,
  makeKubeconfig,
  readServingCertificate,
} from '../../src/embedded/kubernetes-credentials.ts';
import { type EmbeddedPostgres, startPostgres } from '../../src/embedded/postgres.ts';
import { type EmbeddedRedis, startRedis } from '../../src/embedded/redis.ts';
import type { Link } from './link.ts';
import { Part } from './part.ts';

interface Place {
  readonly directory: string;
  readonly opened: AsyncDisposableStack;
  readonly onCrash: (name: string) => void;
}

export interface ClusterParts {
  readonly etcd: Part;
  readonly kube: Part;
  readonly kubePort: number;
  readonly etcdUrl: () => string;
  /** A kubeconfig for whoever reaches kube-apiserver at this port. */
  readonly kubeconfigFor: (name: string, port: number) => Promise<string>;
}

/** etcd and kube-apiserver, with a link between them. */
export async function startCluster(
  { directory, opened, onCrash }: Place,
  assets: KubernetesAssets,
  etcdLink: Link,
): Promise<ClusterParts> {
  await mkdir(directory, { recursive: true });
  const credentials = await ensureCredentials(directory);
  let etcdUrl = '';
  const etcd = new Part({
    name: 'etcd',
    stopSignal: 'SIGTERM',
    onCrash,
    launch: async () => {
      const server = await startEtcd(directory, assets.etcd, { durable: false });
      etcdUrl = server.url;
      etcdLink.pointTo(Number(new URL(etcdUrl).port));
      return server;
    },
  });
  opened.defer(() => etcd.abandon());
  await etcd.start();
  const kubePort = await findFreePort();
  const kube = new Part({
    name: 'kube-apiserver',
    stopSignal: 'SIGTERM',
    onCrash,
    launch: () =>
      startKubeApiserver({
        directory,
        program: assets.kubeApiserver,
        etcdUrl: `http://127.0.0.1:${etcdLink.port}`,
        port: kubePort,
        credentials,
      }),
  });
  opened.defer(() => kube.abandon());
  await kube.start();
  const certificate = await readServingCertificate(credentials.certificateDirectory);
  return {
    etcd,
    kube,
    kubePort,
    etcdUrl: () => etcdUrl,
    async kubeconfigFor(name, port) {
      const path = join(directory, `${name}.kubeconfig`);
      const text = makeKubeconfig(`https://127.0.0.1:${port}`, certificate, credentials.adminToken);
      await writeFile(path, text, { mode: 0o600 });
      return path;
    },
  };
}

export interface DatabasePart {
  readonly postgres: Part;
  readonly url: string;
  readonly port: number;
  /** Absent where mounting a file system is not allowed. */
  readonly disk?: Disk;
}

/** A file system of a server's own. */
export interface Disk {
  /** Leaves no room for anything more. */
  fill(): Promise<void>;
  makeRoom(): Promise<void>;
}

/** Postgres, on a disk of its own where this machine lets us make one. */
export async function startDatabase({ directory, opened, onCrash }: Place): Promise<DatabasePart> {
  await mkdir(directory, { recursive: true });
  const disk = await mountDisk(directory, opened);
  let server: EmbeddedPostgres | undefined;
  const postgres = new Part({
    name: 'postgres',
    // A fast shutdown; SIGTERM would wait for every client to go.
    stopSignal: 'SIGINT',
    onCrash,
    launch: async () => {
      if (server === undefined) server = await startPostgres({ directory });
      else await server.restart();
      return { pid: server.pid() };
    },
  });
  opened.defer(async () => {
    await postgres.abandon();
    await server?.stop();
  });
  await postgres.start();
  const url = server?.url ?? '';
  return { postgres, url, port: Number(new URL(url).port), ...(disk && { disk }) };
}

/** More than an hour of results; it takes no more memory than there is data. */
const DISK_BYTES = 16 * 2 ** 30;
const SHRINK_ATTEMPTS = 50;

async function mountDisk(directory: string, opened: AsyncDisposableStack): Promise<Disk | undefined> {
  const run = promisify(execFile);
  const mount = (options: string) =>
    run('mount', ['-t', 'tmpfs', '-o', `${options},mode=0711`, 'phaserun-faults', directory]);
  try {
    await mount(`size=${DISK_BYTES}`);
  } catch {
    return undefined;
  }
  opened.defer(async () => {
    // Whoever looks into it keeps it busy for a moment.
    await run('umount', [directory]).catch(() => run('umount', ['-l', directory]));
  });
  await chmod(directory, 0o711);
  return {
    async fill() {
      // It cannot be made smaller than what is on it, which may grow meanwhile.
      for (let attempt = 1; ; attempt += 1) {
        const { blocks, bfree, bsize } = await statfs(directory);
        const shrunk = await mount(`remount,size=${(blocks - bfree) * bsize}`).then(
          () => true,
          () => false,
        );
        if (shrunk) return;
        if (attempt === SHRINK_ATTEMPTS) throw new Error(`${directory} cannot be filled`);
      }
    },
    async makeRoom() {
      await mount(`remount,size=${DISK_BYTES}`);
    },
  };
}

export interface CachePart {
  readonly redis: Part;
  readonly port: number;
}

/** Redis, or nothing where the machine has none. */
export async function startCache({ directory, opened, onCrash }: Place): Promise<CachePart | undefined> {
  let server: EmbeddedRedis | undefined;
  const redis = new Part({
    name: 'redis',
    stopSignal: 'SIGTERM',
    onCrash,
    launch: async () => {
      await server?.stop();
      server = await startRedis({ directory });
      if (server === undefined) throw new Error('this machine has no Redis');
      return server;
    },
  });
  const first = await startRedis({ directory });
  if (first === undefined) return undefined;
  server = first;
  opened.defer(async () => {
    await redis.abandon();
    await server?.stop();
  });
  await redis.start();
  return { redis, port: Number(new URL(server.url).port) };
}
