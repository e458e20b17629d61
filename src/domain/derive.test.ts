import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DerivedResult, deriveResult } from './derive.ts';
import type { Phase } from './phase.ts';
import type { JsonObject } from './run.ts';

interface Case {
  readonly name: string;
  readonly data: JsonObject;
  readonly want: Partial<DerivedResult>;
}

const failed = { allPassed: false };
const passed = { allPassed: true };

describe('scan', () => {
  test.each<Case>([
    {
      name: 'counts what it lists',
      data: { vulnerabilities: [{}, 'x', null] },
      want: { vulnerabilities: 3 },
    },
    { name: 'counts nothing', data: { vulnerabilities: [] }, want: { vulnerabilities: 0 } },
    { name: 'has no count without a list', data: { vulnerabilities: 'many' }, want: {} },
    { name: 'has no verdict', data: { preTestPassed: true, trustScore: 5, validated: true }, want: {} },
  ])('$name', ({ data, want }) => {
    expect(deriveResult('scan', data)).toEqual({ redGreen: 'unknown', falsePositive: false, ...want });
  });
});

describe('how the RED tests of a validation went', () => {
  test.each<Case>([
    { name: 'nothing known', data: {}, want: { redGreen: 'unknown' } },
    {
      name: 'testExecutionResult failed',
      data: { testExecutionResult: { passed: false } },
      want: { redGreen: 'proven' },
    },
    {
      name: 'testExecutionResult passed',
      data: { testExecutionResult: { passed: true } },
      want: { redGreen: 'inverted' },
    },
    {
      name: 'allPassed false',
      data: { testResults: { vulnerableCommit: failed } },
      want: { redGreen: 'proven' },
    },
    {
      name: 'allPassed true',
      data: { testResults: { vulnerableCommit: passed } },
      want: { redGreen: 'inverted' },
    },
    {
      name: 'each one failed',
      data: { testResults: { vulnerableCommit: { redTestsPassed: [false, false] } } },
      want: { redGreen: 'proven' },
    },
    {
      name: 'one of two failed',
      data: { testResults: { vulnerableCommit: { redTestsPassed: [true, false] } } },
      want: { redGreen: 'proven' },
    },
    {
      name: 'each one passed',
      data: { testResults: { vulnerableCommit: { redTestsPassed: [true, true] } } },
      want: { redGreen: 'inverted' },
    },
    { name: 'redTestPassed false', data: { redTestPassed: false }, want: { redGreen: 'proven' } },
    { name: 'redTestPassed true', data: { redTestPassed: true }, want: { redGreen: 'inverted' } },
    { name: 'preTestPassed false', data: { preTestPassed: false }, want: { redGreen: 'proven' } },
    {
      name: 'no tests ran',
      data: { testResults: { vulnerableCommit: { redTestsPassed: [], testResults: [], allPassed: false } } },
      want: { redGreen: 'unknown' },
    },
    {
      name: 'no tests ran, and yet all passed',
      data: { testResults: { vulnerableCommit: { redTestsPassed: [], allPassed: true } } },
      want: { redGreen: 'unknown' },
    },
    {
      name: 'one passed, of the other nothing is known',
      data: { testResults: { vulnerableCommit: { redTestsPassed: [true, null] } } },
      want: { redGreen: 'unknown' },
    },
    {
      name: 'one failed, of the other nothing is known',
      data: { testResults: { vulnerableCommit: { redTestsPassed: [null, false] } } },
      want: { redGreen: 'proven' },
    },
    {
      name: 'results that are no booleans',
      data: { testResults: { vulnerableCommit: { redTestsPassed: ['no', null] } } },
      want: { redGreen: 'unknown' },
    },
    {
      name: 'a word for the results',
      data: { testResults: '1 failing (expected)' },
      want: { redGreen: 'unknown' },
    },
    { name: 'a word for a boolean', data: { redTestPassed: 'false' }, want: { redGreen: 'unknown' } },
    {
      name: 'counts alone',
      data: { redTests: { count: 3, passed: 3 }, tests_passed: 2, tests_failed: 1, testsPassed: 3 },
      want: { redGreen: 'unknown' },
    },
    {
      name: 'infrastructure failure',
      data: { infrastructureFailure: true, redTestPassed: false },
      want: { redGreen: 'unknown' },
    },
    {
      name: 'none',
      data: { infrastructureFailure: false, redTestPassed: false },
      want: { redGreen: 'proven' },
    },
    {
      name: 'timed out',
      data: { testExecutionResult: { passed: false, timedOut: true } },
      want: { redGreen: 'unknown' },
    },
    {
      name: 'crashed',
      data: { testExecutionResult: { passed: true, crashed: true } },
      want: { redGreen: 'unknown' },
    },
    {
      name: 'infrastructure of the commit',
      data: { testResults: { vulnerableCommit: { ...failed, hasInfrastructureFailures: true } } },
      want: { redGreen: 'unknown' },
    },
    {
      name: 'one test crashed',
      data: {
        testResults: { vulnerableCommit: { ...failed, testResults: [{ passed: false, crashed: true }] } },
      },
      want: { redGreen: 'unknown' },
    },
    {
      name: 'infrastructure of the other commit',
      data: {
        testResults: {
          vulnerableCommit: failed,
          fixedCommit: { ...failed, hasInfrastructureFailures: true },
        },
      },
      want: { redGreen: 'proven' },
    },
    {
      name: 'contradiction',
      data: { testExecutionResult: { passed: true }, testResults: { vulnerableCommit: failed } },
      want: { redGreen: 'unknown' },
    },
    {
      name: 'what the fix did is another question',
      data: { redTestPassed: false, postTestPassed: false, isValidFix: false },
      want: { redGreen: 'proven' },
    },
  ])('$name', ({ data, want }) => {
    expect(deriveResult('validation', data)).toMatchObject(want);
  });
});

describe('what else a validation says', () => {
  test.each<Case>([
    {
      name: 'validated',
      data: { validated: true, vulnerabilities: [{}] },
      want: { validated: true, vulnerabilities: 1 },
    },
    { name: 'validated by a word', data: { validated: 'yes' }, want: {} },
    {
      name: 'inverted',
      data: { validated: true, redTestPassed: true },
      want: { validated: false, redGreen: 'inverted' },
    },
    { name: 'nothing found', data: { validated: false }, want: { validated: false, falsePositive: true } },
    {
      name: 'an empty list found',
      data: { validated: false, vulnerabilities: [] },
      want: { validated: false, falsePositive: true, vulnerabilities: 0 },
    },
    {
      name: 'something found',
      data: { validated: false, vulnerabilities: [{}] },
      want: { validated: false, vulnerabilities: 1 },
    },
    {
      name: 'found in words',
      data: { validated: false, vulnerabilities: 'two' },
      want: { validated: false },
    },
    {
      name: 'nothing found since nothing ran',
      data: { validated: false, infrastructureFailure: true },
      want: { validated: false },
    },
    {
      name: 'nothing found by inverted tests',
      data: { validated: false, redTestPassed: true },
      want: { validated: false, redGreen: 'inverted' },
    },
    {
      name: 'nothing found by tests that failed',
      data: { validated: false, redTestPassed: false },
      want: { validated: false, redGreen: 'proven', falsePositive: true },
    },
    {
      name: 'language and framework',
      data: { language: 'ruby', framework: 'rspec' },
      want: { language: 'ruby', framework: 'rspec' },
    },
    {
      name: 'a language too long for its column',
      data: { language: 'x'.repeat(101), framework: '' },
      want: {},
    },
    { name: 'a score is of mitigations', data: { trustScore: 90 }, want: {} },
  ])('$name', ({ data, want }) => {
    expect(deriveResult('validation', data)).toEqual({ redGreen: 'unknown', falsePositive: false, ...want });
  });
});

describe('how the fix went', () => {
  test.each<Case>([
    { name: 'nothing known', data: {}, want: { redGreen: 'unknown' } },
    {
      name: 'fails, then passes',
      data: { preTestPassed: false, postTestPassed: true },
      want: { redGreen: 'proven', trustScore: 100 },
    },
    {
      name: 'passes both',
      data: { preTestPassed: true, postTestPassed: true },
      want: { redGreen: 'unknown', trustScore: 50 },
    },
    {
      name: 'fails both',
      data: { preTestPassed: false, postTestPassed: false },
      want: { redGreen: 'unproven', trustScore: 0 },
    },
    {
      name: 'passes, then fails',
      data: { preTestPassed: true, postTestPassed: false },
      want: { redGreen: 'unproven', trustScore: 0 },
    },
    { name: 'still fails', data: { postTestPassed: false }, want: { redGreen: 'unproven' } },
    { name: 'passes after, before unknown', data: { postTestPassed: true }, want: { redGreen: 'unknown' } },
    { name: 'says it is not fixed', data: { fixed: false }, want: { redGreen: 'unproven' } },
    {
      name: 'says it is not fixed, whatever the tests',
      data: { fixed: false, preTestPassed: false, postTestPassed: true },
      want: { redGreen: 'unproven', trustScore: 100 },
    },
    {
      name: 'by commits',
      data: { testResults: { vulnerableCommit: failed, fixedCommit: passed } },
      want: { redGreen: 'proven', trustScore: 100 },
    },
    {
      name: 'by lists',
      data: {
        testResults: {
          vulnerableCommit: { redTestsPassed: [false] },
          fixedCommit: { redTestsPassed: [true] },
        },
      },
      want: { redGreen: 'proven', trustScore: 100 },
    },
    {
      name: 'nothing ran on the fixed commit',
      data: {
        testResults: {
          vulnerableCommit: failed,
          fixedCommit: { redTestsPassed: [], allPassed: false, testResults: [] },
          isValidFix: false,
        },
      },
      want: { redGreen: 'unknown' },
    },
    {
      name: 'a valid fix',
      data: { redTestPassed: false, isValidFix: true },
      want: { redGreen: 'proven', trustScore: 100 },
    },
    {
      name: 'a valid fix, said within',
      data: { testResults: { vulnerableCommit: failed, isValidFix: true } },
      want: { redGreen: 'proven', trustScore: 100 },
    },
    { name: 'no valid fix', data: { isValidFix: false }, want: { redGreen: 'unproven' } },
    {
      name: 'no valid fix because the tests passed before',
      data: { preTestPassed: true, postTestPassed: true, isValidFix: false },
      want: { redGreen: 'unknown', trustScore: 50 },
    },
    {
      name: 'after a crash nothing is known',
      data: { preTestPassed: false, postTestPassed: false, crashed: true },
      want: { redGreen: 'unknown' },
    },
    {
      name: 'the fixed commit timed out',
      data: {
        preTestPassed: false,
        isValidFix: false,
        testResults: { fixedCommit: { ...failed, testResults: [{ timedOut: true }] } },
      },
      want: { redGreen: 'unknown' },
    },
    {
      name: 'the vulnerable commit broke, so no word on the fix stands',
      data: { isValidFix: false, testResults: { vulnerableCommit: { hasInfrastructureFailures: true } } },
      want: { redGreen: 'unknown' },
    },
    {
      name: 'no word on the fix stands when the machinery broke',
      data: { testResults: { isValidFix: false, hasInfrastructureFailures: true } },
      want: { redGreen: 'unknown' },
    },
    {
      name: "the client's own score",
      data: { trust_score: 85 },
      want: { redGreen: 'unknown', trustScore: 85 },
    },
    { name: 'a verdict of nought', data: { trustScore: 0 }, want: { redGreen: 'unknown', trustScore: 0 } },
    {
      name: 'camel first',
      data: { trustScore: 70, trust_score: 85 },
      want: { redGreen: 'unknown', trustScore: 70 },
    },
    {
      name: 'the readable one',
      data: { trustScore: 'high', trust_score: 85 },
      want: { redGreen: 'unknown', trustScore: 85 },
    },
    {
      name: 'no score of this world',
      data: { trustScore: 101, trust_score: -1 },
      want: { redGreen: 'unknown' },
    },
    {
      name: 'a score that the outcomes contradict',
      data: { preTestPassed: false, postTestPassed: false, trustScore: 100 },
      want: { redGreen: 'unproven', trustScore: 0 },
    },
    {
      name: 'a score beside one outcome',
      data: { postTestPassed: true, trustScore: 60 },
      want: { redGreen: 'unknown', trustScore: 60 },
    },
  ])('$name', ({ data, want }) => {
    expect(deriveResult('mitigation', data)).toEqual({ falsePositive: false, ...want });
  });
});

describe('the pull request and the files', () => {
  const hub = 'https://github.com/acme/nodegoat/pull/41';
  const lab = 'https://gitlab.example/a/b/c/-/merge_requests/42';
  test.each<Case>([
    {
      name: 'as sent',
      data: { prUrl: hub, prNumber: 7 },
      want: { pullRequestUrl: hub, pullRequestNumber: 7 },
    },
    {
      name: 'in snake case',
      data: { pr_url: hub, pr_number: 7 },
      want: { pullRequestUrl: hub, pullRequestNumber: 7 },
    },
    {
      name: 'number from the URL',
      data: { prUrl: hub },
      want: { pullRequestUrl: hub, pullRequestNumber: 41 },
    },
    {
      name: 'number from a merge request',
      data: { pr_url: `${lab}#note_1` },
      want: { pullRequestUrl: `${lab}#note_1`, pullRequestNumber: 42 },
    },
    {
      name: 'from a page of it',
      data: { prUrl: `${hub}/files` },
      want: { pullRequestUrl: `${hub}/files`, pullRequestNumber: 41 },
    },
    {
      name: 'no number in it',
      data: { prUrl: 'https://x/pull/abc' },
      want: { pullRequestUrl: 'https://x/pull/abc' },
    },
    {
      name: 'number nought',
      data: { prUrl: 'https://x/pull/0', prNumber: 0 },
      want: { pullRequestUrl: 'https://x/pull/0' },
    },
    {
      name: 'unfit number',
      data: { prUrl: hub, prNumber: 1.5 },
      want: { pullRequestUrl: hub, pullRequestNumber: 41 },
    },
    {
      name: 'a number too large',
      data: { prUrl: `https://x/pull/${'9'.repeat(40)}` },
      want: { pullRequestUrl: `https://x/pull/${'9'.repeat(40)}` },
    },
    { name: 'no link', data: { prUrl: 'javascript:alert(1)', pr_url: 7 }, want: {} },
    { name: 'files', data: { filesChanged: 2 }, want: { filesChanged: 2 } },
    { name: 'no files', data: { files_changed: 0 }, want: { filesChanged: 0 } },
    {
      name: 'files counted',
      data: { fixes: [{ file: 'a' }, { file: 'b' }, { file: 'a' }, {}, null] },
      want: { filesChanged: 2 },
    },
    {
      name: 'as sent, not counted',
      data: { files_changed: 5, fixes: [{ file: 'a' }] },
      want: { filesChanged: 5 },
    },
    { name: 'fixes without files', data: { fixes: [{ line: 1 }], filesChanged: -1 }, want: {} },
    { name: 'more files than the column holds', data: { filesChanged: 2 ** 31 }, want: {} },
  ])('$name', ({ data, want }) => {
    expect(deriveResult('mitigation', data)).toEqual({ redGreen: 'unknown', falsePositive: false, ...want });
  });
});

const KEYS = [
  'validated',
  'fixed',
  'vulnerabilities',
  'testResults',
  'testExecutionResult',
  'vulnerableCommit',
  'fixedCommit',
  'redTestsPassed',
  'allPassed',
  'passed',
  'redTestPassed',
  'preTestPassed',
  'postTestPassed',
  'isValidFix',
  'crashed',
  'prUrl',
  'pr_url',
  'prNumber',
  'filesChanged',
  'fixes',
  'file',
  'trustScore',
  'trust_score',
  'language',
  'framework',
];

test('any payload at all is read, and what is read fits its columns', () => {
  const { data } = fc.letrec<{ data: JsonObject; value: unknown }>((tie) => ({
    data: fc.dictionary(fc.constantFrom(...KEYS), tie('value'), { maxKeys: 8 }),
    value: fc.oneof(
      { depthSize: 'small' },
      fc.boolean(),
      fc.jsonValue(),
      fc.double(),
      fc.constantFrom('https://x/pull/12', 'x'.repeat(5000)),
      fc.array(tie('value'), { maxLength: 3 }),
      tie('data'),
    ),
  }));
  fc.assert(
    fc.property(fc.constantFrom<Phase>('scan', 'validation', 'mitigation'), data, (phase, payload) => {
      const before = JSON.stringify(payload);
      const derived = deriveResult(phase, payload);
      expect(JSON.stringify(payload)).toBe(before);
      expect(Object.values(derived)).not.toContain(undefined);
      expect(inRange(derived.trustScore, 0, 100)).toBe(true);
      expect(isWhole(derived.vulnerabilities, 0) && isWhole(derived.filesChanged, 0)).toBe(true);
      expect(isWhole(derived.pullRequestNumber, 1)).toBe(true);
      expect((derived.language ?? '').length).toBeLessThanOrEqual(100);
      expect((derived.framework ?? '').length).toBeLessThanOrEqual(100);
      expect((derived.pullRequestUrl ?? '').length).toBeLessThanOrEqual(2048);
    }),
    { numRuns: 2000 },
  );
});

function inRange(value: number | undefined, low: number, high: number): boolean {
  return value === undefined || (value >= low && value <= high);
}

function isWhole(value: number | undefined, low: number): boolean {
  return inRange(value, low, Number.MAX_SAFE_INTEGER) && (value === undefined || Number.isInteger(value));
}
