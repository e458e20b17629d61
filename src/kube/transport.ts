import type { Logger } from 'pino';
import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import { type Credentials, createCredentialReader } from './credentials.ts';
import type { KubeSource } from './kube-source.ts';

/** How long credentials are used before their files are looked at again; what they replace stays good for longer. */
const REREAD_AFTER_MS = 10_000;

/** Before the server's own idle limit of 90 s, so that no call is sent into a connection that is just being closed. */
const IDLE_MS = 60_000;

/** Under the idle limits of common load balancers, as in client-go. */
const PROBE_AFTER_MS = 30_000;

/** In place of the id of a connection that is not to be used again. */
const LOST = '';

/** What the next request is sent with. */
export interface Link {
  readonly server: string;
  /** Namespace of the context, or of the pod. */
  readonly namespace: string | undefined;
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
  let current: { readonly link: Link; readonly connectionId: string } | undefined;
  let freshUntil = 0;
  let reading: Promise<Link> | undefined;

  function take(credentials: Credentials): Link {
    const { server, namespace, headers, connectionId } = credentials;
    const kept = current?.connectionId === connectionId ? current.link.dispatcher : undefined;
    // Closing waits for what runs there; nothing is left to do when that fails.
    if (kept === undefined) logger.info({ server }, 'new Kubernetes connection');
    if (kept === undefined) void current?.link.dispatcher.close().catch(() => undefined);
    const dispatcher = kept ?? makeDispatcher(credentials);
    const lost = () => {
      if (current?.link.dispatcher !== dispatcher) return;
      current = { ...current, connectionId: LOST };
      freshUntil = 0;
    };
    const link = { server, namespace, headers, dispatcher, lost };
    current = { link, connectionId };
    return link;
  }

  async function read(): Promise<Link> {
    try {
      return take(await reader.read());
    } catch (error) {
      // Files that are being rotated may be missing for a moment: go on with what was good.
      if (current === undefined) throw error;
      logger.warn({ err: error }, 'Kubernetes credentials cannot be read, the last ones are kept');
      return current.link;
    } finally {
      freshUntil = performance.now() + REREAD_AFTER_MS;
      reading = undefined;
    }
  }

  return {
    link: async () => {
      if (current !== undefined && performance.now() < freshUntil) return current.link;
      reading ??= read();
      return reading;
    },
    refuse: () => {
      reader.forget();
      freshUntil = 0;
    },
    close: async () => {
      await current?.link.dispatcher.destroy();
    },
  };
}

function makeDispatcher({ tls, proxy }: Credentials): Dispatcher {
  const pool = { allowH2: true, keepAliveTimeout: IDLE_MS };
  const connect = { ...tls, preferH2: true, keepAlive: true, keepAliveInitialDelay: PROBE_AFTER_MS };
  return proxy === undefined
    ? new Agent({ ...pool, connect })
    : new ProxyAgent({ ...pool, uri: proxy, requestTls: connect });
}
