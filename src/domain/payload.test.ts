import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { unwrapPayload } from './payload.ts';
import type { Phase } from './phase.ts';
import type { JsonObject } from './run.ts';

const mine = { validated: true };
const other = { validated: false };

describe('the result is taken out of a phase document', () => {
  test.each<{ name: string; phase: Phase; issueNumber?: number; data: JsonObject; want: JsonObject }>([
    {
      name: 'by number',
      phase: 'validation',
      issueNumber: 1204,
      data: { validation: { 1204: mine } },
      want: mine,
    },
    {
      name: 'by issue-number',
      phase: 'validation',
      issueNumber: 1204,
      data: { validation: { 'issue-1204': mine } },
      want: mine,
    },
    {
      name: 'under the oldest spelling',
      phase: 'validation',
      issueNumber: 1204,
      data: { validate: { 'issue-1204': mine } },
      want: mine,
    },
    {
      name: 'of a mitigation',
      phase: 'mitigation',
      issueNumber: 7,
      data: { mitigation: { 'issue-7': mine } },
      want: mine,
    },
    {
      name: 'of a mitigation, oldest',
      phase: 'mitigation',
      issueNumber: 7,
      data: { mitigate: { 7: mine } },
      want: mine,
    },
    {
      name: 'by issue-undefined',
      phase: 'validation',
      issueNumber: 7,
      data: { validation: { 'issue-undefined': mine } },
      want: mine,
    },
    {
      name: 'of several issues the requested one',
      phase: 'validation',
      issueNumber: 1204,
      data: {
        validation: { 'issue-3': other, 'issue-undefined': other, 'issue-1204': mine, 'issue-12': other },
      },
      want: mine,
    },
    {
      name: 'of several phases the own one',
      phase: 'mitigation',
      issueNumber: 7,
      data: {
        scan: { vulnerabilities: [] },
        validation: { 'issue-7': other },
        mitigation: { 'issue-7': mine },
      },
      want: mine,
    },
    {
      name: 'of both spellings the one that has it',
      phase: 'validation',
      issueNumber: 7,
      data: { validation: { 'issue-8': other }, validate: { 'issue-7': mine } },
      want: mine,
    },
    {
      name: 'an empty one',
      phase: 'validation',
      issueNumber: 7,
      data: { validation: { 'issue-7': {} } },
      want: {},
    },
    {
      name: 'of a scan',
      phase: 'scan',
      data: { scan: { vulnerabilities: [1] } },
      want: { vulnerabilities: [1] },
    },
    {
      name: 'of a scan, keyed without an issue',
      phase: 'scan',
      data: { scan: { 'issue-undefined': mine } },
      want: mine,
    },
    {
      name: 'of a scan, keyed by its issue',
      phase: 'scan',
      issueNumber: 7,
      data: { scan: { 'issue-8': other, 'issue-7': mine } },
      want: mine,
    },
    {
      name: 'of a scan among other phases',
      phase: 'scan',
      data: { validation: { 'issue-7': other }, scan: mine },
      want: mine,
    },
  ])('$name', ({ want, ...request }) => {
    expect(unwrapPayload(request)).toEqual({ ok: true, data: want });
  });
});

describe('what is flat stays as it is', () => {
  test.each<{ name: string; phase: Phase; issueNumber?: number; data: JsonObject }>([
    { name: 'empty', phase: 'validation', issueNumber: 7, data: {} },
    { name: 'a result', phase: 'validation', issueNumber: 7, data: mine },
    {
      name: 'with a field named like its phase',
      phase: 'validation',
      issueNumber: 7,
      data: { validated: true, validation: { method: 'tests' } },
    },
    {
      name: 'with a text named like its phase',
      phase: 'validation',
      issueNumber: 7,
      data: { validation: 'done' },
    },
    {
      name: 'with a list named like its phase',
      phase: 'validation',
      issueNumber: 7,
      data: { validation: [mine] },
    },
    {
      name: 'with nothing named like its phase',
      phase: 'validation',
      issueNumber: 7,
      data: { validation: null },
    },
    {
      name: 'with an empty object named like its phase',
      phase: 'validation',
      issueNumber: 7,
      data: { validation: {} },
    },
    {
      name: "with another phase's document",
      phase: 'mitigation',
      issueNumber: 7,
      data: { fixed: true, validation: { 'issue-7': other } },
    },
    {
      name: 'a scan with a field named scan',
      phase: 'scan',
      data: { vulnerabilities: [], scan: { took: 3 } },
    },
    { name: 'a scan with a text named scan', phase: 'scan', data: { scan: 'deep' } },
    {
      name: 'an issue that holds no object',
      phase: 'validation',
      issueNumber: 7,
      data: { validated: true, validation: { 'issue-7': 'x' } },
    },
  ])('$name', (request) => {
    expect(unwrapPayload(request)).toEqual({ ok: true, data: request.data });
  });

  test('any payload without a key that names a phase', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string().map((key) => `x${key}`),
          fc.jsonValue(),
        ),
        fc.constantFrom<Phase>('scan', 'validation', 'mitigation'),
        (data, phase) => {
          expect(unwrapPayload({ phase, issueNumber: 7, data })).toEqual({ ok: true, data });
        },
      ),
    );
  });
});

test.each<{ name: string; phase: Phase; data: JsonObject; path: string; carries: string }>([
  {
    name: 'one other issue',
    phase: 'validation',
    data: { validation: { 'issue-3': other } },
    path: 'data.validation',
    carries: 'issue-3',
  },
  {
    name: 'by its own spelling',
    phase: 'mitigation',
    data: { mitigate: { 3: other, 'issue-4': other } },
    path: 'data.mitigate',
    carries: '3, issue-4',
  },
  {
    name: 'beside a scan',
    phase: 'validation',
    data: { scan: {}, validation: { 'issue-3': other } },
    path: 'data.validation',
    carries: 'issue-3',
  },
  {
    name: 'many issues',
    phase: 'validation',
    data: {
      validation: Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`issue-${n + 100}`, other])),
    },
    path: 'data.validation',
    carries: 'issue-109 and 490 more',
  },
])('a document that lacks the requested issue is refused: $name', ({ phase, data, path, carries }) => {
  const result = unwrapPayload({ phase, issueNumber: 7, data });
  expect(result).toEqual({ ok: false, path, message: expect.stringContaining(carries) });
  expect(result.ok ? '' : result.message).toContain('issue 7');
});
