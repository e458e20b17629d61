import { expect, test } from 'vitest';
import { dataBeside } from './task.ts';

test.each([
  { name: 'members beside the type', task: { type: 'scan', repo: 'a/b', n: 1 }, want: { repo: 'a/b', n: 1 } },
  { name: 'nothing beside it', task: { type: 'scan' }, want: {} },
  {
    name: 'a description, which is one of them',
    task: { type: 'a', description: 'b' },
    want: { description: 'b' },
  },
  {
    name: 'data as others send it',
    task: { type: 'scan', n: 1, data: { repo: 'a/b' } },
    want: { n: 1, repo: 'a/b' },
  },
  { name: 'data that says nothing', task: { type: 'scan', data: null }, want: {} },
  { name: 'data that is no object', task: { type: 'scan', data: [1] }, want: { data: [1] } },
])('$name', ({ task, want }) => {
  expect(dataBeside(task)).toEqual(want);
});
