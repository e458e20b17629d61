import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterAll } from 'vitest';

/** A cable that can be pulled: passes connections on to a port of this machine. */
export interface TcpProxy {
  readonly port: number;
  /** Connections made so far. */
  readonly connections: number;
  /** Breaks the connections that are open; new ones pass. */
  cut(): void;
  /** Breaks the connections that are open, and refuses new ones until {@link mend}. */
  sever(): void;
  /** Keeps the connections but passes nothing on, as a router that forgets them does; new ones hang too. */
  swallow(): void;
  mend(): void;
}

/** Starts a proxy that ends after the tests of the file. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const open = new Set<Socket>();
  let connections = 0;
  let mode: 'pass' | 'refuse' | 'swallow' = 'pass';

  const server = createServer((client) => {
    connections += 1;
    if (mode === 'refuse') {
      client.destroy();
      return;
    }
    const target = connect(targetPort, '127.0.0.1');
    relay(client, target);
    relay(target, client);
  });

  function relay(from: Socket, to: Socket): void {
    open.add(from);
    from.on('data', (chunk) => {
      if (mode !== 'swallow') to.write(chunk);
    });
    from.on('error', () => undefined);
    from.on('close', () => {
      open.delete(from);
      to.destroy();
    });
  }

  const cut = () => {
    for (const socket of open) socket.destroy();
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  afterAll(async () => {
    cut();
    server.close();
    await once(server, 'close');
  });
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    cut,
    sever() {
      mode = 'refuse';
      cut();
    },
    swallow() {
      mode = 'swallow';
    },
    mend() {
      mode = 'pass';
    },
  };
}
