import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, inject, test } from 'vitest';
import { problemSchema } from '../../../src/api/problem.ts';
import { tokenIssuer } from '../../../src/api/tokens/token-issuer.ts';
import { addForgeAccount } from '../../../src/store/forge-accounts.ts';
import { SCOPES } from '../../../src/store/principal.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { runLogger } from '../../fixtures/run-log/of-test.ts';
import {
  type ApiAnswer,
  claimNamespace,
  makeTenant,
  send,
  startApi,
  startController,
  type Tenant,
} from './api-under-test.ts';
import { startTokenIssuer } from './token-issuer-under-test.ts';

const AUDIENCE = 'https://phaserun.example';
const GITHUB = 'https://token.actions.githubusercontent.com';

const { url: databaseUrl } = await freshDatabase();
const kubeconfigPath = inject('kubeconfigPath');
const issuer = await startTokenIssuer();
const lines: string[] = [];
const api = await startApi({
  kubeconfigPath,
  databaseUrl,
  namespace: await freshNamespace(),
  tokenIssuers: [
    tokenIssuer.parse({ issuer: issuer.url, audience: AUDIENCE }),
    tokenIssuer.parse({ kind: 'github-actions', jwksUrl: issuer.jwksUrl, audience: AUDIENCE }),
  ],
  logger: runLogger('api', (line) => lines.push(line)),
});
await startController({ kubeconfigPath, databaseUrl });
const [asker, victim] = [
  await makeTenant(api.pool, { scopes: SCOPES }),
  await makeTenant(api.pool, { scopes: SCOPES }),
];

/** What a request can name. Everything is as long for whoever's it is, so that answers can be compared whole. */
interface Names {
  readonly owner: string;
  readonly runId: string;
  readonly sessionId: string;
  readonly taskId: string;
  readonly approvalId: string;
  readonly webhookId: string;
  readonly role: string;
  readonly traceId: string;
  readonly idempotencyKey: string;
}

/** A request that names what is not the caller's; it is sent for another tenant's thing and for one of nobody. */
interface Ask {
  readonly name: string;
  readonly path: (names: Names) => string;
  readonly headers?: (names: Names) => Record<string, string>;
  readonly body?: (names: Names) => object;
  /** The status, whosever it is. */
  readonly want: number;
  /** The same for the token of a CI job, where it is not 403. */
  readonly wantForJob?: number;
}

const ISSUE = 7;
const phaseData = (names: Names) => `/api/v1/phase_data/${names.owner}%2Fshop/${ISSUE}`;

/** Every route of the OpenAPI document: open to all, or what is asked of it. */
const ROUTES: Readonly<Record<string, 'public' | readonly Ask[]>> = {
  'GET /livez': 'public',
  'GET /readyz': 'public',
  'GET /health': 'public',
  'GET /status': 'public',
  'POST /api/v1/phases/store': [
    {
      name: 'a repository',
      path: () => '/api/v1/phases/store',
      body: ({ owner }) => ({ phase: 'scan', repo: `${owner}/shop`, commitSha: '7776c71', data: {} }),
      want: 403,
    },
    {
      name: 'a run',
      path: () => '/api/v1/phases/store',
      body: ({ runId }) => ({
        phase: 'validation',
        repo: `${asker.owner}/shop`,
        issueNumber: ISSUE,
        commitSha: '7776c71',
        runId,
        data: {},
      }),
      want: 422,
      wantForJob: 422,
    },
  ],
  'GET /api/v1/phases/retrieve': [
    {
      name: 'a repository',
      path: ({ owner }) => `/api/v1/phases/retrieve?repo=${owner}/shop&issue=${ISSUE}&commit=7776c71`,
      want: 403,
    },
  ],
  'POST /api/v1/phase_data': [
    {
      name: 'a repository',
      path: () => '/api/v1/phase_data',
      body: ({ owner }) => ({ repository: `${owner}/shop`, issue_number: ISSUE, phase: 'scan', data: {} }),
      want: 403,
    },
  ],
  'GET /api/v1/phase_data/{repository}/{issue_number}': [
    { name: 'a repository', path: phaseData, want: 403 },
  ],
  'DELETE /api/v1/phase_data/{repository}/{issue_number}': [
    { name: 'a repository', path: phaseData, want: 403 },
  ],
  'GET /sessions': [{ name: 'a role', path: ({ role }) => `/sessions?agent_role=${role}`, want: 200 }],
  'POST /sessions': [
    {
      name: 'a task',
      path: () => '/sessions',
      body: () => ({ agent_role: 'finance', task_id: randomUUID() }),
      want: 201,
    },
  ],
  'GET /sessions/{id}': [
    { name: 'its id', path: ({ sessionId }) => `/sessions/${sessionId}`, want: 404 },
    { name: 'the task it carries', path: ({ taskId }) => `/sessions/${taskId}`, want: 404 },
  ],
  'PUT /sessions/{id}': [
    {
      name: 'its id',
      path: ({ sessionId }) => `/sessions/${sessionId}`,
      body: () => ({ status: 'active', metadata: { taken: true } }),
      want: 404,
    },
    {
      name: 'the task it carries',
      path: ({ taskId }) => `/sessions/${taskId}`,
      body: () => ({ status: 'active' }),
      want: 404,
    },
  ],
  'PUT /sessions/{id}/events': [
    {
      name: 'its id',
      path: ({ sessionId }) => `/sessions/${sessionId}/events`,
      body: () => ({ event: 'activate' }),
      want: 404,
    },
  ],
  'POST /tasks/route': [
    {
      name: 'the key of a request',
      path: () => '/tasks/route',
      headers: ({ idempotencyKey }) => ({ 'idempotency-key': idempotencyKey, 'x-trace-id': 'the-same' }),
      body: () => ({ target: 'finance', task: { task_type: 'audit' } }),
      want: 202,
    },
  ],
  'GET /tasks': [{ name: 'a target', path: ({ role }) => `/tasks?target=${role}`, want: 200 }],
  'GET /tasks/{id}': [{ name: 'its id', path: ({ taskId }) => `/tasks/${taskId}`, want: 404 }],
  'GET /approvals': [{ name: 'a status', path: () => '/approvals?status=rejected', want: 200 }],
  'POST /approvals': [
    {
      name: 'a task',
      path: () => '/approvals',
      body: ({ taskId }) => ({ task_id: taskId, decision: 'approved' }),
      want: 202,
    },
  ],
  'GET /approvals/{id}': [
    { name: 'its id', path: ({ approvalId }) => `/approvals/${approvalId}`, want: 404 },
  ],
  'PUT /approvals/{id}': [
    {
      name: 'its id',
      path: ({ approvalId }) => `/approvals/${approvalId}`,
      body: () => ({ decision: 'approved' }),
      want: 404,
    },
  ],
  'GET /audit': [{ name: 'a trace', path: ({ traceId }) => `/audit?trace_id=${traceId}`, want: 200 }],
  'POST /audit/ingest': [
    {
      name: 'a trace',
      path: () => '/audit/ingest',
      body: ({ role }) => ({ source: 'agent', category: 'task', action: 'seen', subject: role }),
      want: 202,
    },
  ],
  'GET /api/v1/webhooks': [{ name: 'nothing', path: () => '/api/v1/webhooks', want: 200 }],
  'POST /api/v1/webhooks': [
    {
      name: 'a URL',
      path: () => '/api/v1/webhooks',
      body: () => ({ url: 'https://hooks.example.com/' }),
      want: 201,
    },
  ],
  'DELETE /api/v1/webhooks/{id}': [
    { name: 'its id', path: ({ webhookId }) => `/api/v1/webhooks/${webhookId}`, want: 404 },
  ],
  'POST /api/v1/webhooks/{id}/enable': [
    { name: 'its id', path: ({ webhookId }) => `/api/v1/webhooks/${webhookId}/enable`, want: 404 },
  ],
  'GET /api/v1/webhooks/{id}/deliveries': [
    { name: 'its id', path: ({ webhookId }) => `/api/v1/webhooks/${webhookId}/deliveries`, want: 404 },
  ],
  'POST /api/v1/webhooks/{id}/deliveries/{deliveryId}/replay': [
    {
      name: 'its id',
      path: ({ webhookId }) => `/api/v1/webhooks/${webhookId}/deliveries/1/replay`,
      want: 404,
    },
  ],
  'GET /profiles/{role}': [{ name: 'a role', path: ({ role }) => `/profiles/${role}`, want: 404 }],
};

const asJson = { 'content-type': 'application/json' };
const MARK = `mark-${randomBytes(6).toString('hex')}`;
const nobodys: Names = {
  owner: `owner-${randomBytes(5).toString('hex')}`,
  runId: randomUUID(),
  sessionId: randomUUID(),
  taskId: randomUUID(),
  approvalId: randomUUID(),
  webhookId: randomUUID(),
  role: `role-${randomBytes(5).toString('hex')}`,
  traceId: randomUUID(),
  idempotencyKey: randomUUID(),
};
const theirs = await plant();

/** Gives the victim one of everything, as its own client would. */
async function plant(): Promise<Names> {
  const [role, traceId, idempotencyKey] = [
    `role-${randomBytes(5).toString('hex')}`,
    randomUUID(),
    randomUUID(),
  ];
  const repo = `${victim.owner}/shop`;
  const post = async (path: string, body: object, headers: Record<string, string> = {}) => {
    const init = {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { ...asJson, ...withKey(victim), ...headers },
    };
    const answer = await send(api, path, init);
    expect([path, answer.status, answer.body]).toEqual([
      path,
      expect.toSatisfy((status: number) => status < 300),
      answer.body,
    ]);
    return answer.body;
  };
  const data = { note: MARK };
  const subject = { repo, issueNumber: ISSUE, commitSha: '7776c71', data };
  await post('/api/v1/phases/store', { ...subject, phase: 'scan' });
  const { id: runId } = await post('/api/v1/phases/store', {
    ...subject,
    phase: 'validation',
    status: 'running',
  });
  const task = { target: role, task: { task_type: 'audit', description: MARK, data } };
  const { task_id: taskId } = await post('/tasks/route', task, {
    'idempotency-key': idempotencyKey,
    'x-trace-id': traceId,
  });
  const session = { agent_role: role, task_id: taskId, metadata: data };
  const { session_id: sessionId } = await post('/sessions', session, { 'x-trace-id': traceId });
  const { approval_id: approvalId } = await post(
    '/approvals',
    { task_id: taskId, comments: MARK },
    { 'x-trace-id': traceId },
  );
  const { id: webhookId } = await post('/api/v1/webhooks', { url: `https://hooks.example.com/${MARK}` });
  return {
    owner: victim.owner,
    runId,
    sessionId,
    taskId,
    approvalId,
    webhookId,
    role,
    traceId,
    idempotencyKey,
  };
}

const { body: document } = await send(api, '/openapi.json');
const operations = Object.entries<object>(document.paths).flatMap(([path, methods]) =>
  Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
);

test('every route of the document is asked', () => {
  expect(operations.toSorted()).toEqual(Object.keys(ROUTES).toSorted());
});

const asks = Object.entries(ROUTES).flatMap(([route, cases]) =>
  cases === 'public' ? [] : cases.map((ask) => ({ route, ...ask })),
);

const CALLERS: readonly { readonly caller: string; readonly headers: Record<string, string> }[] = [
  { caller: 'a key', headers: withKey(asker) },
  {
    caller: 'a token',
    headers: await withToken({ customer_id: asker.customerId, scope: SCOPES.join(' ') }),
  },
  {
    caller: 'a CI job',
    headers: await withToken({
      iss: GITHUB,
      repository: `${asker.owner}/shop`,
      repository_owner: asker.owner,
    }),
  },
];

describe.each(CALLERS)('another tenant, with $caller,', ({ caller, headers }) => {
  test.each(asks)('$route by $name', async (ask) => {
    const { want, wantForJob = 403 } = ask;
    const from = lines.length;
    const [of, ofNobody] = [await request(ask, headers, theirs), await request(ask, headers, nobodys)];
    expect(of.status).toBe(caller === 'a CI job' ? wantForJob : want);
    expect(withoutNames(of, theirs)).toEqual(withoutNames(ofNobody, nobodys));
    if (of.status >= 400) problemSchema.strict().parse(of.body);
    const said = [JSON.stringify(of.body), ...[...of.headers].flat()].join(' ');
    expect(SECRETS.filter((secret) => said.includes(secret))).toEqual([]);
    const log = lines.slice(from).join('');
    expect(log).toContain('request answered');
    expect(tracesIn(log)).toEqual([]);
  });
});

describe.each(CALLERS)('whose own claim is not verified, with $caller,', async ({ caller, headers }) => {
  const [uncontested, contested] = [await claimUnverified(), await claimUnverified()];
  await claimNamespace(api.pool, victim.customerId, contested.owner);
  const code = caller === 'a CI job' ? 'NAMESPACE_FORBIDDEN' : 'FORGE_ACCOUNT_NOT_VERIFIED';

  test.each(asks.filter(({ name }) => name === 'a repository'))(
    '$route hears of that claim alone, whoever else has the namespace verified',
    async (ask) => {
      const [of, ofNobody] = [
        await request(ask, headers, contested),
        await request(ask, headers, uncontested),
      ];
      expect([of.status, of.body.code]).toEqual([403, code]);
      expect(withoutNames(of, contested)).toEqual(withoutNames(ofNobody, uncontested));
      if (caller === 'a CI job') return;
      expect(of.body.detail).toContain(`phaserun admin forge-account verify ${contested.owner} `);
    },
  );
});

/** Gives the asker a claim of a namespace, as long as the others, that opens nothing. */
async function claimUnverified(): Promise<Names> {
  const owner = `owner-${randomBytes(5).toString('hex')}`;
  await addForgeAccount(api.pool, asker.customerId, { forge: 'github', namespace: owner });
  return { ...nobodys, owner };
}

function request(
  { route, path, body, headers: own }: Ask & { readonly route: string },
  headers: Record<string, string>,
  names: Names,
): Promise<ApiAnswer> {
  const sent = body?.(names);
  return send(api, path(names), {
    method: route.split(' ')[0] ?? '',
    headers: { ...headers, ...(sent && asJson), ...own?.(names) },
    ...(sent && { body: JSON.stringify(sent) }),
  });
}

const SECRETS = [MARK, victim.customerId, victim.apiKey];
const TRACES = [...new Set([...SECRETS, ...Object.values(theirs)])];

/** What of the victim stands in a log. */
function tracesIn(log: string): string[] {
  return TRACES.filter((trace) => log.includes(trace));
}

test('the search of the log finds each of them where it is', async () => {
  // The id of a request is free text of the client's, and logged. A key has no business there even now.
  for (const trace of TRACES.filter((each) => each !== victim.apiKey)) {
    const from = lines.length;
    await send(api, '/sessions', { headers: { ...withKey(asker), 'x-request-id': trace } });
    expect(tracesIn(lines.slice(from).join(''))).toEqual([trace]);
  }
  expect(tracesIn(victim.apiKey)).toEqual([victim.apiKey]);
});

test('the victim has what it had, and sees nothing of it all', async () => {
  const read = (path: string) => send(api, path, { headers: withKey(victim) });
  const { sessionId, taskId, role } = theirs;
  expect(await read(`/sessions/${sessionId}`)).toMatchObject({
    status: 200,
    body: { status: 'pending', metadata: { note: MARK } },
  });
  expect(
    (await read('/sessions')).body.sessions.map(({ agent_role }: { agent_role: string }) => agent_role),
  ).toContain(role);
  expect((await read('/approvals?status=pending')).body).toMatchObject({ approvals: [{ task_id: taskId }] });
  const phases = await read(
    `/api/v1/phases/retrieve?repo=${victim.owner}/shop&issue=${ISSUE}&commit=7776c71`,
  );
  expect(phases.body).toEqual({ scan: { note: MARK } });
});

test.each(['GET', 'POST', 'PUT', 'DELETE'])(
  '%s of no credentials is refused before anything is looked up',
  async (method) => {
    for (const ask of asks.filter(({ route }) => route.startsWith(`${method} `))) {
      const { status, body } = await send(api, ask.path(theirs), { method });
      expect([ask.route, status, body.code]).toEqual([ask.route, 401, 'AUTH_REQUIRED']);
    }
  },
);

function withKey({ apiKey }: Pick<Tenant, 'apiKey'>): Record<string, string> {
  return { 'x-api-key': apiKey };
}

async function withToken(claims: object): Promise<Record<string, string>> {
  return { authorization: `Bearer ${await issuer.sign({ aud: AUDIENCE, ...claims })}` };
}

const PER_REQUEST = /^(?:date|x-request-id|x-trace-id|x-ratelimit-.*)$/;

/** An answer as it would be whatever had been named, whenever. */
function withoutNames({ status, headers, body }: ApiAnswer, names: Names): object {
  const kept = [...headers].filter(([header]) => !PER_REQUEST.test(header));
  const text = JSON.stringify({ status, headers: kept, body: { ...body, requestId: undefined } });
  const nameless = Object.values(names).reduce((rest, name) => rest.replaceAll(name, '<name>'), text);
  return JSON.parse(
    nameless
      .replaceAll(NEW_ID, '$1"<id>"')
      .replaceAll(UUID, '<id>')
      .replaceAll(TIME, '<time>')
      .replaceAll(NEW_SECRET, '<secret>'),
  );
}

/** Audit events are numbered in the order in which they happen. */
const NEW_ID = /("id":)\d+/g;
const UUID = /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g;
const NEW_SECRET = /whsec_[\w+/=]+/g;
const TIME = /\d{4}-\d\d-\d\dT[\d:.]+Z/g;
