import { fileURLToPath } from 'node:url';
import { type CallToolResult, Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { startMcpHttp } from '../../../src/mcp/http-server.ts';
import { runLog } from '../../fixtures/run-log/of-test.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));

/** A client that is connected to a server of ours. */
export interface McpSession {
  readonly client: Client;
  close(): Promise<void>;
}

/** What a server of ours needs to know. */
export interface McpServerSettings {
  readonly controllerUrl: string;
  readonly token: string;
  readonly retries?: number;
}

/** Which protocol the client opens with: by the handshake of 2025, or as the newest revision has it. */
export type Era = 'legacy' | 'auto';

/** The program itself as a child process, as clients start it. */
export function connectStdio(
  { controllerUrl, token, retries = 0 }: McpServerSettings,
  era: Era = 'legacy',
): Promise<McpSession> {
  const env = {
    CONTROLLER_URL: controllerUrl,
    MESH_JWT_TOKEN: token,
    MESH_RETRY_COUNT: String(retries),
  };
  return connectWith(env, era);
}

/** The same, of which this is the whole environment, but for PATH. */
export async function connectWith(
  env: Readonly<Record<string, string>>,
  era: Era = 'legacy',
): Promise<McpSession> {
  const token = env['MESH_JWT_TOKEN'];
  if (token !== undefined) runLog().addSecret({ kind: 'MESH_JWT_TOKEN', secret: token });
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [MAIN, 'mcp'],
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stderr: 'pipe',
  });
  const keep = runLog().writer('mcp');
  transport.stderr?.on('data', (chunk: Buffer) => keep(chunk.toString()));
  const client = makeClient(era);
  await client.connect(transport);
  return { client, close: () => client.close() };
}

/** A server that listens in this process. */
export async function connectHttp(
  { controllerUrl, token, retries = 0 }: McpServerSettings,
  era: Era = 'legacy',
): Promise<McpSession> {
  const server = await startMcpHttp({
    version: '0.0.0-test',
    mesh: { controllerUrl, timeoutMs: 10_000, retries },
    token: undefined,
    host: '127.0.0.1',
    port: 0,
    onError: () => undefined,
  });
  const client = makeClient(era);
  const headers = { authorization: `Bearer ${token}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(server.url), { requestInit: { headers } }));
  return {
    client,
    async close() {
      await client.close();
      await server.close();
    },
  };
}

function makeClient(era: Era): Client {
  return new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode: era } });
}

export interface ToolAnswer {
  readonly isError: boolean;
  readonly text: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests say what they expect of it
  readonly content: any;
}

/** Calls a tool; its text in one piece. */
export async function callTool(
  { client }: McpSession,
  name: string,
  input: Record<string, unknown> = {},
): Promise<ToolAnswer> {
  const result: CallToolResult = await client.callTool({ name, arguments: input });
  const text = result.content.map((part) => (part.type === 'text' ? part.text : '')).join('');
  return { isError: result.isError === true, text, content: result.structuredContent };
}
