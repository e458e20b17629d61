import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { explainFailure } from '../../../src/mcp/explain-failure.ts';
import { startMcpHttp } from '../../../src/mcp/http-server.ts';
import { MeshApi } from '../../../src/mcp/mesh-api.ts';
import {
  closedPort,
  createScriptedServer,
  json,
  type ScriptedServer,
} from '../../fixtures/scripted-server.ts';
import { runCli } from '../cli/run-cli.ts';
import { callTool, connectHttp, type McpSession } from './mcp-client.ts';

let controller: ScriptedServer;
let session: McpSession | undefined;
beforeEach(async () => {
  controller = await createScriptedServer();
});
afterEach(async () => {
  await session?.close();
  session = undefined;
  await controller.close();
});

const task = { target: 'finance', task_type: 'review' };
const accepted = json(202, { task_id: 'x', status: 'accepted', trace_id: 't' });
const busy = { 'retry-after': '0' };

describe('a request is sent again', () => {
  test.each([429, 500, 503])('after %i, under the same key', async (status) => {
    controller.replies = [json(status, {}, busy), accepted];
    session = await connectHttp({ controllerUrl: controller.url, token: 'key', retries: 3 });
    expect(await callTool(session, 'send_task', task)).toMatchObject({ isError: false });
    const keys = controller.received.map(({ headers }) => headers['idempotency-key']);
    expect(keys).toHaveLength(2);
    expect(keys[0]).toBe(keys[1]);
    expect(controller.received[0]?.headers.authorization).toBe('Bearer key');
  });

  test('only so many times', async () => {
    controller.replies = [json(503, { detail: 'Not now.' }, busy)];
    session = await connectHttp({ controllerUrl: controller.url, token: 'key', retries: 2 });
    const { isError, text } = await callTool(session, 'send_task', task);
    expect(isError).toBe(true);
    expect(text).toMatch(/answered 503: Not now\..*\n.*Call again/);
    expect(controller.received).toHaveLength(3);
  });

  test.each([400, 401, 403, 404, 409, 422])('but never after %i', async (status) => {
    controller.replies = [json(status, { detail: 'No.' }, busy)];
    session = await connectHttp({ controllerUrl: controller.url, token: 'key', retries: 3 });
    expect(await callTool(session, 'send_task', task)).toMatchObject({ isError: true });
    expect(controller.received).toHaveLength(1);
  });
});

test('an API that is not there is an error that says what to check', async () => {
  const controllerUrl = `http://127.0.0.1:${await closedPort()}`;
  session = await connectHttp({ controllerUrl, token: 'key' });
  const { isError, text } = await callTool(session, 'fetch_status');
  expect(isError).toBe(true);
  expect(text).toMatch(/cannot be reached.*\n.*CONTROLLER_URL/);
});

test.each([
  { name: 'a token that no header carries', token: 'rsolv_id_SECRET\nx', password: '', want: /credentials/ },
  { name: 'an address with a password', token: 'key', password: 'SECRET', want: /no password/ },
])('$name is not repeated to the agent', async ({ token, password, want }) => {
  const { href: controllerUrl } = Object.assign(new URL(controller.url), { password });
  const api = new MeshApi({ controllerUrl, timeoutMs: 1_000, retries: 0 }, token);
  const text = explainFailure(await api.get('health').catch((error: unknown) => error));
  expect(text).toMatch(want);
  expect(text).not.toContain('SECRET');
});

test('another web server in the place of the API is not believed', async () => {
  controller.replies = [(response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')];
  session = await connectHttp({ controllerUrl: controller.url, token: 'key', retries: 3 });
  expect(await callTool(session, 'fetch_status')).toMatchObject({ isError: true });
  expect(controller.received).toHaveLength(1);
});

describe('the HTTP server on the loopback address', () => {
  const listTools = {
    method: 'POST',
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
  };
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  let server: Awaited<ReturnType<typeof startMcpHttp>>;
  beforeEach(async () => {
    server = await startMcpHttp({
      version: '0.0.0-test',
      mesh: { controllerUrl: controller.url, timeoutMs: 10_000, retries: 0 },
      token: 'of-the-server',
      host: '127.0.0.1',
      port: 0,
      onError: () => undefined,
    });
  });
  afterEach(() => server.close());

  test('answers at /mcp alone', async () => {
    expect((await fetch(server.url, { ...listTools, headers })).status).toBe(200);
    expect((await fetch(new URL('/other', server.url), { ...listTools, headers })).status).toBe(404);
  });

  test('refuses web pages of other sites', async () => {
    const origin = { ...headers, origin: 'https://evil.example' };
    expect((await fetch(server.url, { ...listTools, headers: origin })).status).toBe(403);
  });

  test.each([
    { name: 'the own credentials of a caller', given: { authorization: 'Bearer own' }, want: 'Bearer own' },
    { name: 'an API key of a caller', given: { 'x-api-key': 'rsolv_a_b' }, want: 'Bearer rsolv_a_b' },
    { name: 'those of the server, where the caller has none', given: {}, want: 'Bearer of-the-server' },
  ])('passes on $name', async ({ given, want }) => {
    controller.replies = [json(200, { status: 'healthy' })];
    const call = {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'fetch_status', arguments: {} },
    };
    await fetch(server.url, {
      method: 'POST',
      body: JSON.stringify(call),
      headers: { ...headers, ...given },
    });
    expect(controller.received.map((request) => request.headers.authorization)).toEqual([want]);
  });
});

test('the credentials of the server are not lent to a network', async () => {
  const refused = await runCli(['mcp', '--http', '--host', '0.0.0.0'], { env: { MESH_JWT_TOKEN: 'secret' } });
  expect(refused).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/MESH_JWT_TOKEN/) });
  expect(refused.stderr).not.toContain('secret');
});

describe('over HTTP what cannot be a request is answered:', () => {
  test.each([
    { name: 'TRACE', method: 'TRACE', host: 'localhost', want: 405 },
    { name: 'a Host that is none', method: 'POST', host: 'a b', want: 400 },
    { name: 'a path that is none', method: 'GET', host: 'localhost', path: '//', want: 400 },
  ])('$name', async ({ method, host, path = '/mcp', want }) => {
    const mesh = { controllerUrl: controller.url, timeoutMs: 1_000, retries: 0 };
    const onError = () => undefined;
    const options = { version: '1', mesh, token: undefined, host: '127.0.0.1', port: 0, onError };
    const server = await startMcpHttp(options);
    await using _ = { [Symbol.asyncDispose]: () => server.close() };
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    const { hostname, port } = new URL(server.url);
    request({ hostname, port, path, method, headers: { host } })
      .once('response', (response) => resolve(response.resume().statusCode))
      .once('error', reject)
      .end();
    expect(await promise).toBe(want);
  });
});
