import { join } from 'node:path';
import { findFreePort } from './free-port.ts';
import { type ServerProcess, startServer } from './server-process.ts';

export interface EmbeddedEtcd extends ServerProcess {
  readonly url: string;
}

/** A one-member etcd with its data in `directory`, on loopback, without access control: for development and tests. */
export async function startEtcd(
  directory: string,
  program: string,
  { durable }: { readonly durable: boolean },
): Promise<EmbeddedEtcd> {
  const url = `http://127.0.0.1:${await findFreePort()}`;
  const peerUrl = `http://127.0.0.1:${await findFreePort()}`;
  const server = await startServer({
    name: 'etcd',
    directory,
    program,
    args: [
      '--name=phaserun',
      `--data-dir=${join(directory, 'etcd-data')}`,
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=phaserun=${peerUrl}`,
      // kube-apiserver's bookmarks need it: without, a watch on what nobody writes looks dead.
      '--watch-progress-notify-interval=5s',
      ...(durable ? [] : ['--unsafe-no-fsync']),
    ],
    orphanSignal: 'KILL',
    isReady: async () => {
      const response = await fetch(`${url}/readyz`).catch(() => undefined);
      return response?.ok === true;
    },
  });
  return { ...server, url };
}
