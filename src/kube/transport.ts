import type { Logger } from 'pino';
import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import { type Credentials, createCredentialReader } from './credentials.ts';
import { KubeError } from './kube-error.ts';
import type { KubeSource } from './kube-source.ts';

/** How long credentials are used before their files are looked at again; what they replace stays good for longer. */
const REREAD_AFTER_MS = 10_000;

/** Before the server's own idle limit of 90 s, so that no call is sent into a connection that is just being closed. */
const IDLE_MS = 60_000;

/** Under the idle limits of common load balancers, as in client-go. */
const PROBE_AFTER_MS = 30_000;

/** What the next request is sent with. */
export interface Link {
  readonly server: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly dispatcher: Dispatcher;
  /**
   * No answer came over it: the next request goes over a new connection, with the files read again (the CA may be another).
   * undici mends most dead connections, but not all: after a TLS error in mid-stream it kept the destroyed session for ever.
   */
  lost(): void;
}

/**
 * Keeps the one pool of connections that all calls and watches share: over HTTP/2 a single connection
 * for every hundred that run at once, which is what kube-apiserver allows. It is replaced
 * when server, CA, certificate or key change, or when it gave no answer; whatever runs on the old one ends there in peace.
 */
export interface Transport {
  /** @throws KubeError status 0, reason `Unconfigured` */
  link(): Promise<Link>;
  /** The server refused the credentials: plugins are asked for new ones too. */
  refuse(): void;
  /** Cuts what still runs. */
  close(): Promise<void>;
}

export function createTransport(source: KubeSource, logger: Logger): Transport {
  const reader = createCredentialReader(source);
  let current: { readonly credentials: Credentials; readonly link: Link } | undefined;
  /** Whether the current connection gave no answer. */
  let isLost = false;
  let freshUntil = 0;
  let reading: Promise<Link> | undefined;
  let isClosed = false;
  /** Replaced, with something still running on them. */
  const retired = new Set<Dispatcher>();

  function use(credentials: Credentials): Link {
    const { server, headers, connectionId } = credentials;
    const kept =
      isLost || current?.credentials.connectionId !== connectionId ? undefined : current.link.dispatcher;
    const dispatcher = kept ?? replaceDispatcher(credentials);
    const link = { server, headers, dispatcher, lost: () => lose(dispatcher) };
    current = { credentials, link };
    return link;
  }

  function replaceDispatcher(credentials: Credentials): Dispatcher {
    logger.info({ server: credentials.server }, 'new Kubernetes connection');
    isLost = false;
    if (current !== undefined) retire(current.link.dispatcher);
    return makeDispatcher(credentials);
  }

  /** Closes it once nothing runs there any more. */
  function retire(dispatcher: Dispatcher): void {
    retired.add(dispatcher);
    const forget = () => retired.delete(dispatcher);
    dispatcher.close().then(forget, forget);
  }

  function lose(dispatcher: Dispatcher): void {
    if (current?.link.dispatcher !== dispatcher) return;
    isLost = true;
    freshUntil = 0;
  }

  async function read(): Promise<Link> {
    try {
      return use(await reader.read());
    } catch (error) {
      // Files that are being rotated may be missing for a moment: go on with what was good.
      if (current === undefined) throw error;
      logger.warn({ err: error }, 'Kubernetes credentials cannot be read, the last ones are kept');
      return use(current.credentials);
    } finally {
      freshUntil = performance.now() + REREAD_AFTER_MS;
      reading = undefined;
    }
  }

  return {
    link: async () => {
      if (isClosed) throw closed();
      if (current !== undefined && performance.now() < freshUntil) return current.link;
      reading ??= read();
      return reading;
    },
    refuse: () => {
      reader.forget();
      freshUntil = 0;
    },
    close: async () => {
      isClosed = true;
      await reading?.catch(() => undefined);
      const dispatchers = [...retired, ...(current === undefined ? [] : [current.link.dispatcher])];
      await Promise.all(dispatchers.map((dispatcher) => dispatcher.destroy()));
    },
  };
}

function closed(): KubeError {
  return new KubeError({ status: 0, reason: 'Unreachable', message: 'the Kubernetes client is closed' });
}

function makeDispatcher({ tls, proxy }: Credentials): Dispatcher {
  const pool = { allowH2: true, keepAliveTimeout: IDLE_MS };
  const connect = { ...tls, preferH2: true, keepAlive: true, keepAliveInitialDelay: PROBE_AFTER_MS };
  return proxy === undefined
    ? new Agent({ ...pool, connect })
    : new ProxyAgent({ ...pool, uri: proxy, requestTls: connect });
}
