import { Command } from 'commander';
import { loadConfig } from '../config.ts';
import { isLoopback, startMcpHttp } from '../mcp/http-server.ts';
import { startMcpStdio } from '../mcp/stdio-server.ts';
import { helpFooter, portNumber } from './arguments.ts';
import { CommandFailure } from './failure.ts';
import { note } from './output.ts';
import { serveUntilSignalled } from './serve.ts';
import { readVersion } from './version.ts';

interface McpOptions {
  readonly http?: true;
  readonly host: string;
  readonly port: number;
}

/** `mcp`: the tools of agents, over stdio or HTTP. */
export function mcpCommand(): Command {
  return new Command('mcp')
    .summary('offer the API to agents as MCP tools')
    .description(
      'A server of the Model Context Protocol. It speaks over stdin and stdout, as clients start it, or with --http over ' +
        'streamable HTTP at /mcp, where callers bring their own credentials as Authorization: Bearer.',
    )
    .option('--http', 'serve streamable HTTP instead of stdio')
    .option('--host <address>', 'address to listen on, with --http', '127.0.0.1')
    .option('--port <port>', 'port to listen on, with --http', portNumber, 8090)
    .addHelpText('after', HELP)
    .action((options: McpOptions) => (options.http ? serveHttp(options) : serveStdio()));
}

const HELP = helpFooter({
  examples: [
    'MESH_JWT_TOKEN=rsolv_… phaserun mcp',
    'MESH_JWT_TOKEN=rsolv_… phaserun mcp --http',
    'CONTROLLER_URL=http://phaserun-api:8088 phaserun mcp --http --host 0.0.0.0',
  ],
  environment: {
    CONTROLLER_URL: 'address of the API; default http://localhost:8088',
    MESH_JWT_TOKEN: 'token (JWT) or API key with the scope sessions, and phases:read for phase_results',
    MESH_TIMEOUT_SECS: 'longest wait for an answer of the API; default 30',
    MESH_RETRY_COUNT: 'how often a request that may pass is sent again; default 3',
  },
});

function serveStdio(): void {
  const { mesh, meshToken } = loadConfig();
  startMcpStdio({ version: readVersion(), mesh, token: meshToken, onError: ({ message }) => note(message) });
}

function serveHttp({ host, port }: McpOptions): Promise<never> {
  const { mesh, meshToken } = loadConfig();
  if (meshToken !== undefined && !isLoopback(host)) {
    throw new CommandFailure(`MESH_JWT_TOKEN would serve whoever reaches ${host}`, {
      advice: 'Unset it, so that callers bring credentials of their own, or listen on 127.0.0.1.',
      exitCode: 2,
    });
  }
  return serveUntilSignalled(async () => {
    const running = await startMcpHttp({
      version: readVersion(),
      mesh,
      token: meshToken,
      host,
      port,
      onError: ({ message }) => note(message),
    });
    note(`MCP at ${running.url}`);
    return running;
  });
}
