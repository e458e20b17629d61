import { expect, test } from 'vitest';
import { spliceResults } from './retrieve-answer.ts';

const NOTHING = { scan: null, validation: null, mitigation: null };

test.each([
  { name: 'nothing known', results: NOTHING, issue: 7, want: {} },
  {
    name: 'a scan alone',
    results: { ...NOTHING, scan: '{"a":1}' },
    issue: undefined,
    want: { scan: { a: 1 } },
  },
  {
    name: 'all phases, the later ones by issue',
    results: { scan: '{}', validation: '{"validated":true}', mitigation: '{"fixed":true}' },
    issue: 7,
    want: {
      scan: {},
      validation: { 'issue-7': { validated: true } },
      mitigation: { 'issue-7': { fixed: true } },
    },
  },
  {
    name: 'keys that clients act on stay inside their phase',
    results: { ...NOTHING, validation: '{"project_shape":{"x":1}}' },
    issue: 7,
    want: { validation: { 'issue-7': { project_shape: { x: 1 } } } },
  },
])('$name', ({ results, issue, want }) => {
  expect(JSON.parse(spliceResults(results, issue))).toEqual(want);
});
