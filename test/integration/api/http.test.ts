import { connect } from 'node:net';
import { describe, expect, inject, test } from 'vitest';
import { problemSchema } from '../../../src/api/problem.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { makeTenant, send, startApi } from './api-under-test.ts';

const { url: databaseUrl } = await freshDatabase();
const api = await startApi({
  kubeconfigPath: inject('kubeconfigPath'),
  databaseUrl,
  namespace: await freshNamespace(),
});
const tenant = await makeTenant(api.pool);

describe('every answer carries a request id', () => {
  test.each([
    { name: "the caller's own", sent: 'ci-job/42:1', want: /^ci-job\/42:1$/ },
    { name: 'a new one in place of one that is too long', sent: 'x'.repeat(129), want: /^[0-9a-f-]{36}$/ },
    { name: 'a new one in place of one that needs quoting', sent: 'a"b', want: /^[0-9a-f-]{36}$/ },
    { name: 'a new one when there is none', sent: undefined, want: /^[0-9a-f-]{36}$/ },
  ])('$name', async ({ sent, want }) => {
    const headers: Record<string, string> = sent === undefined ? {} : { 'x-request-id': sent };
    const { headers: answered } = await send(api, '/livez', { headers });
    expect(answered.get('x-request-id')).toMatch(want);
    const missing = await send(api, '/nothing-here', { headers });
    expect(missing.body.requestId).toBe(missing.headers.get('x-request-id'));
  });
});

describe('addresses', () => {
  test.each([
    { name: 'one that is unknown', path: '/nope', method: 'GET', want: { status: 404, code: 'NOT_FOUND' } },
    {
      name: 'one above the root',
      path: '/..%2f..%2fetc/passwd',
      method: 'GET',
      want: { status: 404, code: 'NOT_FOUND' },
    },
    {
      name: 'a file of the documentation that is not there',
      path: '/docs/static/nope.js',
      method: 'GET',
      want: { status: 404, code: 'NOT_FOUND' },
    },
    {
      name: 'one with a broken escape',
      path: '/%zz',
      method: 'GET',
      want: { status: 400, code: 'BAD_REQUEST' },
    },
    {
      name: 'a method it has not',
      path: '/api/v1/phases/store',
      method: 'GET',
      want: { status: 405, code: 'METHOD_NOT_ALLOWED' },
    },
    {
      name: 'a method nobody has',
      path: '/health',
      method: 'PROPFIND',
      want: { status: 405, code: 'METHOD_NOT_ALLOWED' },
    },
  ])('$name', async ({ path, method, want }) => {
    const { status, body } = await send(api, path, { method });
    expect({ status, code: problemSchema.strict().parse(body).code }).toEqual(want);
  });

  test.each([
    { name: 'of an address', path: '/api/v1/phases/retrieve', init: { method: 'DELETE' }, want: 'GET, HEAD' },
    { name: 'of a literal address that a pattern matches', path: '/tasks/route', init: {}, want: 'POST' },
    {
      name: 'before the body is read',
      path: '/health',
      init: { method: 'POST', body: '{' },
      want: 'GET, HEAD',
    },
    { name: 'before its type is missed', path: '/health', init: { method: 'QUERY' }, want: 'GET, HEAD' },
  ])('a 405 says what is allowed: $name', async ({ path, init, want }) => {
    const { status, headers } = await send(api, path, init);
    expect({ status, allow: headers.get('allow') }).toEqual({ status: 405, allow: want });
  });

  test.each(['/status/', '//status', '/status'])('%s is the same', async (path) => {
    expect((await send(api, path)).body).toEqual({ status: 'ok', version: '0.0.0-test' });
  });

  test('the root says where to go on', async () => {
    expect((await send(api, '/')).body).toMatchObject({ docs: '/docs', openapi: '/openapi.json' });
  });
});

describe('what Node would answer without a body is answered with a problem', () => {
  test.each([
    { name: 'no HTTP', request: 'GARBAGE', want: { status: 400, code: 'BAD_REQUEST' } },
    {
      name: 'no Host',
      request: 'GET /status HTTP/1.1\r\nConnection: close',
      want: { status: 400, code: 'BAD_REQUEST' },
    },
    {
      name: 'an expectation that nobody knows',
      request: 'GET /status HTTP/1.1\r\nHost: x\r\nExpect: the-unexpected',
      want: { status: 417, code: 'EXPECTATION_FAILED' },
    },
  ])('$name', async ({ request, want }) => {
    const { status, body } = await sendRaw(request);
    expect({ status, code: problemSchema.strict().parse(JSON.parse(body)).code }).toEqual(want);
  });

  test('HTTP/1.0 needs no Host', async () => {
    expect((await sendRaw('GET /status HTTP/1.0')).status).toBe(200);
  });
});

/** Sends this head as it is, and reads until the server hangs up. */
async function sendRaw(head: string): Promise<{ status: number; body: string }> {
  const { port, hostname } = new URL(api.url);
  const socket = connect(Number(port), hostname);
  socket.end(`${head}\r\n\r\n`);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  const [answered = '', body = ''] = Buffer.concat(chunks).toString().split('\r\n\r\n');
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(answered)?.[1]), body };
}

describe('health', () => {
  test('says what is connected', async () => {
    expect(await send(api, '/health')).toMatchObject({
      status: 200,
      body: {
        status: 'healthy',
        version: '0.0.0-test',
        database: 'connected',
        redis: 'disabled',
        kubernetes: 'connected',
      },
    });
  });

  test('a process that is about to stop is alive, and not ready', async () => {
    api.setDraining(true);
    expect((await send(api, '/readyz')).status).toBe(503);
    expect((await send(api, '/livez')).status).toBe(200);
    api.setDraining(false);
    expect((await send(api, '/readyz')).status).toBe(200);
  });
});

test('a DELETE that names a type and sends nothing is understood', async () => {
  const { status } = await send(api, `/api/v1/phase_data/${tenant.owner}%2Fshop/7`, {
    method: 'DELETE',
    headers: { 'x-api-key': tenant.apiKey, 'content-type': 'application/json' },
  });
  expect(status).toBe(204);
});

describe('retrieve', () => {
  test('answers HEAD as GET, and is never cached', async () => {
    const init = { headers: { 'X-API-Key': tenant.apiKey } };
    const path = `/api/v1/phases/retrieve?repo=${tenant.owner}%2Fshop`;
    const get = await send(api, path, init);
    const head = await send(api, path, { ...init, method: 'HEAD' });
    expect(get).toMatchObject({ status: 200, body: {} });
    expect(get.headers.get('cache-control')).toBe('no-store');
    expect(head.status).toBe(200);
    expect(head.headers.get('content-length')).toBe('2');
  });

  test.each([
    { name: 'x-api-key', headers: { 'x-api-key': tenant.apiKey } },
    { name: 'X-API-KEY', headers: { 'X-API-KEY': tenant.apiKey } },
    { name: 'a bearer token', headers: { authorization: `Bearer ${tenant.apiKey}` } },
    { name: 'a bearer token in lower case', headers: { authorization: `bearer ${tenant.apiKey}` } },
  ])('takes the key as $name', async ({ headers }) => {
    expect((await send(api, `/api/v1/phases/retrieve?repo=${tenant.owner}/shop`, { headers })).status).toBe(
      200,
    );
  });
});

describe('the OpenAPI document', async () => {
  const { body: document } = await send(api, '/openapi.json');

  test('is of version 3.1, names each operation once, and documents problems', () => {
    expect(document.openapi).toBe('3.1.0');
    const operations = Object.values<Record<string, { operationId: string; responses: object }>>(
      document.paths,
    ).flatMap((methods) => Object.values(methods));
    const ids = operations.map(({ operationId }) => operationId);
    expect(ids).toEqual(expect.arrayContaining(['storePhaseResult', 'retrievePhaseResults', 'getHealth']));
    expect(new Set(ids).size).toBe(ids.length);
    const { responses } = document.paths['/api/v1/phases/store'].post;
    expect(Object.keys(responses)).toEqual(
      expect.arrayContaining(['200', '202', '400', '401', '403', '413', '415', '422', '503']),
    );
  });

  test('refers to nothing that is not there, and has nothing that is not referred to', () => {
    const text = JSON.stringify(document);
    const referred = new Set([...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name));
    expect(referred).toEqual(new Set(Object.keys(document.components.schemas)));
  });

  test('is shown on a page that works over plain HTTP', async () => {
    const page = await fetch(`${api.url}/docs`);
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toContain('text/html');
    expect(page.headers.get('content-security-policy')).not.toContain('upgrade-insecure-requests');
    expect((await fetch(`${api.url}/docs/static/swagger-ui-bundle.js`)).status).toBe(200);
  });
});

test('requests are counted by the pattern of their route, never by their path', async () => {
  await send(api, '/api/v1/phases/retrieve?repo=some/secret-repo');
  await send(api, '/some/secret-path');
  const metrics = await fetch(`${api.url}/metrics`);
  expect(metrics.headers.get('content-type')).toContain('text/plain; version=0.0.4');
  const text = await metrics.text();
  expect(text).toMatch(
    /http_requests_total\{method="GET",route="\/api\/v1\/phases\/retrieve",status="401"\} [1-9]/,
  );
  expect(text).toMatch(/http_requests_total\{method="GET",route="unmatched",status="404"\} [1-9]/);
  expect(text).toMatch(/phaserun_auth_outcomes_total\{outcome="missing"\} [1-9]/);
  expect(text).toContain('phaserun_build_info{version="0.0.0-test"');
  expect(text).not.toContain('secret-');
});
