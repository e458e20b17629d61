import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { type StackProgress, startDevStack } from '../../../src/embedded/dev-stack.ts';
import { identifyProcess, isRunning, type ProcessIdentity } from '../../../src/embedded/process-identity.ts';
import { testEnvironment } from '../../fixtures/assets.ts';
import { temporaryDirectory } from '../../fixtures/temporary-directory.ts';

const HOLD_STACK = fileURLToPath(new URL('../../fixtures/hold-stack.ts', import.meta.url));

test('SIGKILL of the process that holds the stack leaves nothing running, and the folder free', async () => {
  const dataDirectory = await temporaryDirectory();
  const holder = await holdStack(dataDirectory);
  await expect(start(dataDirectory)).rejects.toThrow(`is in use by process ${holder.process.pid}`);

  holder.process.kill('SIGKILL');
  await Promise.all(holder.servers.map(ended));

  const stack = await start(dataDirectory);
  await stack.stop();
});

test('each step is told, and stopping twice does no harm', async () => {
  const told: string[] = [];
  const onProgress = ({ step, state }: StackProgress) => told.push(`${step} ${state}`);
  const stack = await start(await temporaryDirectory(), onProgress);
  const { etcd, kubeApiserver } = stack.kubernetes.pids();
  const servers = await Promise.all([etcd, kubeApiserver, stack.postgres.pid()].map(identify));
  await stack.stop();
  await stack.stop();

  expect(await Promise.all(servers.map(isRunning))).toEqual([false, false, false]);
  expect(told).toEqual([
    'kubernetes programs running',
    'kubernetes programs done',
    'kubernetes running',
    'kubernetes done',
    'postgres running',
    'postgres done',
    'redis running',
    stack.redis === undefined ? 'redis skipped' : 'redis done',
  ]);
});

async function start(dataDirectory: string, onProgress: (progress: StackProgress) => void = () => undefined) {
  const stack = await startDevStack({ dataDirectory, onProgress, environment: testEnvironment() });
  onTestFinished(() => stack.stop());
  return stack;
}

async function holdStack(
  dataDirectory: string,
): Promise<{ process: ChildProcess; servers: ProcessIdentity[] }> {
  const holder = spawn(process.execPath, [HOLD_STACK, dataDirectory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    holder.kill('SIGKILL');
  });
  const [line]: string[] = await once(holder.stdout.setEncoding('utf8'), 'data');
  const pids: number[] = JSON.parse(line ?? '[]');
  return { process: holder, servers: await Promise.all(pids.map(identify)) };
}

async function identify(pid: number): Promise<ProcessIdentity> {
  const identity = await identifyProcess(pid);
  if (identity === undefined) throw new Error(`no process ${pid}`);
  return identity;
}

async function ended(identity: ProcessIdentity): Promise<void> {
  while (await isRunning(identity)) await sleep(50);
}
