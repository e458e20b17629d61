import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import type { ConnectionOptions } from 'node:tls';
import type { KubeConfig, User } from '@kubernetes/client-node';
import { type LoadedKubeConfig, loadKubeConfig } from './kube-config.ts';
import { KubeError } from './kube-error.ts';
import type { KubeSource } from './kube-source.ts';

/** The part of the credentials that belongs to the connection. */
export type TlsOptions = Pick<
  ConnectionOptions,
  'ca' | 'cert' | 'key' | 'pfx' | 'passphrase' | 'rejectUnauthorized' | 'servername'
>;

/** What a connection and a request need, read at one moment. */
export interface Credentials {
  /** Without a slash at the end. */
  readonly server: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsOptions;
  /** URL of an HTTP proxy on the way. */
  readonly proxy: string | undefined;
  /** Equal as long as a connection may be kept: digest of server, proxy, CA, certificate and key. */
  readonly connectionId: string;
}

/**
 * Reads the credentials of a source whenever asked: files that were rotated are seen. The exec plugin of a kubeconfig
 * runs again once its credential has expired, or when the kubeconfig has changed, or after {@link forget}.
 */
export interface CredentialReader {
  /** @throws KubeError status 0, reason `Unconfigured`, in a sentence that says what to mend */
  read(): Promise<Credentials>;
  /** Drops what plugins have cached: the server did not take it. */
  forget(): void;
}

export function createCredentialReader(source: KubeSource): CredentialReader {
  let loaded: LoadedKubeConfig | undefined;
  return {
    async read() {
      try {
        loaded = await loadKubeConfig(source, loaded);
        return await resolve(loaded.config);
      } catch (error) {
        throw unconfigured(error);
      }
    },
    forget() {
      loaded = undefined;
    },
  };
}

async function resolve(config: KubeConfig): Promise<Credentials> {
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error('the kubeconfig has no current context that names a cluster');
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const { server, proxyUrl: proxy } = cluster;
  if (proxy?.startsWith('socks') === true)
    throw new Error('a SOCKS proxy is not supported; use an HTTP proxy');
  const tls = tlsOptions(options);
  return {
    server,
    headers: { ...requestHeaders(options), ...(await bearerFromFile(config.getCurrentUser())) },
    tls,
    proxy,
    connectionId: createHash('sha256')
      .update(JSON.stringify([server, proxy, tls]))
      .digest('base64'),
  };
}

function tlsOptions(options: RequestOptions): TlsOptions {
  const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = options;
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(pfx !== undefined && { pfx }),
    ...(passphrase !== undefined && { passphrase }),
    ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
    ...(servername !== undefined && { servername }),
  };
}

function requestHeaders({ headers = {}, auth }: RequestOptions): Record<string, string> {
  const set: Record<string, string> = {};
  if (typeof auth === 'string') set['authorization'] = `Basic ${Buffer.from(auth).toString('base64')}`;
  for (const [name, value] of Object.entries(headers)) set[name.toLowerCase()] = String(value);
  return set;
}

/**
 * A token file is read here and not by client-node, which keeps what it read for a minute and sends the newline that
 * ends most such files, which no header may hold.
 */
async function bearerFromFile(user: User | null): Promise<Record<string, string>> {
  const path = tokenFileOf(user);
  return path === undefined ? {} : { authorization: `Bearer ${(await readFile(path, 'utf8')).trim()}` };
}

function tokenFileOf(user: User | null): string | undefined {
  const config: unknown = user?.authProvider?.config;
  if (typeof config !== 'object' || config === null || !('tokenFile' in config)) return undefined;
  return typeof config.tokenFile === 'string' ? config.tokenFile : undefined;
}

function unconfigured(cause: unknown): KubeError {
  if (cause instanceof KubeError) return cause;
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new KubeError({
    status: 0,
    reason: 'Unconfigured',
    message: `no usable Kubernetes credentials: ${detail}`,
    cause,
  });
}
