import { randomUUID } from 'node:crypto';
import type { CallToolResult, McpServer, ToolAnnotations } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { isJsonObject, type JsonObject } from '../client/phase-result.ts';
import { explainFailure } from './explain-failure.ts';
import type { MeshApi } from './mesh-api.ts';
import { renderAnswer } from './render-answer.ts';

/** One tool: what it takes, what it asks of the API, and what is said of the answer. */
export interface Tool<Input extends z.ZodObject> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly annotations: ToolAnnotations;
  readonly input: Input;
  readonly call: (api: MeshApi, input: z.infer<Input>) => Promise<JsonObject>;
  /** Default: the answer as JSON. */
  readonly render?: (answer: JsonObject) => string;
}

/** Declares a tool, its types inferred. */
export function makeTool<Input extends z.ZodObject>(tool: Tool<Input>): Tool<Input> {
  return tool;
}

/** Offers a tool. What fails becomes the result of the call, for whoever called to read and to act on. */
export function registerTool<Input extends z.ZodObject>(
  server: McpServer,
  api: MeshApi,
  { name, title, description, annotations, input, call, render = renderAnswer }: Tool<Input>,
): void {
  const inputSchema = z.preprocess(unnest, input);
  server.registerTool(name, { title, description, annotations, inputSchema }, async (given) => {
    try {
      const answer = await call(api, given);
      return textResult(render(answer), { structuredContent: { ...answer } });
    } catch (error) {
      return textResult(explainFailure(error), { isError: true });
    }
  });
}

/** Some clients put all arguments below `params`. */
function unnest(given: unknown): unknown {
  if (!isJsonObject(given) || !isJsonObject(given['params'])) return given;
  const { params, ...flat } = given;
  return { ...params, ...flat };
}

function textResult(text: string, rest: Omit<CallToolResult, 'content'>): CallToolResult {
  return { content: [{ type: 'text', text }], ...rest };
}

/** Argument of tools that change something. */
export const idempotencyKey = z
  .guid()
  .default(() => randomUUID())
  .describe('A UUID. Call again with the same one, and it is done once. Made up when it is left out.');
