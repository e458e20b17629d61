import { sql } from 'slonik';
import { describe, expect, test, vi } from 'vitest';
import { makeTenant, retrieve, store } from '../api/api-under-test.ts';
import { listRows } from '../store/rows.ts';
import { createContractWorlds, freshRepository } from './contract-worlds.ts';

const UUID = expect.stringMatching(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/);

describe.each(await createContractWorlds())('$world', async ({ api }) => {
  const tenant = await makeTenant(api.pool);
  const result = (phase: string, data: object) => ({
    phase,
    repo: freshRepository(tenant),
    issueNumber: 1204,
    commitSha: 'c0ffee',
    data,
  });
  /** Stores it; answers its row, and what a later phase finds of it. */
  async function keep(phase: 'scan' | 'validation' | 'mitigation', data: object) {
    const body = result(phase, data);
    const { status, body: answer } = await store(api, tenant, body);
    expect({ status, answer }).toMatchObject({ status: 200 });
    const rows = await listRows(api.pool, phase, tenant.customerId);
    const found = await retrieve(api, tenant, { repo: body.repo, issue: '1204', commit: 'c0ffee' });
    const results = found.body[phase];
    return {
      row: rows.find(({ id }) => id === answer.id),
      found: phase === 'scan' ? results : results['issue-1204'],
    };
  }

  test('flat: is stored as it is', async () => {
    for (const phase of ['scan', 'validation', 'mitigation'] as const) {
      const data = { validated: true, phase };
      expect(await keep(phase, data)).toMatchObject({ row: { data }, found: data });
    }
  });

  test('wrapped: ends in the same value: the issue that was asked for, never the first', async () => {
    const wanted = { wanted: true };
    const other = { wanted: false };
    const spelled = {
      validation: ['validation', 'validate'],
      mitigation: ['mitigation', 'mitigate'],
    } as const;
    for (const phase of ['validation', 'mitigation'] as const) {
      for (const outer of spelled[phase]) {
        for (const inner of ['1204', 'issue-1204', 'issue-undefined']) {
          const { row: kept, found } = await keep(phase, { [outer]: { 'issue-7': other, [inner]: wanted } });
          expect({ kept: kept?.data, found }).toEqual({ kept: wanted, found: wanted });
        }
      }
    }
    expect((await keep('scan', { scan: wanted })).found).toEqual(wanted);
    const lacking = result('validation', { validation: { 'issue-7': other } });
    expect(await store(api, tenant, lacking)).toMatchObject({
      status: 400,
      body: { errors: [{ path: 'data.validation' }] },
    });
  });

  test('scan: vulnerabilities in all three forms, and what else there is', async () => {
    const data = {
      vulnerabilities: [
        { type: 'xss', file: 'a.js', line: 3, severity: 'high' },
        { vulnerability: { kind: 'sqli' }, location: { path: 'b.js', start: null } },
        { title: 'no type, file or line' },
      ],
      timestamp: '2026-02-11T09:14:03Z',
      commitHash: 'c0ffee',
      manifest_files: { 'package.json': '{"name":"ü"}' },
      unknownToAll: [[{}]],
    };
    expect(await keep('scan', data)).toMatchObject({ row: { data, vulnerabilities_count: 3 }, found: data });
  });

  test('validation: confidence and test results in either shape', async () => {
    for (const shape of [
      { confidence: 0.9, testResults: { vulnerableCommit: { allPassed: false } } },
      { confidence: 'high', testResults: '3 failed' },
    ]) {
      const data = {
        validated: true,
        vulnerabilities: [{ line: null }],
        redTests: { count: 3, passed: 0 },
        branchName: 'rsolv/validate',
        language: 'javascript',
        framework: 'express',
        tests_generated: 3,
        testsPassed: 0,
        test_details: [{ name: 'is red' }],
        falsePositive: false,
        durationMs: 1200,
        ...shape,
      };
      const columns = {
        validated: true,
        vulnerabilities_found: 1,
        language: 'javascript',
        framework: 'express',
      };
      expect(await keep('validation', data)).toMatchObject({ row: { data, ...columns }, found: data });
    }
  });

  test('mitigation: in either spelling', async () => {
    const columns = {
      pr_url: 'https://github.com/acme/shop/pull/8',
      pr_number: 9,
      files_changed: 2,
      trust_score: 85,
    };
    const camel = { prUrl: columns.pr_url, prNumber: 9, filesChanged: 2, trustScore: 85 };
    for (const spelled of [camel, columns]) {
      const data = {
        fixed: true,
        fixes: [{ file: 'a.js' }],
        language: 'ruby',
        framework: 'rails',
        ...spelled,
      };
      expect(await keep('mitigation', data)).toMatchObject({ row: { data, ...columns }, found: data });
    }
  });

  test('Derived columns: fall back to what the data tells, and never change it', async () => {
    const fixes = [{ file: 'a.js' }, { file: 'b.js' }, { file: 'a.js' }, {}];
    for (const [path, number] of [
      ['pull/4101', 4101],
      ['-/merge_requests/12', 12],
    ] as const) {
      const data = { prUrl: `https://forge.example/acme/shop/${path}`, fixes };
      const { row: kept, found } = await keep('mitigation', data);
      expect(kept).toMatchObject({ pr_number: number, files_changed: 2 });
      expect({ kept: kept?.data, found }).toEqual({ kept: data, found: data });
    }
    const told = { prUrl: 'https://github.com/acme/shop/pull/8', prNumber: 3, filesChanged: 7, fixes };
    expect((await keep('mitigation', told)).row).toMatchObject({ pr_number: 3, files_changed: 7 });
    const counted = { vulnerabilities: [{}, {}], vulnerabilities_count: 9 };
    const scan = await keep('scan', counted);
    expect(scan).toMatchObject({ row: { vulnerabilities_count: 2 }, found: counted });
  });

  test('200: success, the id of the row and the phase', async () => {
    const { status, headers, body } = await store(api, tenant, result('validate', { validated: true }));
    expect(status).toBe(200);
    expect(headers.get('content-type')).toContain('application/json');
    expect(body).toMatchObject({
      success: true,
      id: UUID,
      phase: 'validation',
      persisted: true,
      sessionId: UUID,
      sessionState: 'active',
    });
    const rows = await listRows(api.pool, 'validation', tenant.customerId);
    expect(rows[0]?.id).toBe(body.id);
  });

  test('202: the same with persisted: false, while it is durable and not yet a row', async () => {
    const body = result('mitigation', { fixed: true });
    const early = await api.pool.transaction(async (transaction) => {
      // Nobody writes a row meanwhile.
      await transaction.query(sql.unsafe`LOCK TABLE mitigation_executions IN SHARE ROW EXCLUSIVE MODE`);
      return store(api, tenant, body);
    });
    expect(early).toMatchObject({
      status: 202,
      body: { success: true, id: UUID, phase: 'mitigation', persisted: false },
    });
    await vi.waitFor(async () => {
      const found = await retrieve(api, tenant, { repo: body.repo, issue: '1204' });
      expect(found.body).toEqual({ mitigation: { 'issue-1204': { fixed: true } } });
    }, 20_000);
    const rows = await listRows(api.pool, 'mitigation', tenant.customerId);
    expect(rows[0]?.id).toBe(early.body.id);
  });
});
