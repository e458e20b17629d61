import { readdirSync, readFileSync } from 'node:fs';
import { sql } from 'slonik';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Phase } from '../../../src/domain/phase.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { ownKubernetes } from '../../fixtures/kubernetes.ts';
import { countRows, listRows, listSessions } from '../store/rows.ts';
import { retrieve, store } from './runner.ts';
import { createWorld } from './world.ts';

const { url: databaseUrl } = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const world = await createWorld({ kubeconfigPath, databaseUrl });
// What one replica acknowledges the other knows.
const [writer, reader] = await Promise.all([world.startApi(), world.startApi(), world.startController()]);

describe('what clients send', async () => {
  const samples = new URL('../../fixtures/samples/', import.meta.url);
  const tenant = await world.makeTenant();

  interface Sample {
    readonly phase: string;
    readonly repo: string;
    readonly commitSha?: string;
    readonly commit_sha?: string;
    readonly issueNumber?: number;
    readonly issue_number?: number;
    readonly data: Record<string, Record<string, unknown>>;
  }

  interface Want {
    readonly phase: Phase;
    readonly columns: object;
    readonly session: string;
  }

  const columns: Readonly<Record<string, Want>> = {
    '01': { phase: 'scan', columns: { vulnerabilities_count: 6 }, session: 'completed' },
    '02': {
      phase: 'validation',
      columns: { validated: true, vulnerabilities_found: 1, red_green: 'proven' },
      session: 'active',
    },
    '03': {
      phase: 'mitigation',
      columns: { pr_number: 4101, files_changed: 2, trust_score: 100, red_green: 'proven' },
      session: 'completed',
    },
    '04': { phase: 'scan', columns: { vulnerabilities_count: 4, branch: 'master' }, session: 'completed' },
    '05': {
      phase: 'validation',
      columns: { validated: true, vulnerabilities_found: 1, red_green: 'unknown' },
      session: 'active',
    },
    '06': {
      phase: 'mitigation',
      columns: { pr_number: 9001, files_changed: 3, trust_score: null },
      session: 'completed',
    },
    '07': {
      phase: 'validation',
      columns: { validated: true, language: 'javascript', framework: 'express' },
      session: 'active',
    },
    '08': {
      phase: 'mitigation',
      columns: { pr_number: 123, files_changed: 2, trust_score: 85 },
      session: 'completed',
    },
  };

  test.each(readdirSync(samples))(
    '%s comes back as it was sent, with its columns and its session',
    async (file) => {
      const sample: Sample = JSON.parse(readFileSync(new URL(file, samples), 'utf8'));
      const repo = `${tenant.owner}/${sample.repo.split('/')[1]}`;
      const want = columns[file.slice(0, 2)];
      const stored = await store(writer, tenant, { ...sample, repo });
      expect(stored).toMatchObject({
        status: 200,
        body: { success: true, persisted: true, phase: want?.phase, sessionState: want?.session },
      });

      const issue = sample.issueNumber ?? sample.issue_number;
      const commit = sample.commitSha ?? sample.commit_sha ?? '';
      const found = await retrieve(reader, tenant, {
        repo,
        commit,
        ...(issue ? { issue: String(issue) } : {}),
      });
      const results = found.body[stored.body.phase];
      expect(issue === undefined ? results : results[`issue-${issue}`]).toEqual(
        sample.data['validation']?.[`issue-${issue}`] ?? sample.data,
      );
      const rows = await listRows(world.pool, stored.body.phase, tenant.customerId);
      const own = {
        id: stored.body.id,
        commit_sha: commit,
        issue_number: issue ?? null,
        status: 'completed',
      };
      expect(rows[0]).toMatchObject({ ...own, ...want?.columns });
    },
  );

  test('all of them are two scans with a session each, and three issues that were fixed in one', async () => {
    const sessions = await listSessions(world.pool, tenant.customerId);
    expect(sessions.map(({ status, outcome }) => `${status} ${outcome}`).toSorted()).toEqual([
      ...Array(3).fill('completed fixed'),
      ...Array(2).fill('completed null'),
    ]);
  });
});

describe('size', async () => {
  const tenant = await world.makeTenant();
  const repo = `${tenant.owner}/large`;
  const scanOf = (bytes: number) => {
    const finding = {
      type: 'xss',
      severity: 'high',
      message: 'ü'.repeat(450),
      line: 3,
      nested: [{ a: null }],
    };
    const size = Buffer.byteLength(JSON.stringify(finding)) + 1;
    return { vulnerabilities: Array.from({ length: Math.floor(bytes / size) }, () => finding) };
  };

  test.each([2_500_000, 8_000_000])(
    '%i bytes come back intact, and their PhaseRun stays small',
    async (bytes) => {
      const commitSha = `c${bytes}`;
      const data = scanOf(bytes);
      const { status, body } = await store(writer, tenant, { phase: 'scan', repo, commitSha, data });
      expect(status).toBe(200);
      expect((await retrieve(reader, tenant, { repo, commit: commitSha })).body).toEqual({ scan: data });
      const phaseRun = await world.phaseRuns.get(body.phaseRun);
      expect(JSON.stringify(phaseRun).length).toBeLessThan(10_000);
      expect(await listRows(world.pool, 'scan', tenant.customerId)).toContainEqual(
        expect.objectContaining({
          commit_sha: commitSha,
          vulnerabilities_count: data.vulnerabilities.length,
        }),
      );
    },
  );

  test('11 MB are refused, and nothing of them is stored', async () => {
    const data = scanOf(11_000_000);
    const { status, body } = await store(writer, tenant, { phase: 'scan', repo, commitSha: 'c11', data });
    expect({ status, code: body.code }).toEqual({ status: 413, code: 'PAYLOAD_TOO_LARGE' });
    expect((await retrieve(reader, tenant, { repo, commit: 'c11' })).body).toEqual({});
  });
});

describe('one effect', async () => {
  const tenant = await world.makeTenant();
  let issue = 0;
  /** Of an issue that no other test uses. */
  const freshValidation = () => {
    issue += 1;
    return {
      phase: 'validation',
      repo: `${tenant.owner}/shop`,
      issueNumber: issue,
      commitSha: 'c0ffee',
      data: { validated: true },
    };
  };
  type Validation = ReturnType<typeof freshValidation>;
  const rowsOf = async ({ issueNumber }: Validation) =>
    (await listRows(world.pool, 'validation', tenant.customerId)).filter(
      (row) => row['issue_number'] === issueNumber,
    );
  const newest = async ({ repo, issueNumber }: Validation) =>
    (await retrieve(reader, tenant, { repo, issue: String(issueNumber) })).body.validation?.[
      `issue-${issueNumber}`
    ];

  test('twenty first stores of a repository at once, on two replicas, are one repository', async () => {
    const newcomer = await world.makeTenant();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        store(n % 2 === 0 ? writer : reader, newcomer, {
          phase: 'scan',
          repo: `${newcomer.owner}/new`,
          commitSha: `c${n}`,
          data: { vulnerabilities: [n] },
        }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect(await countRows(world.pool, 'repositories', newcomer.customerId)).toBe(1);
    expect(await countRows(world.pool, 'scan_executions', newcomer.customerId)).toBe(20);
  });

  test('the same result twice is one row', async () => {
    const validation = freshValidation();
    const first = await store(writer, tenant, validation);
    const second = await store(reader, tenant, { ...validation, data: { ...validation.data } });
    expect([second.status, second.body.id]).toEqual([200, first.body.id]);
    expect(await rowsOf(validation)).toHaveLength(1);
  });

  test('the same result ten times at once is one row', async () => {
    const validation = freshValidation();
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => store(n % 2 === 0 ? writer : reader, tenant, validation)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
    const rows = await rowsOf(validation);
    expect(rows).toHaveLength(1);
    expect(new Set(answers.map(({ body }) => body.id))).toEqual(new Set([rows[0]?.id]));
  });

  test.each([
    { name: 'one commit', commits: ['c1', 'c1', 'c1'] },
    { name: 'two commits', commits: ['c1', 'c2', 'c1'] },
  ])('A, B, A on $name are three rows, and the newest is A', async ({ commits }) => {
    const validation = freshValidation();
    for (const [index, commitSha] of commits.entries()) {
      const data = { content: index === 1 ? 'B' : 'A' };
      expect((await store(writer, tenant, { ...validation, commitSha, data })).status).toBe(200);
    }
    expect((await rowsOf(validation)).map(({ data }) => data)).toEqual([
      { content: 'A' },
      { content: 'B' },
      { content: 'A' },
    ]);
    expect(await newest(validation)).toEqual({ content: 'A' });
  });

  test('a running store hides nothing', async () => {
    const validation = freshValidation();
    await store(writer, tenant, validation);
    const running = { ...validation, status: 'running', data: { progress: 0.5 } };
    expect((await store(writer, tenant, running)).status).toBe(200);
    expect(await newest(validation)).toEqual(validation.data);
  });

  test.each([
    { name: 'its id', by: (id: string) => ({ runId: id }) },
    { name: 'its pipeline run and commit', by: () => ({ pipelineRunId: 'ci-7' }) },
  ])('a running store that completes, named by $name, is one row', async ({ by }) => {
    const validation = freshValidation();
    const begun = { ...validation, pipelineRunId: 'ci-7', status: 'running', data: { progress: 0.5 } };
    const first = await store(writer, tenant, begun);
    const ended = { ...validation, data: { validated: true, progress: 1 }, ...by(first.body.id) };
    const second = await store(reader, tenant, ended);
    expect([second.status, second.body.id]).toEqual([200, first.body.id]);
    expect(await rowsOf(validation)).toMatchObject([
      { id: first.body.id, status: 'completed', data: ended.data },
    ]);
    expect(await newest(validation)).toEqual(ended.data);
  });
});

describe('tenants', async () => {
  const owner = await world.makeTenant();
  const stranger = await world.makeTenant();
  const theirs = {
    phase: 'validation',
    repo: `${owner.owner}/private`,
    issueNumber: 1,
    commitSha: 'c1',
    data: { secret: true },
  };
  const stored = await store(writer, owner, theirs);

  test('neither read nor write what is not theirs, and learn nothing of it', async () => {
    const nobodys = `${stranger.owner}-nobody/private`;
    for (const repo of [theirs.repo, nobodys]) {
      const written = await store(writer, stranger, { ...theirs, repo });
      const read = await retrieve(reader, stranger, { repo, issue: '1' });
      for (const { status, body } of [written, read]) {
        expect([status, body.code]).toEqual([403, 'NAMESPACE_FORBIDDEN']);
        expect(body.detail.replace(repo.split('/')[0], 'NAMESPACE')).toBe(
          'You have no verified github account for the namespace NAMESPACE of this repository',
        );
      }
    }
  });

  test("do not move another's run forward by its id", async () => {
    const own = { ...theirs, repo: `${stranger.owner}/private`, runId: stored.body.id };
    const { status, body } = await store(writer, stranger, own);
    expect([status, body.code]).toEqual([422, 'RUN_NOT_FOUND']);
  });

  test("do not join another's session, nor say whose a run is or where it belongs", async () => {
    const ours = { ...theirs, repo: `${stranger.owner}/private`, issueNumber: 2 };
    const smuggled = {
      sessionId: stored.body.sessionId,
      customerId: owner.customerId,
      customer_id: owner.customerId,
      order: 1,
      namespace: owner.namespace,
      dataRef: { sha256: 'a'.repeat(64), sizeBytes: 1 },
    };
    const { status, body } = await store(writer, stranger, { ...ours, ...smuggled });
    expect(status).toBe(200);
    expect(body.sessionId).not.toBe(stored.body.sessionId);
    expect(body.phaseRun.namespace).toBe(stranger.namespace);
    expect(await listRows(world.pool, 'validation', stranger.customerId)).toHaveLength(1);
  });

  test('with a key that was altered, revoked or never made are told nothing but that', async () => {
    const altered = owner.apiKey.slice(0, -1) + (owner.apiKey.endsWith('x') ? 'y' : 'x');
    await world.pool.query(sql.type(z.object({}))`
      UPDATE api_keys SET revoked_at = now() WHERE customer_id = ${stranger.customerId}
    `);
    for (const apiKey of [altered, stranger.apiKey, 'rsolv_nobody_nothing']) {
      const written = await store(writer, { apiKey }, theirs);
      const read = await retrieve(reader, { apiKey }, { repo: theirs.repo, issue: '1' });
      for (const { status, body } of [written, read]) {
        expect([status, body.code]).toEqual([401, 'INVALID_API_KEY']);
      }
    }
  });

  test('after all that the owner has what it stored', async () => {
    expect(await listRows(world.pool, 'validation', owner.customerId)).toHaveLength(1);
    const { body } = await retrieve(reader, owner, { repo: theirs.repo, issue: '1' });
    expect(body).toEqual({ validation: { 'issue-1': { secret: true } } });
  });
});
