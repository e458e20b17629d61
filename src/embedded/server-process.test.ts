import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { writeIdentity } from './directory-lock.ts';
import { identifyProcess, type ProcessIdentity } from './process-identity.ts';
import { claimDirectory, type ServerCommand, startServer } from './server-process.ts';

test('a server keeps a log and ends when it is told to', async () => {
  const directory = await temporaryDirectory();
  const server = await startServer(shell(directory, 'echo "I am $$"; exec sleep 60'));
  await server.stop();
  expect(await readFile(join(directory, 'shell.log'), 'utf8')).toBe(`I am ${server.pid}\n`);
  expect(await identifyProcess(server.pid)).toBeUndefined();
});

test('a server that ends while starting is reported with the end of its log', async () => {
  const directory = await temporaryDirectory();
  const command = { ...shell(directory, 'echo "no such flag" >&2; exit 3'), isReady: async () => false };
  await expect(startServer(command)).rejects.toThrow(/^shell ended while starting.*no such flag/s);
});

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

function shell(directory: string, script: string): ServerCommand {
  return {
    name: 'shell',
    directory,
    program: '/bin/sh',
    args: ['-c', script],
    orphanSignal: 'KILL',
    isReady: async () => (await readFile(join(directory, 'shell.log'), 'utf8')) !== '',
  };
}

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
  const directory = await mkdtemp(join(tmpdir(), 'phaserun-server-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}
