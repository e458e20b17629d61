import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { identifyProcess, isRunning } from './process-identity.ts';

test('a process is known by its pid and its start', async () => {
  const child = spawn('sleep', ['60']);
  const identity = await identifyProcess(child.pid ?? 0);
  if (identity === undefined) throw new Error('not found');

  expect(await isRunning(identity)).toBe(true);
  expect(await isRunning({ ...identity, started: 'another time' })).toBe(false);

  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await isRunning(identity)).toBe(false);
  expect(await identifyProcess(identity.pid)).toBeUndefined();
});
