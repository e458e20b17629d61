import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  createMcpHandler,
  hostHeaderValidationResponse,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  originValidationResponse,
} from '@modelcontextprotocol/server';
import { createMcpServer } from './mcp-server.ts';
import { MeshApi, type MeshSettings } from './mesh-api.ts';

export interface McpHttpOptions {
  readonly version: string;
  readonly mesh: MeshSettings;
  /** Credentials of callers that bring none; only where none but this machine can call. */
  readonly token: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly onError: (error: Error) => void;
}

/** Where the endpoint is. */
const PATH = '/mcp';
const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

/** Whether only this machine can call a server that listens there. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.has(host);
}

/**
 * Serves MCP over streamable HTTP at `/mcp`. It keeps no sessions: any replica answers any request. Callers bring their own
 * credentials, which go on to the API; on the loopback address the server's own stand in, and there requests of web pages
 * and for other host names are refused (DNS rebinding).
 */
export async function startMcpHttp(options: McpHttpOptions) {
  const { version, mesh, token, host, port, onError } = options;
  const handler = createMcpHandler(
    ({ requestInfo }) => createMcpServer(new MeshApi(mesh, credentialsOf(requestInfo) ?? token), version),
    { onerror: onError },
  );
  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const request = toRequest(incoming, outgoing);
    if (request instanceof Response) return send(request, outgoing);
    const isOther = new URL(request.url).pathname !== PATH;
    const refused = isOther ? new Response(null, { status: 404 }) : refuseRebinding(request, host);
    await send(refused ?? (await handler.fetch(request)), outgoing);
  };
  const server = createServer((incoming, outgoing) => {
    answer(incoming, outgoing).catch((error: unknown) => {
      onError(error instanceof Error ? error : new Error(String(error)));
      outgoing.destroy();
    });
  });
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen(port, host, resolve);
  await listening;
  const address = server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}${PATH}`,
    async close(): Promise<void> {
      const { promise: closed, resolve: onClosed } = Promise.withResolvers<unknown>();
      server.close(onClosed);
      await handler.close();
      server.closeIdleConnections();
      await closed;
    },
  };
}

function refuseRebinding(request: Request, host: string): Response | undefined {
  if (!isLoopback(host)) return undefined;
  return (
    hostHeaderValidationResponse(request, localhostAllowedHostnames()) ??
    originValidationResponse(request, localhostAllowedOrigins())
  );
}

function credentialsOf(request: Request | undefined): string | undefined {
  const [, bearer] = /^Bearer +(\S+) *$/i.exec(request?.headers.get('authorization') ?? '') ?? [];
  return bearer ?? request?.headers.get('x-api-key')?.trim();
}

/** Methods that no Request can have. */
const UNSUPPORTED = new Set(['CONNECT', 'TRACE', 'TRACK']);

/** What was asked, or the answer to what cannot be. */
function toRequest(incoming: IncomingMessage, outgoing: ServerResponse): Request | Response {
  const { method = 'GET', url = '/', headers } = incoming;
  if (UNSUPPORTED.has(method))
    return new Response(null, { status: 405, headers: { allow: 'GET, POST, DELETE' } });
  const address = URL.parse(url, `http://${headers.host ?? 'localhost'}`);
  if (address === null) return new Response('The Host or the path cannot be understood', { status: 400 });
  const gone = new AbortController();
  outgoing.once('close', () => gone.abort());
  const pairs = Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((one): [string, string] => [name, one]),
  );
  return new Request(address, {
    method,
    headers: pairs,
    signal: gone.signal,
    ...(method === 'GET' || method === 'HEAD' ? {} : { body: Readable.toWeb(incoming), duplex: 'half' }),
  });
}

async function send({ status, headers, body }: Response, outgoing: ServerResponse): Promise<void> {
  outgoing.writeHead(status, Object.fromEntries(headers));
  if (body === null) outgoing.end();
  else await pipeline(Readable.fromWeb(body), outgoing);
}
