import { randomUUID } from 'node:crypto';
import { sql } from 'slonik';
import { describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import type { Connection } from '../../../src/store/database.ts';
import { ownKubernetes } from '../../fixtures/kubernetes.ts';
import { type Environment, roleProcesses } from '../../fixtures/processes.ts';
import { closedPort, createScriptedServer, json } from '../../fixtures/scripted-server.ts';
import { agentOf, newKey, openSession } from '../api/agent.ts';
import { type ApiUnderTest, makeTenant, send } from '../api/api-under-test.ts';
import { startTokenIssuer } from '../api/token-issuer-under-test.ts';
import { runCli } from '../cli/run-cli.ts';
import { callTool, connectWith } from '../mcp/mcp-client.ts';
import { ALL_SCOPES, createContractWorlds, isReplay } from './contract-worlds.ts';

// A dozen processes start at once, for both worlds.
vi.setConfig({ testTimeout: 240_000 });

const AUDIENCE = 'https://phaserun.example';

const issuer = await startTokenIssuer();
/** For controllers, which take up every PhaseRun that they see. */
const { kubeconfigPath } = await ownKubernetes();

describe.each(await createContractWorlds({ withController: false }))('$world', async (world) => {
  const { api, redisUrl, options } = world;
  const processes = roleProcesses();
  const tenant = await makeTenant(api.pool, { scopes: ALL_SCOPES });
  const base = { KUBECONFIG: options.kubeconfigPath, POD_NAMESPACE: options.namespace };
  const stores = { DATABASE_URL: options.databaseUrl, REDIS_URL: redisUrl };
  /** The API in a process of its own, as one to ask. */
  const start = async (env: Environment) => {
    const process = await processes.start('api', { ...base, ...env });
    return { ...api, url: process.url, log: () => process.log(), agent: agentAt(process.url) };
  };
  const agentAt = (url: string) => agentOf({ ...api, url }, tenant);

  const elsewhere = await closedPort();
  const nowhere = await closedPort();
  // Each is one environment that several rows look at.
  const [defaults, bare, full, lame] = await Promise.all([
    start(stores),
    start({}),
    start({
      ...stores,
      DATABASE_POOL_MAX: '2',
      OIDC_ISSUER_URL: 'https://id.example',
      OIDC_AUDIENCE: AUDIENCE,
      OIDC_JWKS_URL: issuer.jwksUrl,
      PORT: undefined,
      CONTROLLER_PORT: String(elsewhere),
      IDEMPOTENCY_ENABLED: 'false',
      ENABLE_PROMETHEUS_METRICS: 'false',
    }),
    start({ DATABASE_URL: `postgres://127.0.0.1:${nowhere}/x`, REDIS_URL: `redis://127.0.0.1:${nowhere}` }),
  ]);

  test.concurrent('`DATABASE_URL`: unset or unreachable the process starts, says so, and answers 503', async () => {
    for (const [process, state] of [
      [bare, 'disabled'],
      [lame, 'disconnected'],
    ] as const) {
      expect((await send(process, '/health')).body).toMatchObject({ status: 'degraded', database: state });
      const refused = await process.agent.get('/sessions');
      expect(refused).toMatchObject({ status: 503, body: { code: 'DATABASE_UNAVAILABLE' } });
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect((await send(defaults, '/health')).body).toMatchObject({ database: 'connected' });
    expect((await defaults.agent.get('/sessions')).status).toBe(200);
  });

  test('`DATABASE_POOL_MAX`: so many connections of a process, 5 by default', async () => {
    for (const [process, want] of [
      [full, 2],
      [defaults, 5],
    ] as const) {
      const answers = await api.pool.transaction(async (transaction) => {
        await transaction.query(sql.unsafe`LOCK TABLE approvals IN ACCESS EXCLUSIVE MODE`);
        const asked = Array.from({ length: 10 }, () => process.agent.post('/approvals', { task_id: 'x' }));
        // As often in a row, so that it is no number on the way to a greater one.
        const counts: number[] = [];
        await vi.waitFor(async () => {
          counts.push(await countWaiting(transaction));
          expect(counts.slice(-5)).toEqual(Array.from({ length: 5 }, () => want));
        }, 8_000);
        return { asked };
      });
      expect((await Promise.all(answers.asked)).map(({ status }) => status)).toEqual(
        Array.from({ length: 10 }, () => 202),
      );
    }
  });

  test.concurrent('`REDIS_URL`: is optional', async () => {
    const states = [];
    for (const process of [bare, lame, defaults]) states.push((await send(process, '/health')).body.redis);
    expect(states).toEqual(['disabled', 'disconnected', redisUrl === undefined ? 'disabled' : 'connected']);
    const { status } = await defaults.agent.post('/sessions', { agent_role: 'support' });
    expect(status).toBe(201);
  });

  test.concurrent('`OIDC_ISSUER_URL`, `OIDC_AUDIENCE`, `OIDC_JWKS_URL`: keys from elsewhere; unset, no JWT is believed', async () => {
    const good = { iss: 'https://id.example', aud: AUDIENCE, customer_id: tenant.customerId };
    const scope = { scope: 'sessions' };
    const ask = async (process: ApiUnderTest, claims: object) => {
      const headers = { authorization: `Bearer ${await issuer.sign({ ...good, ...scope, ...claims })}` };
      return (await send(process, '/sessions', { headers })).status;
    };
    expect(await ask(full, {})).toBe(200);
    expect(await ask(defaults, {})).toBe(401);
    expect(await ask(full, { iss: 'https://other.example' })).toBe(401);
    expect(await ask(full, { aud: 'another' })).toBe(401);
    await vi.waitFor(() => {
      expect(full.log()).toMatch(/"reason":"issuer","expected":\["https:\/\/id\.example"\]/);
      expect(full.log()).toMatch(/"reason":"audience",.*"expected":"https:\/\/phaserun\.example"/);
    }, 5_000);
  });

  test.concurrent('`PORT` / `CONTROLLER_PORT`: where the API listens, the former above the latter; 8088', async () => {
    expect(new URL(full.url).port).toBe(String(elsewhere));
    const port = await closedPort();
    const [both, unset] = await Promise.all([
      start({ PORT: String(port), CONTROLLER_PORT: String(elsewhere) }).then(({ url }) => url),
      // Somebody else on this machine may have it: then it is what the process fails for.
      start({ PORT: undefined }).then(({ url }) => url, String),
    ]);
    expect(new URL(both).port).toBe(String(port));
    expect(unset).toMatch(/:8088\b/);
  });

  test.concurrent('`SESSION_RETENTION_DAYS`: 7 from created_at, for what is pending or active', async () => {
    const agent = agentAt(api.url);
    const open = async (status: string, days: number) => {
      const id = await openSession(agent);
      await api.pool.query(sql.unsafe`
        UPDATE sessions SET status = ${status}, updated_at = now(),
          created_at = now() - make_interval(days => ${days})
        WHERE id = ${id}
      `);
      return id;
    };
    const ids = [
      await open('pending', 8),
      await open('active', 8),
      await open('completed', 8),
      await open('pending', 6),
      await open('active', 2),
    ];
    const states = async () =>
      Promise.all(ids.map(async (id) => (await agent.get(`/sessions/${id}`)).body.status));
    for (const { days, want } of [
      { days: undefined, want: ['expired', 'expired', 'completed', 'pending', 'active'] },
      { days: '3', want: ['expired', 'expired', 'completed', 'expired', 'active'] },
    ]) {
      const env = { ...stores, KUBECONFIG: kubeconfigPath, POD_NAMESPACE: 'default' };
      const controller = await processes.start('controller', { ...env, SESSION_RETENTION_DAYS: days });
      await vi.waitFor(async () => expect(await states()).toEqual(want), 30_000);
      await controller.end('SIGTERM');
    }
  });

  test.concurrent('`IDEMPOTENCY_ENABLED`, `IDEMPOTENCY_TTL_SECONDS`: true and 86400', async () => {
    const brief = await start({ ...stores, IDEMPOTENCY_TTL_SECONDS: '60' });
    const outcomes = [];
    for (const { agent } of [defaults, full, brief]) {
      const key = newKey();
      const role = `role-${randomUUID()}`.slice(0, 40);
      await agent.post('/sessions', { agent_role: role }, key);
      const again = await agent.post('/sessions', { agent_role: role }, key);
      const kept = await api.pool.any(sql.type(z.object({ seconds: z.number() }))`
        SELECT extract(epoch FROM expires_at - created_at)::int AS seconds FROM idempotency_keys
        WHERE customer_id = ${tenant.customerId} AND body LIKE ${`%${again.body.session_id}%`}
      `);
      outcomes.push([isReplay(again), ...kept.map(({ seconds }) => seconds)]);
    }
    expect(outcomes).toEqual([[true, 86_400], [false], [true, 60]]);
  });

  test.concurrent('`ENABLE_PROMETHEUS_METRICS`: true', async () => {
    expect((await send(defaults, '/metrics')).status).toBe(200);
    expect((await send(full, '/metrics')).status).toBe(404);
  });

  test.concurrent('`RSOLV_API_URL`, `RSOLV_API_KEY`, `USE_PLATFORM_STORAGE`: lead the client to the platform', async () => {
    const retrieve = (env: Record<string, string>) =>
      runCli(['retrieve', '--repo', `${tenant.owner}/shop`, '--commit', 'c1', '-o', 'json'], { env });
    const env = { RSOLV_API_URL: defaults.url, RSOLV_API_KEY: tenant.apiKey };
    const [found, offline, keyless, homeless] = await Promise.all([
      retrieve(env),
      retrieve({ USE_PLATFORM_STORAGE: 'false' }),
      retrieve({ RSOLV_API_URL: defaults.url }),
      retrieve({ RSOLV_API_KEY: tenant.apiKey }),
    ]);
    expect([found, offline].map(({ code, stdout }) => ({ code, stdout }))).toEqual([
      { code: 0, stdout: '{}\n' },
      { code: 0, stdout: '{}\n' },
    ]);
    expect([keyless.code, homeless.code]).toEqual([2, 2]);
    expect(keyless.stderr).toContain('set RSOLV_API_KEY');
    expect(homeless.stderr).toContain('set RSOLV_API_URL');
  });

  test.concurrent('`CONTROLLER_URL`, `MESH_JWT_TOKEN`: lead the tools to the API; http://localhost:8088 without', async () => {
    const set = await connectWith({ CONTROLLER_URL: defaults.url, MESH_JWT_TOKEN: tenant.apiKey });
    const task = { target: 'finance', task_type: 'review' };
    expect(await callTool(set, 'send_task', task)).toMatchObject({ isError: false });
    await set.close();
    const anonymous = await connectWith({ CONTROLLER_URL: defaults.url });
    expect(await callTool(anonymous, 'send_task', task)).toMatchObject({
      isError: true,
      text: expect.stringMatching(/401 AUTH_REQUIRED.*\n.*MESH_JWT_TOKEN/),
    });
    await anonymous.close();
    const unset = await connectWith({ MESH_RETRY_COUNT: '0' });
    // Nobody is there, or an API of somebody else on this machine.
    expect((await callTool(unset, 'fetch_status')).text).toMatch(/localhost:8088|"database"/);
    await unset.close();
  });

  test.concurrent('`MESH_TIMEOUT_SECS`, `MESH_RETRY_COUNT`: 30, and 3 after what may pass', async () => {
    const attempts = async (env: Record<string, string>) => {
      const door = await createScriptedServer();
      door.replies = [json(503, {}, { 'retry-after': '0' })];
      const session = await connectWith({ CONTROLLER_URL: door.url, ...env });
      expect(await callTool(session, 'fetch_status')).toMatchObject({ isError: true });
      await Promise.all([session.close(), door.close()]);
      return door.received.length;
    };
    expect(await Promise.all([attempts({}), attempts({ MESH_RETRY_COUNT: '1' })])).toEqual([4, 2]);

    const silent = await createScriptedServer();
    const env = { CONTROLLER_URL: silent.url, MESH_RETRY_COUNT: '0' };
    const [patient, hasty] = await Promise.all([
      connectWith(env),
      connectWith({ ...env, MESH_TIMEOUT_SECS: '1' }),
    ]);
    const waiting = callTool(patient, 'fetch_status').catch(() => undefined);
    expect(await Promise.race([waiting, callTool(hasty, 'fetch_status')])).toMatchObject({ isError: true });
    expect(silent.received).toHaveLength(2);
    await Promise.all([silent.close(), patient.close(), hasty.close()]);
    const { stdout } = await runCli(['mcp', '--help']);
    expect(stdout).toMatch(/MESH_TIMEOUT_SECS +.*default 30/);
  });
});

/** Backends that wait for what is locked. */
async function countWaiting(connection: Connection): Promise<number> {
  const { n } = await connection.one(sql.type(z.object({ n: z.number() }))`
    SELECT count(DISTINCT pid) AS n FROM pg_locks JOIN pg_database ON pg_database.oid = database
    WHERE NOT granted AND datname = current_database() AND relation = 'approvals'::regclass
  `);
  return n;
}
