import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { afterAll } from 'vitest';

export interface Received {
  readonly id: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Receiver {
  readonly url: string;
  /** All requests, in the order in which they arrived. */
  readonly received: readonly Received[];
  /** How it answers from now on; 200 unless said otherwise. */
  answer(listener: RequestListener): void;
  /** The answers that are yet to be given. */
  readonly waiting: number;
  /** Made so far, whatever came over them. */
  readonly connections: number;
  /** Ids of those received, once so many have been. */
  untilReceived(count: number): Promise<readonly string[]>;
}

/** A real HTTP server that keeps what it gets; closed at the end of the file. */
export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  let waiting = 0;
  let listener: RequestListener = (_request, response) => response.end('thanks');
  let connections = 0;
  async function receive(...[request, response]: Parameters<RequestListener>): Promise<void> {
    waiting += 1;
    response.on('close', () => {
      waiting -= 1;
    });
    const { headers, url = '' } = request;
    const body = await text(request);
    received.push({ id: String(headers['webhook-id']), path: url, headers, body });
    listener(request, response);
  }
  const server = createServer((...args) => void receive(...args)).on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    answer: (next) => {
      listener = next;
    },
    get waiting() {
      return waiting;
    },
    get connections() {
      return connections;
    },
    async untilReceived(count) {
      while (received.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
      return received.map(({ id }) => id);
    },
  };
}

/** Checks a request as its receiver would, with somebody else's code; answers the event. */
export function verified(secret: string, { headers, body }: Received): unknown {
  const texts = Object.entries(headers).map(([name, value]) => [name, String(value)] as const);
  return new Webhook(secret).verify(body, Object.fromEntries(texts));
}
