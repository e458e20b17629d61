import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A cable between two processes that can be pulled. It keeps its port while what is behind it moves to another. */
export interface Link {
  /** `api-1>postgres`: who calls whom. */
  readonly name: string;
  readonly port: number;
  pointTo(port: number): void;
  /** Breaks the connections that are open; new ones pass. */
  reset(): void;
  /** Breaks the connections that are open and refuses new ones. */
  sever(): void;
  /** Keeps connections and takes new ones, and passes nothing on, as a router that forgot them. */
  swallow(): void;
  /** Passes everything on, so much later. */
  delay(ms: number): void;
  /** Ends whatever was done to it. What was swallowed is lost, and so its connections are broken. */
  mend(): void;
  close(): Promise<void>;
}

type Mode =
  | { readonly kind: 'pass' | 'refuse' | 'swallow' }
  | { readonly kind: 'delay'; readonly ms: number };

/** Lays a link on loopback. */
export async function layLink(name: string, targetPort = 0): Promise<Link> {
  const open = new Set<Socket>();
  let target = targetPort;
  let mode: Mode = { kind: 'pass' };

  const server = createServer((caller) => {
    if (mode.kind === 'refuse') {
      caller.destroy();
      return;
    }
    const callee = connect(target, '127.0.0.1');
    relay(caller, callee);
    relay(callee, caller);
  });

  function relay(from: Socket, to: Socket): void {
    open.add(from);
    from.setNoDelay(true);
    // One after another, so that what is delayed keeps its order.
    let passed: Promise<unknown> = Promise.resolve();
    from.on('data', (chunk) => {
      if (mode.kind === 'swallow') return;
      const ms = mode.kind === 'delay' ? mode.ms : 0;
      const due = ms > 0 ? sleep(ms) : undefined;
      passed = passed.then(() => due).then(() => passOn(from, to, chunk));
    });
    from.on('error', () => undefined);
    from.on('close', () => {
      open.delete(from);
      // What came before the end has yet to arrive.
      void passed.then(() => to.destroySoon());
    });
  }

  const reset = () => {
    for (const socket of open) socket.resetAndDestroy();
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    name,
    port: (server.address() as AddressInfo).port,
    pointTo(port) {
      target = port;
    },
    reset,
    sever() {
      mode = { kind: 'refuse' };
      reset();
    },
    swallow() {
      mode = { kind: 'swallow' };
    },
    delay(ms) {
      mode = { kind: 'delay', ms };
    },
    mend() {
      if (mode.kind === 'swallow') reset();
      mode = { kind: 'pass' };
    },
    async close() {
      server.close();
      reset();
      await once(server, 'close');
    },
  };
}

/** Takes no more from one side than the other takes from us. */
function passOn(from: Socket, to: Socket, chunk: Buffer): void {
  if (to.destroyed || to.write(chunk)) return;
  from.pause();
  to.once('drain', () => from.resume());
  to.once('close', () => from.resume());
}
