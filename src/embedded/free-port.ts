import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * A loopback TCP port on which nobody listens: the wanted one if it is free, else any.
 * Below the range from which systems draw the local ports of outgoing connections: a client that keeps
 * calling a server which is down must not end up holding that server's port.
 */
export async function findFreePort(wanted?: number): Promise<number> {
  for (let port = wanted ?? draw(), attempts = 0; attempts < 100; port = draw(), attempts += 1) {
    if (await isFree(port)) return port;
  }
  throw new Error('no free port between 20000 and 30000 on 127.0.0.1');
}

const draw = () => randomInt(20_000, 30_000);

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
