import type { RoleProcess } from '../../fixtures/processes.ts';
import { store } from '../end-to-end/runner.ts';
import type { Tenant } from '../end-to-end/world.ts';

const JAVASCRIPT = { language: 'javascript', framework: 'express' } as const;
const INVERTED = { testResults: { vulnerableCommit: { allPassed: true } } } as const;
const PYTHON = { language: 'python', framework: 'django' } as const;

/**
 * Results of all phases over two repositories, in two languages, with every status that there is, and a session in every
 * state that runs lead to.
 * @returns how many runs were stored
 */
export async function playTraffic(api: Pick<RoleProcess, 'url'>, tenant: Tenant): Promise<number> {
  const shop = `${tenant.owner}/shop`;
  const billing = `${tenant.owner}/billing`;
  const results = [
    scan(shop, 'aaaaaa1', ['critical', 'high', 'high', 'low']),
    scan(billing, 'bbbbbb1', ['medium', 'info']),
    { ...scan(billing, 'bbbbbb2', []), status: 'failed' },

    validation(shop, 1, { ...JAVASCRIPT, validated: true, durationMs: 42_000, ...tests(3, 2, 1) }),
    mitigation(shop, 1, { ...JAVASCRIPT, trust_score: 85, durationMs: 95_000, ...pullRequest(shop, 11) }),
    validation(shop, 2, { ...JAVASCRIPT, validated: true, durationMs: 310_000, ...tests(5, 1, 4) }),
    mitigation(shop, 2, { ...JAVASCRIPT, fixed: false, trust_score: 35, durationMs: 700_000 }),
    mitigation(shop, 5, { ...JAVASCRIPT, trust_score: 60 }),
    validation(shop, 3, { ...JAVASCRIPT, durationMs: 1_500, ...INVERTED }),
    validation(shop, 4, { ...JAVASCRIPT, validated: false, vulnerabilities: [], durationMs: 9_000 }),

    {
      ...validation(billing, 7, { ...PYTHON, language: 'py', validated: true, ...tests(1, 0, 1) }),
      ...lasted(75),
    },
    {
      ...mitigation(billing, 7, { ...PYTHON, trust_score: 100, ...pullRequest(billing, 12) }),
      ...lasted(130),
    },
    { ...validation(billing, 8, { ...PYTHON, durationMs: 610_000 }), status: 'failed' },
    validation(billing, 9, { ...PYTHON, validationInconclusive: true, durationMs: 4_000 }),
    { ...mitigation(billing, 10, PYTHON), status: 'failed' },
    mitigation(billing, 9, { ...PYTHON, trust_score: 70 }),
    mitigation(billing, 11, { ...PYTHON, infrastructureFailure: true }),
    validation(billing, 13, { ...PYTHON, ...INVERTED }),
    validation(billing, 12, { validated: true, redTests: [{ name: 'one' }, { name: 'two' }] }),
  ];
  // One after another: a mitigation ends what the validation before it began.
  for (const result of results) {
    const { status, body } = await store(api, tenant, result);
    if (status !== 200 && status !== 202) throw new Error(`was not stored: ${JSON.stringify(body)}`);
  }
  return results.length;
}

function scan(repo: string, commitSha: string, severities: readonly string[]) {
  const vulnerabilities = severities.map((severity) => ({ type: 'xss', severity }));
  return { phase: 'scan', repo, commitSha, data: { vulnerabilities } };
}

function validation(repo: string, issueNumber: number, data: object) {
  return { phase: 'validation', repo, issueNumber, commitSha: 'aaaaaa1', data };
}

function mitigation(repo: string, issueNumber: number, data: object) {
  return { phase: 'mitigation', repo, issueNumber, commitSha: 'aaaaaa1', data };
}

function tests(generated: number, passed: number, failed: number) {
  return { tests_generated: generated, tests_passed: passed, tests_failed: failed };
}

function pullRequest(repo: string, number: number) {
  return { pr_url: `https://github.com/${repo}/pull/${number}`, pr_number: number };
}

/** As a runner tells it that gives no duration. */
function lasted(seconds: number) {
  const startedAt = new Date('2026-11-01T12:00:00Z');
  return {
    startedAt: startedAt.toISOString(),
    completedAt: new Date(startedAt.getTime() + 1000 * seconds).toISOString(),
  };
}
