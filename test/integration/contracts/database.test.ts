import { randomUUID } from 'node:crypto';
import { type QuerySqlToken, sql } from 'slonik';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { addForgeAccount, verifyForgeAccount } from '../../../src/store/forge-accounts.ts';
import { agentOf, newKey, openSession, routeTask } from '../api/agent.ts';
import { makeTenant, store } from '../api/api-under-test.ts';
import { ALL_SCOPES, createContractWorlds, freshRepository } from './contract-worlds.ts';

const UUID = expect.stringMatching(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/);
const INSTANT = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/);
const TIMES = { startedAt: '2026-02-11T09:14:03Z', completedAt: '2026-02-11T10:14:03Z' };
const UNIQUE = { sqlstate: '23505' };
const CHECK = { sqlstate: '23514' };

describe.each(await createContractWorlds())('$world', ({ api }) => {
  const makeAgent = async () => agentOf(api, await makeTenant(api.pool, { scopes: ALL_SCOPES }));
  /** What a person finds who writes this into psql. */
  const find = (query: Parameters<typeof api.pool.any>[0]) => api.pool.any(query);
  const run = (query: QuerySqlToken) => api.pool.query(query);

  async function typesOf(table: string): Promise<Record<string, string>> {
    const columns = await api.pool.any(sql.type(z.object({ name: z.string(), type: z.string() }))`
      SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
      WHERE attrelid = ${table}::regclass AND attnum > 0 AND NOT attisdropped
    `);
    return Object.fromEntries(columns.map(({ name, type }) => [name, type]));
  }

  /** The columns of each index, in their order. */
  async function indexesOf(table: string): Promise<readonly string[]> {
    const indexes = await api.pool.any(sql.type(z.object({ definition: z.string() }))`
      SELECT indexdef AS definition FROM pg_indexes WHERE tablename = ${table}
    `);
    return indexes.map(({ definition }) => /USING btree \(([^)]*)\)/.exec(definition)?.[1] ?? '');
  }

  /** Stores a result; answers what is needed to find its row. */
  async function storeResult(phase: string, data: object, fields: object = {}) {
    const tenant = await makeTenant(api.pool);
    const repo = freshRepository(tenant);
    const result = { phase, repo, issueNumber: 7, commitSha: 'c1', branch: 'main', data, ...fields };
    const send = async (changes: object = {}) => {
      const answer = await store(api, tenant, { ...result, ...changes });
      expect(answer).toMatchObject({ status: 200, body: { persisted: true } });
      return answer.body.id as string;
    };
    return { tenant, repo, send, id: await send() };
  }

  test('`forge_accounts`: one verified owner of a namespace; unverified until it is said', async () => {
    const [one, other] = [await makeTenant(api.pool), await makeTenant(api.pool)];
    const account = { forge: 'gitlab', namespace: `${one.owner}-group` } as const;
    for (const { customerId } of [one, other]) await addForgeAccount(api.pool, customerId, account);
    await verifyForgeAccount(api.pool, one.customerId, account);
    const accounts = await find(sql.unsafe`
      SELECT customer_id, forge_type, verified_at, metadata, created_at, updated_at
      FROM forge_accounts WHERE namespace = ${account.namespace} ORDER BY verified_at NULLS LAST
    `);
    const same = { forge_type: 'gitlab', metadata: {}, created_at: INSTANT, updated_at: INSTANT };
    expect(accounts).toEqual([
      { customer_id: one.customerId, verified_at: INSTANT, ...same },
      { customer_id: other.customerId, verified_at: null, ...same },
    ]);
    const ofOther = sql.fragment`WHERE customer_id = ${other.customerId} AND forge_type = 'gitlab'`;
    await expect(
      run(sql.unsafe`UPDATE forge_accounts SET verified_at = now() ${ofOther}`),
    ).rejects.toMatchObject(UNIQUE);
    await expect(run(sql.unsafe`UPDATE forge_accounts SET metadata = '[]' ${ofOther}`)).rejects.toMatchObject(
      CHECK,
    );
  });

  test('`repositories`: are made by the first store, and unique by forge, namespace and name', async () => {
    const { tenant, repo, send } = await storeResult('validation', {});
    await send({ repo: repo.toUpperCase(), issueNumber: 8 });
    const [namespace, name] = repo.split('/');
    const rows = await find(sql.unsafe`
      SELECT forge_type, namespace, name, full_path, customer_id, first_seen_at, last_activity_at, metadata
      FROM repositories WHERE customer_id = ${tenant.customerId}
    `);
    expect(rows).toEqual([
      {
        forge_type: 'github',
        namespace,
        name,
        full_path: repo,
        customer_id: tenant.customerId,
        first_seen_at: INSTANT,
        last_activity_at: INSTANT,
        metadata: {},
      },
    ]);
    await expect(
      run(sql.unsafe`
        INSERT INTO repositories (customer_id, forge_type, namespace, name, full_path)
        SELECT customer_id, forge_type, namespace, name, 'another' FROM repositories
        WHERE customer_id = ${tenant.customerId}
      `),
    ).rejects.toMatchObject(UNIQUE);
  });

  test('`scan_executions`: by repository, commit and branch', async () => {
    const data = { vulnerabilities: [{}, {}] };
    const { tenant, id } = await storeResult('scan', data, {
      status: 'failed',
      errorMessage: 'no disk',
      ...TIMES,
    });
    const rows = await find(sql.unsafe`
      SELECT repository_id, commit_sha, branch, status, vulnerabilities_count, data, started_at, completed_at,
        error_message, api_key_id
      FROM scan_executions WHERE id = ${id}
    `);
    expect(rows).toEqual([
      {
        repository_id: UUID,
        commit_sha: 'c1',
        branch: 'main',
        status: 'failed',
        vulnerabilities_count: 2,
        data,
        started_at: INSTANT,
        completed_at: INSTANT,
        error_message: 'no disk',
        api_key_id: tenant.apiKey.split('_')[1],
      },
    ]);
    expect(await typesOf('scan_executions')).toMatchObject({ data: 'jsonb' });
    await expect(
      run(sql.unsafe`UPDATE scan_executions SET status = 'paused' WHERE id = ${id}`),
    ).rejects.toMatchObject(CHECK);
  });

  test('`validation_executions`: the same of an issue, with what was validated', async () => {
    const data = { validated: true, vulnerabilities: [{}] };
    const { tenant, id } = await storeResult('validation', data, TIMES);
    const rows = await find(sql.unsafe`
      SELECT repository_id, commit_sha, status, data, started_at, completed_at, error_message, api_key_id,
        issue_number, validated, vulnerabilities_found
      FROM validation_executions WHERE id = ${id}
    `);
    expect(rows).toEqual([
      {
        repository_id: UUID,
        commit_sha: 'c1',
        status: 'completed',
        data,
        started_at: INSTANT,
        completed_at: INSTANT,
        error_message: null,
        api_key_id: tenant.apiKey.split('_')[1],
        issue_number: 7,
        validated: true,
        vulnerabilities_found: 1,
      },
    ]);
    const setIssue = (issue: number | null) =>
      run(sql.unsafe`UPDATE validation_executions SET issue_number = ${issue} WHERE id = ${id}`);
    await expect(setIssue(0)).rejects.toMatchObject(CHECK);
    await expect(setIssue(null)).rejects.toMatchObject({ sqlstate: '23502' });
  });

  test('`mitigation_executions`: the issue, its pull request, and how many files changed', async () => {
    const prUrl = 'https://github.com/acme/shop/pull/4101';
    const { id } = await storeResult('mitigation', { fixed: true, prUrl, filesChanged: 2 });
    const rows = await find(sql.unsafe`
      SELECT issue_number, pr_url, pr_number, files_changed FROM mitigation_executions WHERE id = ${id}
    `);
    expect(rows).toEqual([{ issue_number: 7, pr_url: prUrl, pr_number: 4101, files_changed: 2 }]);
    await expect(
      run(sql.unsafe`UPDATE mitigation_executions SET pr_number = 0 WHERE id = ${id}`),
    ).rejects.toMatchObject(CHECK);
  });

  test('`sessions`: by task, by status, newest first', async () => {
    const agent = await makeAgent();
    const task = randomUUID();
    const id = await openSession(agent, { agent_role: 'finance', task_id: task, metadata: { a: 1 } });
    const rows = await find(sql.unsafe`
      SELECT role, task_id, status, metadata, created_at, updated_at FROM sessions WHERE id = ${id}
    `);
    expect(rows).toEqual([
      {
        role: 'finance',
        task_id: task,
        status: 'pending',
        metadata: { a: 1 },
        created_at: INSTANT,
        updated_at: INSTANT,
      },
    ]);
    expect(await typesOf('sessions')).toMatchObject({
      id: 'uuid',
      role: 'character varying(50)',
      task_id: 'uuid',
      metadata: 'jsonb',
    });
    expect(await indexesOf('sessions')).toEqual(
      expect.arrayContaining([
        'customer_id, task_id',
        'customer_id, status, created_at DESC, id DESC',
        'customer_id, created_at DESC, id DESC',
      ]),
    );
    await expect(run(sql.unsafe`UPDATE sessions SET metadata = '[]' WHERE id = ${id}`)).rejects.toMatchObject(
      CHECK,
    );
  });

  test('`tasks`: from whom to whom, once per key of a customer', async () => {
    const agent = await makeAgent();
    const key = newKey();
    const sent = { target: 'finance', from_role: 'manager', context: ['any'] };
    const task = { task_type: 'audit', description: 'Look', data: { amount: 1 } };
    const headers = { ...key, 'x-trace-id': 'any text' };
    const { body } = await agent.post('/tasks/route', { ...sent, task }, headers);
    const rows = await find(sql.unsafe`
      SELECT task_type, description, from_role, to_role, data, context, status, trace_id, idempotency_key,
        created_at, completed_at
      FROM tasks WHERE id = ${body.task_id}
    `);
    expect(rows).toEqual([
      {
        ...task,
        from_role: 'manager',
        to_role: 'finance',
        context: ['any'],
        status: 'accepted',
        trace_id: 'any text',
        idempotency_key: key['idempotency-key'],
        created_at: INSTANT,
        completed_at: null,
      },
    ]);
    expect(await typesOf('tasks')).toMatchObject({ task_type: 'character varying(50)', trace_id: 'text' });
    expect(await indexesOf('tasks')).toEqual(
      expect.arrayContaining([
        'customer_id, trace_id',
        'customer_id, to_role, created_at DESC, id DESC',
        'customer_id, status, created_at DESC, id DESC',
        'customer_id, created_at DESC, id DESC',
      ]),
    );
    await expect(
      run(sql.unsafe`
        INSERT INTO tasks (customer_id, task_type, to_role, idempotency_key)
        SELECT customer_id, 'other', to_role, idempotency_key FROM tasks WHERE id = ${body.task_id}
      `),
    ).rejects.toMatchObject(UNIQUE);
  });

  test('`approvals`: of any task, by task and by status', async () => {
    const agent = await makeAgent();
    const asked = { task_id: 'any text', approver_role: 'manager', comments: 'please' };
    const { body } = await agent.post('/approvals', { ...asked, decision: 'approved' });
    const rows = await find(sql.unsafe`
      SELECT task_id, approver_role, status, decision_at, notes, created_at FROM approvals
      WHERE id = ${body.approval_id}
    `);
    expect(rows).toEqual([
      {
        task_id: 'any text',
        approver_role: 'manager',
        status: 'approved',
        decision_at: INSTANT,
        notes: 'please',
        created_at: INSTANT,
      },
    ]);
    expect(await indexesOf('approvals')).toEqual(
      expect.arrayContaining([
        'customer_id, task_id, created_at DESC, id DESC',
        'customer_id, status, created_at DESC, id DESC',
      ]),
    );
    await expect(
      run(sql.unsafe`UPDATE approvals SET status = 'maybe' WHERE id = ${body.approval_id}`),
    ).rejects.toMatchObject(CHECK);
  });

  test('`audit_events`: by trace, newest first, by type', async () => {
    const agent = await makeAgent();
    await agent.post('/sessions', { agent_role: 'finance' }, { 'x-trace-id': 'any text' });
    const rows = await find(sql.unsafe`
      SELECT event_type, role, timestamp, trace_id, jsonb_typeof(metadata) AS metadata FROM audit_events
      WHERE customer_id = ${agent.tenant.customerId} AND event_type = 'session.created'
    `);
    expect(rows).toEqual([
      {
        event_type: 'session.created',
        role: 'finance',
        timestamp: INSTANT,
        trace_id: 'any text',
        metadata: 'object',
      },
    ]);
    expect(await indexesOf('audit_events')).toEqual(
      expect.arrayContaining([
        'customer_id, trace_id',
        'customer_id, "timestamp" DESC, id DESC',
        'customer_id, event_type, "timestamp" DESC',
      ]),
    );
  });

  test('`active_sessions`: those that are active, the newest update first', async () => {
    const agent = await makeAgent();
    const task = randomUUID();
    const ids = [await openSession(agent), await openSession(agent), await openSession(agent)];
    for (const id of [ids[1], ids[0]])
      await agent.put(`/sessions/${id}`, { status: 'active', task_id: task });
    const rows = await find(sql.unsafe`
      SELECT id, role, task_id, created_at, updated_at FROM active_sessions
      WHERE customer_id = ${agent.tenant.customerId}
    `);
    const same = { role: 'support', task_id: task, created_at: INSTANT, updated_at: INSTANT };
    expect(rows).toEqual([ids[0], ids[1]].map((id) => ({ id, ...same })));
  });

  test('`pending_approvals`: those that are pending, with their task where it is ours, the oldest first', async () => {
    const agent = await makeAgent();
    const task = { task_type: 'audit', description: 'Look' };
    const ours = await routeTask(agent, { task, from_role: 'manager' });
    for (const task_id of [ours, 'elsewhere'])
      await agent.post('/approvals', { task_id, approver_role: 'manager' });
    await agent.post('/approvals', { task_id: 'decided', decision: 'approved' });
    const rows = await find(sql.unsafe`
      SELECT id, task_id, approver_role, created_at, description, from_role, to_role FROM pending_approvals
      WHERE customer_id = ${agent.tenant.customerId}
    `);
    const same = { id: UUID, approver_role: 'manager', created_at: INSTANT };
    expect(rows).toEqual([
      { ...same, task_id: ours, description: 'Look', from_role: 'manager', to_role: 'finance' },
      { ...same, task_id: 'elsewhere', description: null, from_role: null, to_role: null },
    ]);
  });

  test('Execution rows: are append-only but for the progress of one run', async () => {
    const running = { status: 'running', pipelineRunId: 'ci-1' };
    const { tenant, send, id } = await storeResult('validation', { n: 0 }, running);
    expect(await send({ status: 'completed', data: { n: 1 } })).toBe(id);
    await send({ status: 'completed', data: { n: 2 } });
    await send({ status: 'failed', data: { n: 3 } });
    const rows = await find(sql.unsafe`
      SELECT status, data FROM validation_executions WHERE customer_id = ${tenant.customerId} ORDER BY run_order
    `);
    expect(rows).toEqual([
      { status: 'completed', data: { n: 1 } },
      { status: 'completed', data: { n: 2 } },
      { status: 'failed', data: { n: 3 } },
    ]);
  });

  test('Index (customer, repository, issue_number): is there for both phases of an issue', async () => {
    for (const table of ['validation_executions', 'mitigation_executions'])
      expect(await indexesOf(table)).toContainEqual(
        expect.stringMatching(/^customer_id, repository_id, issue_number\b/),
      );
  });
});
