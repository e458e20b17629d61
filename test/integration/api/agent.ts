import { randomUUID } from 'node:crypto';
import { type ApiAnswer, type ApiUnderTest, makeTenant, send, type Tenant } from './api-under-test.ts';

export interface Agent {
  readonly tenant: Tenant;
  send(method: string, path: string, body: unknown, headers?: Record<string, string>): Promise<ApiAnswer>;
  get(path: string, headers?: Record<string, string>): Promise<ApiAnswer>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<ApiAnswer>;
  put(path: string, body: unknown, headers?: Record<string, string>): Promise<ApiAnswer>;
}

/** An agent of a customer of its own. */
export async function makeAgent(api: ApiUnderTest): Promise<Agent> {
  return agentOf(api, await makeTenant(api.pool, { scopes: ['sessions'] }));
}

export function agentOf(api: ApiUnderTest, tenant: Tenant): Agent {
  const ask = (method: string, path: string, body: unknown, headers: Record<string, string> = {}) =>
    send(api, path, {
      method,
      headers: {
        authorization: `Bearer ${tenant.apiKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  return {
    tenant,
    send: ask,
    get: (path, headers) => ask('GET', path, undefined, headers),
    post: (path, body, headers) => ask('POST', path, body, headers),
    put: (path, body, headers) => ask('PUT', path, body, headers),
  };
}

/** Opens a session and gives its id. */
export async function openSession(agent: Agent, body: object = { agent_role: 'support' }): Promise<string> {
  const { status, body: answer } = await agent.post('/sessions', body);
  if (status !== 201) throw new Error(`no session: ${status} ${JSON.stringify(answer)}`);
  return answer.session_id;
}

/** Routes a task and gives its id. */
export async function routeTask(agent: Agent, body: object = {}): Promise<string> {
  const task = { target: 'finance', task: { task_type: 'audit' }, ...body };
  const { status, body: answer } = await agent.post('/tasks/route', task, newKey());
  if (status !== 202) throw new Error(`no task: ${status} ${JSON.stringify(answer)}`);
  return answer.task_id;
}

export function newKey(): Record<string, string> {
  return { 'idempotency-key': randomUUID() };
}
