import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { DirectoryInUseError, lockDirectory, writeIdentity } from './directory-lock.ts';

test('a second holder is refused in a sentence that names the first', async () => {
  const directory = await temporaryDirectory();
  const lock = await lockDirectory(directory);
  await expect(lockDirectory(directory)).rejects.toThrow(
    `${directory} is in use by process ${process.pid}; stop it first, or choose another folder`,
  );
  await lock.release();
  const next = await lockDirectory(directory);
  await lock.release();
  await expect(lockDirectory(directory)).rejects.toBeInstanceOf(DirectoryInUseError);
  await next.release();
  expect(await readdir(directory)).toEqual([]);
});

test('a dead holder is in nobody’s way, and one of many takes its place', async () => {
  const directory = await temporaryDirectory();
  await writeIdentity(join(directory, 'lock'), { pid: process.pid, started: 'before the pid was this one' });
  const attempts = await Promise.allSettled(Array.from({ length: 20 }, () => lockDirectory(directory)));
  expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  expect(await readdir(directory)).toEqual(['lock']);
});

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'phaserun-lock-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}
