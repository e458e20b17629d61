import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Phase } from './phase.ts';
import type { RepositoryName } from './run.ts';
import { phaseRunName, type RunSubject, sessionSubject, slotLabel, slotOf } from './slot.ts';

const repository: RepositoryName = {
  forge: 'github',
  namespace: 'acme',
  name: 'nodegoat',
  fullPath: 'Acme/NodeGoat',
};

test.each<{ run: RunSubject; slot: string; subject: string }>([
  {
    run: { phase: 'scan', commitSha: '7776c71' },
    slot: 'github/acme/nodegoat@7776c71',
    subject: 'commit/7776c71',
  },
  {
    run: { phase: 'scan', commitSha: '7776c71', issueNumber: 1204 },
    slot: 'github/acme/nodegoat@7776c71',
    subject: 'commit/7776c71',
  },
  {
    run: { phase: 'scan', issueNumber: 1204 },
    slot: 'github/acme/nodegoat?issue=1204',
    subject: 'scan-issue/1204',
  },
  {
    run: { phase: 'validation', issueNumber: 1204, commitSha: '7776c71' },
    slot: 'github/acme/nodegoat#1204',
    subject: 'issue/1204',
  },
  {
    run: { phase: 'mitigation', issueNumber: 1204, commitSha: 'dd40863' },
    slot: 'github/acme/nodegoat#1204',
    subject: 'issue/1204',
  },
])('$slot', ({ run, slot, subject }) => {
  expect(slotOf({ ...run, repository })).toBe(slot);
  expect(sessionSubject(run)).toBe(subject);
});

test.each<RunSubject>([{ phase: 'scan' }, { phase: 'validation', commitSha: '7776c71' }])(
  'a $phase without what keys it is a mistake of the caller',
  (run) => {
    expect(() => slotOf({ ...run, repository })).toThrow('issue number');
    expect(() => sessionSubject(run)).toThrow('issue number');
  },
);

const segment = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,8}$/);
const subject = fc.record({
  phase: fc.constantFrom<Phase>('scan', 'validation', 'mitigation'),
  repository: fc.record({
    forge: fc.constantFrom('github' as const, 'gitlab' as const),
    namespace: fc.array(segment, { minLength: 1, maxLength: 3 }).map((segments) => segments.join('/')),
    name: segment,
    fullPath: fc.constant(''),
  }),
  issueNumber: fc.integer({ min: 1, max: 3 }),
  commitSha: fc.option(
    fc.oneof(fc.constantFrom('1', '#1', '?issue=1', '@', '/x'), fc.string({ minLength: 1 })),
    { nil: undefined },
  ),
});

describe('slots', () => {
  test('no two questions share a slot', () => {
    const question = ({
      phase,
      repository: { forge, namespace, name },
      issueNumber,
      commitSha,
    }: RunSubject & { repository: RepositoryName }) =>
      phase === 'scan' && commitSha !== undefined
        ? JSON.stringify(['commit', forge, namespace, name, commitSha])
        : JSON.stringify([phase === 'scan' ? 'scan-issue' : 'issue', forge, namespace, name, issueNumber]);
    fc.assert(
      fc.property(subject, subject, (a, b) => {
        expect(slotOf(a) === slotOf(b)).toBe(question(a) === question(b));
      }),
    );
  });

  test('every slot has a label that Kubernetes takes, and every place in it a name', () => {
    fc.assert(
      fc.property(subject, fc.maxSafeNat(), (run, order) => {
        const slot = slotOf(run);
        expect(slotLabel(slot)).toMatch(/^[0-9a-f]{40}$/);
        expect(phaseRunName(slot, order)).toMatch(/^[a-z0-9](?:[a-z0-9-]{0,251}[a-z0-9])?$/);
        expect(phaseRunName(slot, order)).not.toBe(phaseRunName(slot, order + 1));
      }),
    );
  });
});

test.each([
  { slot: 'github/acme/nodegoat#1204', want: /^nodegoat-1204-[0-9a-f]{12}-48211$/ },
  {
    slot: 'github/acme/nodegoat@d78cd354d90374c749425617db6a602ecc1a32fb',
    want: /^nodegoat-d78cd354d903-[0-9a-f]{12}-48211$/,
  },
  { slot: 'gitlab/a/b/.github?issue=7', want: /^github-7-[0-9a-f]{12}-48211$/ },
  { slot: 'github/acme/x@no-git-available', want: /^x-no-git-avail-[0-9a-f]{12}-48211$/ },
  { slot: 'github/acme/x@\n', want: /^x-[0-9a-f]{12}-48211$/ },
])('the name of $slot says what it is', ({ slot, want }) => {
  expect(phaseRunName(slot, 48_211)).toMatch(want);
});
