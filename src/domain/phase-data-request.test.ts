import { describe, expect, test } from 'vitest';
import { parsePhaseDataRequest, parsePhaseDataSubject } from './phase-data-request.ts';

const repository = { forge: 'github', namespace: 'acme', name: 'app', fullPath: 'Acme/app' };
const body = { repository: 'Acme/app', issue_number: 7, phase: 'scan', data: { vulnerabilities: [] } };

describe('parsePhaseDataRequest', () => {
  const accepted = [
    {
      name: 'a scan has an issue and no commit',
      body: { ...body, commitSha: '7776c71' },
      want: { phase: 'scan', issueNumber: 7, data: { vulnerabilities: [] } },
    },
    {
      name: 'a validation in the oldest spelling, without a commit',
      body: { ...body, phase: 'validate', data: { validated: true } },
      want: { phase: 'validation', issueNumber: 7, data: { validated: true } },
    },
    {
      name: 'a commit that is there, unless for a scan',
      body: { ...body, phase: 'mitigate', commit_sha: '7776c71', data: { fixed: true } },
      want: { phase: 'mitigation', issueNumber: 7, commitSha: '7776c71', data: { fixed: true } },
    },
    {
      name: 'an empty commit, which is none',
      body: { ...body, phase: 'mitigate', commitSha: '' },
      want: { phase: 'mitigation', issueNumber: 7, data: { vulnerabilities: [] } },
    },
    {
      name: 'a wrapped document, and spellings of the newer route',
      body: {
        repo: 'Acme/app',
        issueNumber: '7',
        phase: 'validation',
        data: { validate: { 'issue-7': { a: 1 } } },
      },
      want: { phase: 'validation', issueNumber: 7, data: { a: 1 } },
    },
  ];
  test.each(accepted)('reads $name', ({ body, want }) => {
    const value = { ...want, repository, status: 'completed' };
    expect(parsePhaseDataRequest(body)).toEqual({ ok: true, value });
  });

  const refused = [
    { name: 'no issue, even of a scan', body: { ...body, issue_number: undefined }, want: ['issue_number'] },
    { name: 'no repository', body: { ...body, repository: undefined }, want: ['repository'] },
    { name: 'a repository that is none', body: { ...body, repository: 'app' }, want: ['repository'] },
    { name: 'another phase', body: { ...body, phase: 'deploy' }, want: ['phase'] },
    { name: 'lost data', body: { ...body, data: null }, want: ['data'] },
    { name: 'no object', body: 'scan', want: [''] },
  ];
  test.each(refused)('refuses $name', ({ body, want }) => {
    const parsed = parsePhaseDataRequest(body);
    expect(parsed.ok ? [] : parsed.errors.map(({ path }) => path)).toEqual(want);
  });
});

describe('parsePhaseDataSubject', () => {
  test('reads a path of GitHub unless it is told otherwise', () => {
    expect(parsePhaseDataSubject({ repository: 'Acme/app', issue_number: '7' })).toEqual({
      ok: true,
      value: { repository, issueNumber: 7 },
    });
    expect(parsePhaseDataSubject({ repository: 'a/b/c', issue_number: '7', forge: 'gitlab' })).toMatchObject({
      ok: true,
      value: { repository: { forge: 'gitlab', namespace: 'a/b', name: 'c' } },
    });
  });

  const refused = [
    { parameters: { repository: 'a/b/c', issue_number: '7' }, want: 'repository' },
    { parameters: { repository: 'a/b', issue_number: 'undefined' }, want: 'issue_number' },
    { parameters: { repository: 'a/b', issue_number: '0' }, want: 'issue_number' },
    { parameters: { repository: 'a/b', issue_number: '7', forge: 'bitbucket' }, want: 'forge' },
  ];
  test.each(refused)('refuses $parameters by its $want', ({ parameters, want }) => {
    const parsed = parsePhaseDataSubject(parameters);
    expect(parsed.ok ? [] : parsed.errors.map(({ path }) => path)).toEqual([want]);
  });
});
