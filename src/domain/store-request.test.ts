import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from './run.ts';
import { parseStoreRequest } from './store-request.ts';

const scan = { phase: 'scan', repo: 'acme/nodegoat', commitSha: '7776c71' };
const validation = { phase: 'validation', repo: 'acme/nodegoat', commitSha: '7776c71', issueNumber: 1204 };
const repository = { forge: 'github', namespace: 'acme', name: 'nodegoat', fullPath: 'acme/nodegoat' };
const scanned = { phase: 'scan', repository, commitSha: '7776c71', status: 'completed', data: {} };
const validated = { ...scanned, phase: 'validation', issueNumber: 1204 };
const runId = '0190d1c8-5f0a-7c55-9a39-7c1b6f4e2a10';

describe('what clients send', () => {
  test.each<{ name: string; body: JsonObject; want: JsonObject }>([
    { name: 'the least of a scan', body: scan, want: scanned },
    { name: 'the least of a validation', body: validation, want: validated },
    { name: 'data', body: { ...scan, data: { a: [1] } }, want: { ...scanned, data: { a: [1] } } },
    {
      name: 'snake case',
      body: {
        phase: 'validate',
        repo: 'acme/nodegoat',
        commit_sha: '7776c71',
        issue_number: 1204,
        pipeline_run_id: '9',
        started_at: '2026-02-11T09:14:03+01:00',
        completed_at: '2026-02-11T09:15:00Z',
        error_message: 'no',
        run_id: runId,
        forge_type: 'github',
        status: 'failed',
        branch: 'main',
      },
      want: {
        ...validated,
        pipelineRunId: '9',
        startedAt: '2026-02-11T08:14:03.000Z',
        completedAt: '2026-02-11T09:15:00.000Z',
        errorMessage: 'no',
        runId,
        status: 'failed',
        branch: 'main',
      },
    },
    {
      name: 'both spellings mixed',
      body: { ...scan, pipeline_run_id: '9' },
      want: { ...scanned, pipelineRunId: '9' },
    },
    { name: 'both spellings of one: camel wins', body: { ...validation, issue_number: 7 }, want: validated },
    {
      name: 'null for absent',
      body: {
        ...scan,
        branch: null,
        issueNumber: null,
        runId: null,
        errorMessage: null,
        status: null,
        forge: null,
      },
      want: scanned,
    },
    {
      name: 'null beside the other spelling',
      body: { ...scan, issueNumber: null, issue_number: 7 },
      want: { ...scanned, issueNumber: 7 },
    },
    {
      name: 'empty for absent',
      body: { ...scan, branch: '', pipelineRunId: '', errorMessage: '' },
      want: scanned,
    },
    { name: 'an issue as a string', body: { ...validation, issueNumber: '1204' }, want: validated },
    {
      name: 'a run id as a number',
      body: { ...scan, pipelineRunId: 21_345_678_901 },
      want: { ...scanned, pipelineRunId: '21345678901' },
    },
    {
      name: 'a commit that is none',
      body: { ...scan, commitSha: 'no-git-available' },
      want: { ...scanned, commitSha: 'no-git-available' },
    },
    { name: 'a scan of an issue', body: { ...scan, issueNumber: 7 }, want: { ...scanned, issueNumber: 7 } },
    { name: 'unknown fields', body: { ...scan, extra: { deep: true }, 'x-y': 1 }, want: scanned },
    { name: 'an id in capitals', body: { ...scan, runId: runId.toUpperCase() }, want: { ...scanned, runId } },
    {
      name: 'GitLab',
      body: { ...scan, forge: 'gitlab', repo: 'A/b/C' },
      want: { ...scanned, repository: { forge: 'gitlab', namespace: 'a/b', name: 'c', fullPath: 'A/b/C' } },
    },
    {
      name: 'a wrapped document',
      body: { ...validation, data: { validation: { 'issue-3': { a: 1 }, 'issue-1204': { b: 2 } } } },
      want: { ...validated, data: { b: 2 } },
    },
    {
      name: 'a stack trace of any length, cut between characters',
      body: { ...scan, errorMessage: `${'x'.repeat(4095)}😀` },
      want: { ...scanned, errorMessage: 'x'.repeat(4095) },
    },
  ])('$name', ({ body, want }) => {
    expect(parseStoreRequest(body)).toEqual({ ok: true, value: want });
  });
});

describe('what is wrong is named as the client spelled it', () => {
  test.each<{ name: string; body: unknown; paths: string[] }>([
    { name: 'no object', body: 'text', paths: [''] },
    { name: 'null', body: null, paths: [''] },
    { name: 'a list', body: [scan], paths: [''] },
    { name: 'nothing', body: {}, paths: ['phase', 'repo', 'commitSha'] },
    { name: 'an unknown phase', body: { ...scan, phase: 'deploy' }, paths: ['phase'] },
    { name: 'a phase from the prototype', body: { ...scan, phase: 'constructor' }, paths: ['phase'] },
    { name: 'a phase that is no string', body: { ...scan, phase: ['scan'] }, paths: ['phase'] },
    { name: 'a repository that is no string', body: { ...scan, repo: 7 }, paths: ['repo'] },
    { name: 'no repository', body: { ...scan, repo: null }, paths: ['repo'] },
    { name: 'a repository without owner', body: { ...scan, repo: 'nodegoat' }, paths: ['repo'] },
    { name: 'a nested repository on GitHub', body: { ...scan, repo: 'a/b/c' }, paths: ['repo'] },
    { name: 'a path', body: { ...scan, repo: '../etc' }, paths: ['repo'] },
    { name: 'an empty commit', body: { ...scan, commitSha: '' }, paths: ['commitSha'] },
    {
      name: 'an empty commit in snake case',
      body: { phase: 'scan', repo: 'a/b', commit_sha: '' },
      paths: ['commit_sha'],
    },
    { name: 'a commit that is no string', body: { ...scan, commitSha: 7 }, paths: ['commitSha'] },
    { name: 'a commit too long', body: { ...scan, commitSha: 'x'.repeat(256) }, paths: ['commitSha'] },
    { name: 'a commit with NUL', body: { ...scan, commitSha: 'a\0' }, paths: ['commitSha'] },
    {
      name: 'a validation without issue',
      body: { ...validation, issueNumber: undefined },
      paths: ['issueNumber'],
    },
    {
      name: 'a mitigation whose issue is null',
      body: { ...scan, phase: 'mitigate', issue_number: null },
      paths: ['issue_number'],
    },
    ...[0, -1, 1.5, 2 ** 53, '0', '01', ' 12 ', '12 ', '1e3', '0x1', 'undefined', '', true, [1], {}].map(
      (issue_number) => ({
        name: `issue ${JSON.stringify(issue_number)}`,
        body: { ...scan, phase: 'validation', issue_number },
        paths: ['issue_number'],
      }),
    ),
    { name: 'an unknown forge', body: { ...scan, forge_type: 'bitbucket' }, paths: ['forge_type'] },
    { name: 'an unknown status', body: { ...scan, status: 'done' }, paths: ['status'] },
    {
      name: 'a time that is none',
      body: { ...scan, started_at: 'yesterday', completedAt: 7 },
      paths: ['started_at', 'completedAt'],
    },
    { name: 'a branch that is no string', body: { ...scan, branch: {} }, paths: ['branch'] },
    { name: 'a branch too long', body: { ...scan, branch: 'x'.repeat(256) }, paths: ['branch'] },
    {
      name: 'a run id that is no integer',
      body: { ...scan, pipeline_run_id: 1.5 },
      paths: ['pipeline_run_id'],
    },
    {
      name: 'an error message that is none',
      body: { ...scan, errorMessage: { a: 1 } },
      paths: ['errorMessage'],
    },
    { name: 'an id that is no UUID', body: { ...scan, run_id: '7' }, paths: ['run_id'] },
    { name: 'data that is null', body: { ...scan, data: null }, paths: ['data'] },
    { name: 'data that is a list', body: { ...scan, data: [] }, paths: ['data'] },
    { name: 'data that is text', body: { ...scan, data: '{}' }, paths: ['data'] },
    {
      name: 'several fields, in the order of the contract',
      body: { status: 'x', issueNumber: 'y', repo: 'a/b' },
      paths: ['phase', 'issueNumber', 'commitSha', 'status'],
    },
    {
      name: 'the repository and the missing issue',
      body: { ...validation, repo: 'x', issueNumber: undefined },
      paths: ['repo', 'issueNumber'],
    },
    {
      name: 'a document without the issue',
      body: { ...validation, data: { validation: { 'issue-3': {} } } },
      paths: ['data.validation'],
    },
  ])('$name', ({ body, paths }) => {
    const parsed = parseStoreRequest(body);
    const errors = parsed.ok ? [] : parsed.errors;
    expect(errors.map(({ path }) => path)).toEqual(paths);
    for (const { path, message } of errors) expect(message).toContain(path);
  });
});

test('no body makes it throw', () => {
  const fields = fc.record(
    {
      phase: fc.oneof(fc.constant('validation'), fc.jsonValue()),
      repo: fc.oneof(fc.constant('a/b'), fc.jsonValue()),
      commitSha: fc.oneof(fc.string(), fc.jsonValue()),
      issue_number: fc.oneof(fc.integer(), fc.jsonValue()),
      startedAt: fc.jsonValue(),
      data: fc.oneof(
        fc.dictionary(fc.constantFrom('validation', 'scan', 'x'), fc.jsonValue()),
        fc.jsonValue(),
      ),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(fields, fc.jsonValue()), (body) => {
      const parsed = parseStoreRequest(body);
      expect(parsed.ok || parsed.errors.length > 0).toBe(true);
    }),
  );
});
