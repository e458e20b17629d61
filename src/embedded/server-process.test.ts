import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { identifyProcess } from './process-identity.ts';
import { type ServerCommand, startServer } from './server-process.ts';

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

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'phaserun-server-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}
