import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { createMcpServer } from './mcp-server.ts';
import { MeshApi, type MeshSettings } from './mesh-api.ts';

export interface McpStdioOptions {
  readonly version: string;
  readonly mesh: MeshSettings;
  readonly token: string | undefined;
  readonly onError: (error: Error) => void;
}

/** Serves MCP over stdin and stdout. It ends when the client closes stdin: nothing else keeps the process. */
export function startMcpStdio({ version, mesh, token, onError }: McpStdioOptions): void {
  serveStdio(() => createMcpServer(new MeshApi(mesh, token), version), { onerror: onError });
}
