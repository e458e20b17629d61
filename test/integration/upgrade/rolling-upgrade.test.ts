import { randomUUID } from 'node:crypto';
import { sql } from 'slonik';
import { afterAll, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { createApiKey } from '../../../src/store/api-keys.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace, ownKubernetes } from '../../fixtures/kubernetes.ts';
import type { RoleProcess } from '../../fixtures/processes.ts';
import { countAudited, countTransitions } from '../end-to-end/history.ts';
import { retrieve, store } from '../end-to-end/runner.ts';
import { createWorld, type Tenant } from '../end-to-end/world.ts';
import { unpackVersionBefore } from './version-before.ts';

const before = await unpackVersionBefore();
const found = typeof before !== 'string';
if (!found) process.stderr.write(`the upgrade is not tried: ${before}\n`);

const { url: databaseUrl } = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const now = await createWorld({ kubeconfigPath, databaseUrl });
const old = await createWorld({ kubeconfigPath, databaseUrl, ...(found && { main: before.main }) });
// The lease that both versions want.
const env = { POD_NAMESPACE: await freshNamespace({ kubeconfigPath }) };
afterAll(async () => {
  if (found) await before.remove();
});

const SOON = { timeout: 60_000, interval: 50 };
const UPGRADE_MS = 180_000;
const leads = (controller: RoleProcess) => controller.log().includes('"msg":"leading"');

const subject = (tenant: Tenant, issueNumber: number) => ({
  repo: `${tenant.owner}/shop`,
  issueNumber,
  commitSha: 'c0ffee',
});

const validate = (api: RoleProcess, tenant: Tenant, issue: number, n = issue) =>
  store(api, tenant, { phase: 'validation', ...subject(tenant, issue), data: { validated: true, n } });

async function newest(api: RoleProcess, tenant: Tenant, issue: number) {
  const { repo, commitSha } = subject(tenant, issue);
  const { body } = await retrieve(api, tenant, { repo, commit: commitSha, issue: String(issue) });
  return body.validation?.[`issue-${issue}`]?.n;
}

/** Asks as an agent does. */
async function ask(api: RoleProcess, apiKey: string, path: string, body: object, key: string) {
  const response = await fetch(`${api.url}${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/json',
      'idempotency-key': key,
    },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.text() };
}

async function countValidations({ customerId }: Tenant) {
  const count = z.object({ rows: z.number(), runs: z.number(), issues: z.number() });
  return now.pool.one(sql.type(count)`
    SELECT count(*) AS rows, count(DISTINCT id) AS runs, count(DISTINCT issue_number) AS issues
    FROM validation_executions WHERE customer_id = ${customerId}
  `);
}

test.skipIf(!found)(
  'the version before works on this schema: store, retrieve, sessions, tasks that are done once',
  { timeout: UPGRADE_MS },
  async () => {
    const tenant = await now.makeTenant();
    const { apiKey } = await createApiKey(now.pool, {
      customerId: tenant.customerId,
      name: 'agent',
      scopes: ['sessions'],
    });
    const controller = await old.startController(env);
    const api = await old.startApi(env);
    expect(await validate(api, tenant, 1)).toMatchObject({
      status: 200,
      body: { persisted: true, sessionState: 'active' },
    });
    const fixed = { phase: 'mitigation', ...subject(tenant, 1), data: { fixed: true } };
    expect(await store(api, tenant, fixed)).toMatchObject({ body: { sessionState: 'completed' } });
    expect(await newest(api, tenant, 1)).toBe(1);
    const session = await ask(api, apiKey, '/sessions', { agent_role: 'support' }, randomUUID());
    expect(session.status).toBe(201);
    const key = randomUUID();
    const task = { target: 'finance', task: { task_type: 'audit' } };
    const first = await ask(api, apiKey, '/tasks/route', task, key);
    expect(first.status).toBe(202);
    expect(await ask(api, apiKey, '/tasks/route', task, key)).toEqual(first);
    // What one version has answered, the next one answers again.
    const next = await now.startApi(env);
    expect(await ask(next, apiKey, '/tasks/route', task, key)).toEqual(first);
    expect(await newest(next, tenant, 1)).toBe(1);
    for (const process of [api, next, controller])
      expect(await process.end('SIGTERM')).toEqual({ code: 0, signal: null });
  },
);

test.skipIf(!found)(
  'replaced while results arrive, by replicas of this version beside it, it loses none and doubles none',
  { timeout: UPGRADE_MS },
  async () => {
    const tenant = await now.makeTenant();
    const oldController = await old.startController(env);
    await vi.waitUntil(() => leads(oldController), SOON);
    const oldApi = await old.startApi(env);
    const newController = await now.startController(env);
    const newApi = await now.startApi(env);
    let apis: readonly RoleProcess[] = [oldApi];
    const acknowledged: number[] = [];
    const stopping = new AbortController();
    const storing = (async () => {
      for (let issue = 1; !stopping.signal.aborted; issue += 1) {
        const api = apis[issue % apis.length];
        if (api === undefined) throw new Error('there is no API');
        const { status } = await validate(api, tenant, issue);
        expect([200, 202]).toContain(status);
        acknowledged.push(issue);
      }
    })();
    // Awaited at the end; a test that fails before that is to say why itself.
    storing.catch(() => undefined);
    const more = (count: number) => {
      const enough = acknowledged.length + count;
      return vi.waitUntil(() => acknowledged.length >= enough, SOON);
    };
    await more(10);
    apis = [oldApi, newApi];
    await more(10);
    await oldController.end('SIGTERM');
    await vi.waitUntil(() => leads(newController), SOON);
    await more(10);
    // A replica that is told to stop is one that no new connection is led to.
    apis = [newApi];
    await more(2);
    expect(await oldApi.end('SIGTERM')).toEqual({ code: 0, signal: null });
    await more(10);
    stopping.abort();
    await storing;
    const count = acknowledged.length;
    await vi.waitFor(
      async () => expect(await countValidations(tenant)).toEqual({ rows: count, runs: count, issues: count }),
      SOON,
    );
    for (const issue of acknowledged) expect(await newest(newApi, tenant, issue)).toBe(issue);
    expect(await countTransitions(now.pool, tenant.customerId)).toEqual({
      'none → pending': count,
      'pending → active': count,
    });
    expect(await countAudited(now.pool, tenant.customerId)).toMatchObject({ 'phaserun.inserted': count });
    await newController.end('SIGTERM');
  },
);
