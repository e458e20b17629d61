import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { claimDirectory } from './claimed-directory.ts';
import { writeIdentity } from './directory-lock.ts';
import { identifyProcess, type ProcessIdentity } from './process-identity.ts';

test('what an earlier process left running is ended', async () => {
  const directory = await temporaryDirectory();
  const leftover = await startSleeping();
  await writeIdentity(join(directory, 'shell.pid'), leftover.identity);
  const claim = await claimDirectory(directory);
  expect(await leftover.exited).toEqual([null, 'SIGINT']);
  await claim.release();
});

test('a program that only inherited the pid is left alone', async () => {
  const directory = await temporaryDirectory();
  const { identity } = await startSleeping();
  await writeIdentity(join(directory, 'shell.pid'), { ...identity, started: 'long ago' });
  const claim = await claimDirectory(directory);
  expect(await identifyProcess(identity.pid)).toEqual(identity);
  await claim.release();
});

async function startSleeping(): Promise<{ identity: ProcessIdentity; exited: Promise<unknown[]> }> {
  const child = spawn('sleep', ['60']);
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const identity = await identifyProcess(child.pid ?? 0);
  if (identity === undefined) throw new Error('not found');
  return { identity, exited: once(child, 'exit') };
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'phaserun-claim-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}
