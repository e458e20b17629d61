import { isJsonObject } from './payload.ts';
import type { JsonObject } from './run.ts';

/** How all tests of one commit went together: `passed` when every one did, `failed` when not. */
export type TestOutcome = 'passed' | 'failed' | 'unknown';

export interface TestOutcomes {
  /** On the vulnerable commit, where RED tests are to fail. */
  readonly vulnerable: TestOutcome;
  /** After the fix, where they are to pass. */
  readonly fixed: TestOutcome;
  /** Something other than the tests failed, so that nothing can be said of them. */
  readonly infrastructureFailed: boolean;
}

/**
 * How the tests went, as far as a client's data says. An outcome is known when at least one place speaks of it,
 * none contradicts, and none says that machinery failed rather than tests. Counts decide nothing, and
 * neither do summaries of runs that did not happen (empty arrays).
 */
export function readOutcomes(data: JsonObject): TestOutcomes {
  if (hasInfrastructureFailure(data))
    return { vulnerable: 'unknown', fixed: 'unknown', infrastructureFailed: true };
  const testResults = asObject(data['testResults']);
  const vulnerable = agree([
    readRun(data['testExecutionResult']),
    readCommit(testResults, 'vulnerableCommit'),
    readFlag(data['redTestPassed']),
    readFlag(data['preTestPassed']),
  ]);
  const fixed = agree([readFlag(data['postTestPassed']), readCommit(testResults, 'fixedCommit')]);
  return {
    vulnerable: settle(vulnerable),
    fixed: settle(fixed === 'silent' && vulnerable !== 'broken' ? readValidFix(data, testResults) : fixed),
    infrastructureFailed: vulnerable === 'broken' || fixed === 'broken',
  };
}

/** Fails before and passes after: 100. Passes both: 50. Anything else that is known of both: 0. */
export function computeTrustScore({ vulnerable, fixed }: TestOutcomes): number | undefined {
  if (vulnerable === 'unknown' || fixed === 'unknown') return undefined;
  if (fixed === 'failed') return 0;
  return vulnerable === 'failed' ? 100 : 50;
}

/** What one place says: `broken` that machinery failed, `silent` nothing. */
type Word = TestOutcome | 'broken' | 'silent';

function agree(words: readonly Word[]): Word {
  if (words.includes('broken')) return 'broken';
  const spoken = new Set(words.filter((word) => word !== 'silent'));
  const [word = 'silent'] = spoken;
  return spoken.size > 1 ? 'unknown' : word;
}

function settle(word: Word): TestOutcome {
  return word === 'passed' || word === 'failed' ? word : 'unknown';
}

function readFlag(passed: unknown): Word {
  if (typeof passed !== 'boolean') return 'silent';
  return passed ? 'passed' : 'failed';
}

function readRun(run: unknown): Word {
  if (!isJsonObject(run)) return 'silent';
  return hasInfrastructureFailure(run) ? 'broken' : readFlag(run['passed']);
}

function readCommit(testResults: JsonObject, commit: 'vulnerableCommit' | 'fixedCommit'): Word {
  const run = testResults[commit];
  if (!isJsonObject(run)) return 'silent';
  const rows = asArray(run['testResults']);
  if ([testResults, run, ...rows].some(hasInfrastructureFailure)) return 'broken';
  if (ranNothing(run)) return 'silent';
  return agree([readFlag(run['allPassed']), readEach(asArray(run['redTestsPassed']))]);
}

/** One that failed is enough; that all passed takes a word from each. */
function readEach(passed: readonly unknown[]): Word {
  if (passed.includes(false)) return 'failed';
  return passed.length > 0 && passed.every((each) => each === true) ? 'passed' : 'silent';
}

/** `isValidFix` speaks of both commits at once, so it counts only where nothing speaks of the fixed one alone. */
function readValidFix(data: JsonObject, testResults: JsonObject): Word {
  if (hasInfrastructureFailure(testResults)) return 'broken';
  if (ranNothing(asObject(testResults['fixedCommit']))) return 'silent';
  return agree([readFlag(data['isValidFix']), readFlag(testResults['isValidFix'])]);
}

/** Whether there is a list of results, and nothing in any. */
function ranNothing(run: JsonObject): boolean {
  const lists = [run['redTestsPassed'], run['testResults']].filter(Array.isArray);
  return lists.length > 0 && lists.every((list) => list.length === 0);
}

const INFRASTRUCTURE_FLAGS = ['infrastructureFailure', 'hasInfrastructureFailures', 'crashed', 'timedOut'];

function hasInfrastructureFailure(value: unknown): boolean {
  return isJsonObject(value) && INFRASTRUCTURE_FLAGS.some((flag) => value[flag] === true);
}

function asObject(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}

function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
