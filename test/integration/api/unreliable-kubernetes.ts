import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { parse, stringify } from 'yaml';

export interface UnreliableKubernetes {
  /** Leads to the same API server, by way of a connection that can be cut. */
  readonly kubeconfigPath: string;
  /** From now on requests get through and answers do not. */
  holdAnswers(): void;
  /** Drops the answers that were held, and the connections with them; new ones work. */
  dropAnswers(): void;
}

/** A network between a client and its API server that loses answers when told to. TLS passes through untouched. */
export async function unreliableKubernetes(kubeconfigPath: string): Promise<UnreliableKubernetes> {
  const kubeconfig = parse(await readFile(kubeconfigPath, 'utf8')) as {
    clusters: { cluster: { server: string } }[];
  };
  const cluster = kubeconfig.clusters[0]?.cluster;
  if (cluster === undefined) throw new Error('the kubeconfig has no cluster');
  const target = new URL(cluster.server);
  const sockets = new Set<Socket>();
  let holding = false;

  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        near.destroy();
        far.destroy();
        sockets.delete(socket);
      });
    }
    near.pipe(far);
    far.on('data', (chunk) => {
      if (!holding) near.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  cluster.server = `https://127.0.0.1:${port}`;
  const directory = await mkdtemp(join(tmpdir(), 'phaserun-unreliable-'));
  const path = join(directory, 'kubeconfig');
  await writeFile(path, stringify(kubeconfig));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  afterAll(async () => {
    cut();
    server.close();
    await rm(directory, { recursive: true });
  });
  return {
    kubeconfigPath: path,
    holdAnswers: () => {
      holding = true;
    },
    dropAnswers: () => {
      holding = false;
      cut();
    },
  };
}
