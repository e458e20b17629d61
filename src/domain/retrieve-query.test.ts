import { describe, expect, test } from 'vitest';
import { parseRetrieveQuery, type Query } from './retrieve-query.ts';

const repository = { forge: 'github', namespace: 'acme', name: 'nodegoat', fullPath: 'acme/nodegoat' };

test.each<{ name: string; query: Query; want: object }>([
  { name: 'the repository alone', query: { repo: 'acme/nodegoat' }, want: { repository } },
  {
    name: 'everything',
    query: { repo: 'acme/nodegoat', issue: '1204', commit: '7776c71', pipelineRunId: '9' },
    want: { repository, issueNumber: 1204, commitSha: '7776c71', pipelineRunId: '9' },
  },
  {
    name: 'camel case',
    query: { repo: 'acme/nodegoat', issueNumber: '1204', commitSha: 'unknown' },
    want: { repository, issueNumber: 1204, commitSha: 'unknown' },
  },
  {
    name: 'snake case',
    query: {
      repo: 'acme/nodegoat',
      issue_number: '1204',
      commit_sha: 'x',
      pipeline_run_id: '9',
      forge_type: 'github',
    },
    want: { repository, issueNumber: 1204, commitSha: 'x', pipelineRunId: '9' },
  },
  {
    name: 'GitLab',
    query: { repo: 'a/b/c', forge: 'gitlab' },
    want: { repository: { forge: 'gitlab', namespace: 'a/b', name: 'c', fullPath: 'a/b/c' } },
  },
  {
    name: 'empty optional parameters',
    query: { repo: 'acme/nodegoat', commit: '', forge: '', pipelineRunId: '' },
    want: { repository },
  },
  { name: 'unknown parameters', query: { repo: 'acme/nodegoat', verbose: ['1', '2'] }, want: { repository } },
  {
    name: 'two names for one',
    query: { repo: 'acme/nodegoat', issue_number: '1', issue: '2' },
    want: { repository, issueNumber: 2 },
  },
])('$name', ({ query, want }) => {
  expect(parseRetrieveQuery(query)).toEqual({ ok: true, value: want });
});

describe('what is wrong is named', () => {
  test.each<{ query: Query; path: string }>([
    { query: {}, path: 'repo' },
    { query: { repo: '' }, path: 'repo' },
    { query: { repo: 'nodegoat' }, path: 'repo' },
    { query: { repo: 'a/b/c' }, path: 'repo' },
    { query: { repo: ['acme/nodegoat', 'acme/nodegoat'] }, path: 'repo' },
    ...[
      'undefined',
      'null',
      'NaN',
      '',
      '0',
      '-1',
      '1.5',
      '1e3',
      '01',
      ' 1',
      '0x10',
      '9007199254740993',
      'issue-1204',
    ].map((issue) => ({ query: { repo: 'acme/nodegoat', issue }, path: 'issue' })),
    { query: { repo: 'acme/nodegoat', issue: ['1', '2'] }, path: 'issue' },
    { query: { repo: 'acme/nodegoat', issue_number: 'undefined' }, path: 'issue_number' },
    { query: { repo: 'acme/nodegoat', commit: 'a\0b' }, path: 'commit' },
    { query: { repo: 'acme/nodegoat', commitSha: 'x'.repeat(256) }, path: 'commitSha' },
    { query: { repo: 'acme/nodegoat', commit: ['a', 'a'] }, path: 'commit' },
    { query: { repo: 'acme/nodegoat', forge: 'bitbucket' }, path: 'forge' },
    { query: { repo: 'acme/nodegoat', forge_type: ['github', 'gitlab'] }, path: 'forge_type' },
    { query: { repo: 'acme/nodegoat', pipeline_run_id: '\ud800' }, path: 'pipeline_run_id' },
  ])('$query', ({ query, path }) => {
    const parsed = parseRetrieveQuery(query);
    expect(parsed).toMatchObject({ ok: false, errors: [{ path }] });
    expect(parsed.ok ? '' : parsed.errors[0]?.message).toMatch(new RegExp(`^${path} (must|is) `));
  });
});
