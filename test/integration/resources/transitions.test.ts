import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import {
  connect,
  type Json,
  type JsonMap,
  makePhaseRun,
  makeSpec,
  pathOf,
  refusalOf,
  withChanges,
} from './phase-run-builder.ts';

const client = connect(inject('kubeconfigPath'));
const namespace = await freshNamespace();
afterAll(() => client.close());

// The API server learns of policies by watching them; until it has, it lets everything through.
beforeAll(async () => {
  const created = await create(makeSpec());
  const isInForce = async () => (await update(created, makeSpec({ repo: 'acme/other' }))) !== undefined;
  await vi.waitUntil(isInForce, { timeout: 30_000, interval: 200 });
});

type Changes = { [field: string]: Json | undefined };

const runId = '0190d1c8-5f0a-7c55-9a39-7c1b6f4e2a10';
const otherId = '0190d1c8-5f0a-7c55-9a39-7c1b6f4e2a11';
const running = { status: 'running' };
const completed = { status: 'completed', data: { validated: true, rows: [{ a: 1 }] } };

async function create(spec: JsonMap): Promise<JsonMap> {
  const body = makePhaseRun(namespace, spec);
  return (await client.request({ method: 'POST', path: pathOf(namespace), body })) as JsonMap;
}

/** What the server says to an update of what was created; nothing is changed by it. */
function update(created: JsonMap, spec: JsonMap): Promise<string | undefined> {
  const { name } = created['metadata'] as { name: string };
  const query = { dryRun: 'All' };
  return refusalOf(
    client.request({ method: 'PUT', path: pathOf(namespace, name), query, body: { ...created, spec } }),
  );
}

async function reject(created: JsonMap, status: 'True' | 'False'): Promise<JsonMap> {
  const { name } = created['metadata'] as { name: string };
  const accepted = {
    type: 'Accepted',
    status,
    reason: 'InvalidPayload',
    message: '',
    lastTransitionTime: '2026-02-11T09:14:03Z',
    observedGeneration: 1,
  };
  const body = { ...created, status: { conditions: [accepted] } };
  return (await client.request({
    method: 'PUT',
    path: `${pathOf(namespace, name)}/status`,
    body,
  })) as JsonMap;
}

describe('what an update may change', () => {
  test.each<{ name: string; from?: Changes; to: Changes; want?: string }>([
    { name: 'nothing', to: {} },
    { name: 'the TTL of a finished run', to: { ttlSecondsAfterArchived: 600 } },
    { name: 'who owns a finished run', to: { customerId: runId } },
    { name: 'phase', to: { phase: 'mitigation' }, want: 'phase is immutable' },
    { name: 'forge', to: { forge: 'gitlab' }, want: 'forge is immutable' },
    { name: 'repo', to: { repo: 'acme/other' }, want: 'repo is immutable' },
    { name: 'issueNumber', to: { issueNumber: 7 }, want: 'issueNumber is immutable' },
    {
      name: 'adding issueNumber',
      from: { phase: 'scan', issueNumber: undefined },
      to: { issueNumber: 7 },
      want: 'issueNumber is immutable',
    },
    {
      name: 'removing issueNumber',
      from: { phase: 'scan' },
      to: { issueNumber: undefined },
      want: 'issueNumber is immutable',
    },
    { name: 'runId', from: { runId }, to: { runId: otherId }, want: 'runId is immutable' },
    { name: 'adding runId', to: { runId }, want: 'runId is immutable' },
    { name: 'removing runId', from: { runId }, to: { runId: undefined }, want: 'runId is immutable' },
    { name: 'order', from: { order: 1024 }, to: { order: 2048 }, want: 'order is immutable' },
    { name: 'adding order', to: { order: 1024 }, want: 'order is immutable' },
    { name: 'removing order', from: { order: 1024 }, to: { order: undefined }, want: 'order is immutable' },
    { name: 'commitSha of a running validation', from: { result: running }, to: { commitSha: 'dd40863' } },
    {
      name: 'commitSha of a running scan',
      from: { phase: 'scan', result: running },
      to: { commitSha: 'dd40863' },
      want: 'commitSha of a scan is immutable',
    },
    {
      name: 'adding commitSha to a running scan',
      from: { phase: 'scan', commitSha: undefined, result: running },
      to: { commitSha: 'x' },
      want: 'commitSha of a scan is immutable',
    },
    { name: 'branch of a running one', from: { result: running }, to: { branch: 'main' } },
    { name: 'sessionId of a running one', from: { result: running }, to: { sessionId: runId } },
    {
      name: 'the data of a running one',
      from: { result: { ...completed, status: 'running' } },
      to: { result: running },
    },
    {
      name: 'a running one to completed',
      from: { result: running },
      to: { result: { ...completed, order: 2048 } },
    },
    {
      name: 'a running one to failed',
      from: { result: running },
      to: { result: { status: 'failed', errorMessage: 'no' } },
    },
    { name: 'a pending one to running', from: { result: { status: 'pending' } }, to: { result: running } },
    {
      name: 'a pending one to completed',
      from: { result: { status: 'pending' } },
      to: { result: completed },
    },
    {
      name: 'a running one to pending',
      from: { result: running },
      to: { result: { status: 'pending' } },
      want: 'status moves forward only',
    },
    {
      name: 'a completed one to running',
      from: { result: completed },
      to: { result: { ...completed, status: 'running' } },
      want: 'status moves forward only',
    },
    {
      name: 'a completed one to failed',
      from: { result: completed },
      to: { result: { ...completed, status: 'failed' } },
      want: 'status moves forward only',
    },
    {
      name: 'a failed one to completed',
      from: { result: { status: 'failed' } },
      to: { result: { status: 'completed' } },
      want: 'status moves forward only',
    },
    {
      name: 'a value deep in finished data',
      from: { result: completed },
      to: { result: { ...completed, data: { validated: true, rows: [{ a: 2 }] } } },
      want: 'is history',
    },
    { name: 'adding data to a finished one', to: { result: completed }, want: 'is history' },
    {
      name: 'removing finished data',
      from: { result: completed },
      to: { result: { status: 'completed' } },
      want: 'is history',
    },
    {
      name: 'how finished data is carried',
      from: { result: completed },
      to: { result: { status: 'completed', dataGzip: 'H4sI' } },
      want: 'is history',
    },
    {
      name: 'finished dataGzip',
      from: { result: { status: 'failed', dataGzip: 'H4sI' } },
      to: { result: { status: 'failed', dataGzip: 'H4sJ' } },
      want: 'is history',
    },
    {
      name: 'a finished error message',
      from: { result: { status: 'failed' } },
      to: { result: { status: 'failed', errorMessage: 'no' } },
      want: 'is history',
    },
    {
      name: 'a finished time',
      to: { result: { status: 'completed', completedAt: '2026-02-11T09:14:03Z' } },
      want: 'is history',
    },
    {
      name: 'the order of a finished result',
      to: { result: { status: 'completed', order: 2048 } },
      want: 'is history',
    },
    { name: 'the commit of a finished one', to: { commitSha: 'dd40863' }, want: 'is history' },
    { name: 'the branch of a finished one', to: { branch: 'main' }, want: 'is history' },
    { name: 'the pipeline run of a finished one', to: { pipelineRunId: '9' }, want: 'is history' },
    { name: 'the session of a finished one', to: { sessionId: runId }, want: 'is history' },
  ])('$name', async ({ from = {}, to, want }) => {
    const before = makeSpec(from);
    const refusal = await update(await create(before), withChanges(before, to));
    expect(refusal ?? 'accepted').toContain(want ?? 'accepted');
  });
});

describe('a finished run that was rejected', () => {
  const spec = makeSpec({ result: completed });

  test('may be mended', async () => {
    const rejected = await reject(await create(spec), 'False');
    expect(await update(rejected, { ...spec, result: { status: 'completed', data: {} } })).toBeUndefined();
  });

  test('but remains the same run', async () => {
    const rejected = await reject(await create(spec), 'False');
    expect(await update(rejected, { ...spec, repo: 'acme/other' })).toContain('repo is immutable');
    expect(await update(rejected, { ...spec, result: running })).toContain('status moves forward only');
  });

  test('and not one that was accepted', async () => {
    const accepted = await reject(await create(spec), 'True');
    expect(await update(accepted, { ...spec, result: { status: 'completed', data: {} } })).toContain(
      'is history',
    );
  });
});

test('the status cannot be set with the spec', async () => {
  const created = await create(makeSpec());
  const { name } = created['metadata'] as { name: string };
  const body = { ...created, status: { session: { id: runId, state: 'completed' } } };
  const answer = await client.request({ method: 'PUT', path: pathOf(namespace, name), body });
  expect(answer).not.toHaveProperty('status');
});
