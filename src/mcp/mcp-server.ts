import { McpServer } from '@modelcontextprotocol/server';
import type { MeshApi } from './mesh-api.ts';
import { registerTool } from './tool.ts';
import { fetchStatus } from './tools/fetch-status.ts';
import { notify } from './tools/notify.ts';
import { phaseResults } from './tools/phase-results.ts';
import { requestApproval } from './tools/request-approval.ts';
import { sendTask } from './tools/send-task.ts';
import { sessionTimeline } from './tools/session-timeline.ts';

const INSTRUCTIONS =
  'Tasks, sessions and approvals of agents, and what the scan, validation and mitigation phases of security automation ' +
  'found. Ids that one tool answers are what the others take.';

/** An MCP server that offers the tools, over one connection or for one request. */
export function createMcpServer(api: MeshApi, version: string): McpServer {
  const server = new McpServer({ name: 'phaserun', version }, { instructions: INSTRUCTIONS });
  registerTool(server, api, fetchStatus);
  registerTool(server, api, sendTask);
  registerTool(server, api, notify);
  registerTool(server, api, requestApproval);
  registerTool(server, api, phaseResults);
  registerTool(server, api, sessionTimeline);
  return server;
}
