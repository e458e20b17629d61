import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { deriveResult } from '../domain/derive.ts';
import { digestOf } from '../domain/digest.ts';
import type { ArchivableRun, ArchiveOutcome } from '../domain/run.ts';
import { RunGroups } from './run-groups.ts';

/** A validation of so many an issue, in the slot of that issue. */
function makeRun(issueNumber: number, options: Partial<ArchivableRun> = {}): ArchivableRun {
  const data = { issueNumber };
  return {
    runId: `run ${issueNumber}`,
    customerId: 'acme',
    phase: 'validation',
    repository: { forge: 'github', namespace: 'acme', name: 'nodegoat', fullPath: 'acme/nodegoat' },
    slot: `github/acme/nodegoat#${issueNumber}`,
    issueNumber,
    status: 'completed',
    data,
    ...digestOf(data),
    derived: deriveResult('validation', data),
    phaseRun: { namespace: 'acme', name: `run-${issueNumber}` },
    ...options,
  };
}

const quarantined = (runId: string): ArchiveOutcome => ({
  disposition: 'quarantined',
  sqlstate: '22000',
  message: runId,
});

/** Groups whose transactions end when the test says so. */
function openGroups({ endsAlone = true } = {}) {
  const begun: string[][] = [];
  const alone: string[] = [];
  const ends: ((outcomes: readonly (ArchiveOutcome | undefined)[] | Error) => void)[] = [];
  const groups = new RunGroups({
    one: ({ runId }) => {
      alone.push(runId);
      return endsAlone ? Promise.resolve(quarantined(`${runId} alone`)) : new Promise(() => undefined);
    },
    together: (runs) => {
      const { promise, resolve, reject } = Promise.withResolvers<readonly (ArchiveOutcome | undefined)[]>();
      begun.push(runs.map(({ runId }) => runId));
      ends.push((outcomes) => (outcomes instanceof Error ? reject(outcomes) : resolve(outcomes)));
      return promise;
    },
  });
  /** Ends a transaction: all of its runs archived, unless told otherwise. */
  const end = async (index: number, how?: readonly (ArchiveOutcome | undefined)[] | Error) => {
    ends[index]?.(how ?? begun[index]?.map(quarantined) ?? []);
    await setImmediate();
  };
  const archive = (run: ArchivableRun) =>
    groups.archive(run).then(
      (outcome) => ('message' in outcome ? outcome.message : outcome.disposition),
      (error: unknown) => error,
    );
  return { begun, alone, end, archive };
}

test('a run that comes alone is archived at once; those that come meanwhile share the next transaction', async () => {
  const { begun, end, archive } = openGroups();
  const outcomes = [1, 2, 3, 4, 5].map((issue) => archive(makeRun(issue)));
  expect(begun).toEqual([['run 1'], ['run 2']]);
  await end(1);
  expect(begun[2]).toEqual(['run 3', 'run 4', 'run 5']);
  await end(0);
  await end(2);
  expect(await Promise.all(outcomes)).toEqual(['run 1', 'run 2', 'run 3', 'run 4', 'run 5']);
  void archive(makeRun(6));
  expect(begun[3]).toEqual(['run 6']);
});

test('no more than 16 share one, in the order in which they came', async () => {
  const { begun, end, archive } = openGroups();
  for (let issue = 1; issue <= 20; issue += 1) void archive(makeRun(issue));
  await end(0);
  await end(1);
  expect(begun.map((group) => group.length)).toEqual([1, 1, 16, 2]);
  expect(begun.flat()).toEqual(Array.from({ length: 20 }, (_, index) => `run ${index + 1}`));
});

test('two of one slot take turns, and hold up nobody', async () => {
  const { begun, end, archive } = openGroups();
  void archive(makeRun(1));
  void archive(makeRun(1, { runId: 'again' }));
  void archive(makeRun(1, { runId: 'of another customer', customerId: 'other' }));
  void archive(makeRun(2));
  expect(begun).toEqual([['run 1'], ['of another customer']]);
  await end(1);
  expect(begun[2]).toEqual(['run 2']);
  await end(0);
  expect(begun[3]).toEqual(['again']);
});

test('one that is archived by itself in the end keeps its slot until then', async () => {
  const { begun, alone, end, archive } = openGroups({ endsAlone: false });
  void archive(makeRun(1));
  void archive(makeRun(1, { runId: 'again' }));
  await end(0, [undefined]);
  expect([begun, alone]).toEqual([[['run 1']], ['run 1']]);
});

test.each([
  ['names its session', { sessionId: 'a1b2' }],
  ['is large', { sizeBytes: 70_000 }],
])('one that %s is archived by itself, at once', async (_, options) => {
  const { begun, alone, archive } = openGroups();
  for (const issue of [1, 2, 3]) void archive(makeRun(issue));
  expect(await archive(makeRun(4, options))).toBe('run 4 alone');
  expect([begun, alone]).toEqual([[['run 1'], ['run 2']], ['run 4']]);
});

test('those of which a transaction made nothing are archived by themselves', async () => {
  const { alone, end, archive } = openGroups();
  const outcomes = [1, 2, 3, 4].map((issue) => archive(makeRun(issue)));
  await end(0);
  await end(1);
  await end(2, [undefined, quarantined('run 4')]);
  expect(await Promise.all(outcomes)).toEqual(['run 1', 'run 2', 'run 3 alone', 'run 4']);
  expect(alone).toEqual(['run 3']);
});

test('a transaction that failed fails its runs and no others', async () => {
  const { begun, end, archive } = openGroups();
  const outcomes = [1, 2, 3, 4].map((issue) => archive(makeRun(issue)));
  const failure = new Error('Postgres is away');
  await end(0, failure);
  expect(begun[2]).toEqual(['run 3', 'run 4']);
  await end(1);
  await end(2, failure);
  expect(await Promise.all(outcomes)).toEqual([failure, 'run 2', failure, failure]);
  expect(await Promise.all([archive(makeRun(3)), end(3)])).toMatchObject(['run 3', undefined]);
});
