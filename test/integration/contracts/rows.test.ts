import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

/** What clients rely on, row by row, as the tables and lists of the wire formats name it; by the file that tries it. */
const ROWS = {
  'store-fields': [
    '`phase`',
    '`repo`',
    '`commitSha` (`commit_sha`)',
    '`issueNumber` (`issue_number`)',
    '`branch`',
    '`pipelineRunId` (`pipeline_run_id`)',
    '`forge` / `forge_type`',
    '`status`, `startedAt`, `completedAt`, `errorMessage`',
    '`runId` (`run_id`)',
    '`data`',
    'Camel wins',
  ],
  'store-data': ['flat', 'wrapped', 'scan', 'validation', 'mitigation', 'Derived columns', '200', '202'],
  retrieve: [
    '`200`',
    'scan',
    'validation, mitigation',
    'Newest',
    'The key is always `issue-<n>`',
    'Parameter order',
    'Camel and snake parameter names',
    'Optional `forge`, `pipelineRunId` filters',
  ],
  errors: [
    'application/problem+json',
    '401 `AUTH_REQUIRED`',
    '401 `INVALID_API_KEY`',
    '403 `NAMESPACE_FORBIDDEN`',
    '403 `FORGE_ACCOUNT_NOT_VERIFIED`',
    '400',
    '413',
    '415',
    '422',
    '429',
    '503',
    'Never a 500',
  ],
  'phase-data': [
    '`POST /api/v1/phase_data`',
    '`GET /api/v1/phase_data/:repository/:issue_number`',
    '`DELETE /api/v1/phase_data/:repository/:issue_number`',
    'Same rows, same rules',
  ],
  'red-green': [
    'On the vulnerable commit',
    'After the fix',
    'Infrastructure failures',
    'Counts alone',
    'No outcomes',
    'Empty result arrays',
    '100, 50, 0',
    'Inverted validation',
    'Event, metric',
    'Unproven mitigation',
    'A contradicting score',
  ],
  agents: [
    '`POST /sessions`',
    '`GET /sessions/{id}`',
    '`GET /sessions/{task_id}`',
    '`PUT /sessions/{id}`',
    '`PUT /sessions/{id}/events`',
    '`GET /sessions`',
    '`POST /tasks/route`',
    '`GET /tasks/{id}`',
    '`GET /tasks`',
    '`POST /approvals`',
    '`PUT /approvals/{id}`',
    '`GET /approvals`',
    '`GET /audit`',
    '`POST /audit/ingest`',
    '`GET /profiles/{role}`',
    '`GET /status`',
    '`GET /health`',
  ],
  idempotency: [
    'Scope',
    'Another body',
    'Still running',
    'Done',
    '2xx and deterministic 4xx',
    '401, 403, 429, 5xx',
    'After authentication',
    '`IDEMPOTENCY_TTL_SECONDS`',
    '`IDEMPOTENCY_ENABLED`',
    'Optional but on `/tasks/route`',
    'Redis keys',
    'All mutating routes',
    'Postgres is the truth',
    'Never silently off',
  ],
  client: [
    '`RSOLV_API_URL`, `RSOLV_API_KEY`',
    '`USE_PLATFORM_STORAGE`',
    '`storePhaseResults`, `retrievePhaseResults`, `validatePhaseTransition`',
    'Without a base URL',
    'Platform first',
    'Re-sent by the next call',
    'One Idempotency-Key',
    'A re-send',
    'Retries',
    'GitHub OIDC token',
    'In a CI job',
    'A throwaway runner',
  ],
  mcp: [
    'stdio and streamable HTTP',
    '`fetch_status`',
    '`send_task`',
    '`notify`',
    '`request_approval`',
    '`phase_results`',
    '`session_timeline`',
    'Arguments',
    'Long metadata',
  ],
  database: [
    '`forge_accounts`',
    '`repositories`',
    '`scan_executions`',
    '`validation_executions`',
    '`mitigation_executions`',
    '`sessions`',
    '`tasks`',
    '`approvals`',
    '`audit_events`',
    '`active_sessions`',
    '`pending_approvals`',
    'Execution rows',
    'Index (customer, repository, issue_number)',
  ],
} as const satisfies Readonly<Record<string, readonly string[]>>;

describe.each(Object.entries(ROWS))('%s', (file, rows) => {
  const source = readFileSync(`${import.meta.dirname}/${file}.test.ts`, 'utf8');
  const titles = [...source.matchAll(/^ {2}test\(\s*(['"])(.*)\1,/gm)].map(([, , title = '']) => title);

  test('every row has one test that is named after it, and no test is without a row', () => {
    const named = titles.map((title) => rows.find((row) => title.startsWith(`${row}: `)) ?? title);
    expect(named.toSorted()).toEqual([...rows].toSorted());
  });

  test('each is tried with Redis and without', () => {
    expect(source).toContain('describe.each(await createContractWorlds(');
  });
});
