import { randomBytes } from 'node:crypto';
import { sql } from 'slonik';
import { describe, expect, inject, test, vi } from 'vitest';
import { z } from 'zod';
import { digestOf } from '../../../src/domain/digest.ts';
import type { PhaseRun } from '../../../src/resources/phase-run.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { makeTenant, retrieve, startApi, store } from './api-under-test.ts';
import { unreliableKubernetes } from './unreliable-kubernetes.ts';

const { url: databaseUrl } = await freshDatabase();
const namespace = await freshNamespace();
const api = await startApi({ kubeconfigPath: inject('kubeconfigPath'), databaseUrl, namespace });
const tenant = await makeTenant(api.pool);

function freshValidation(overrides: object = {}) {
  const repo = `${tenant.owner}/Repo-${randomBytes(4).toString('hex')}`;
  return {
    phase: 'validation',
    repo,
    issueNumber: 7,
    commitSha: 'c0ffee',
    data: { validated: true },
    ...overrides,
  };
}

/** The PhaseRun of a repository, once it is there. */
function findPhaseRun(repo: string): Promise<PhaseRun> {
  return vi.waitFor(async () => {
    const runs = await api.phaseRuns.list({ namespace });
    const found = runs.find(({ spec }) => spec.repo === repo);
    if (found === undefined) throw new Error('not there yet');
    return found;
  }, 10_000);
}

/** Writes what a controller would: that it does not accept this run as it is. */
function reject({ metadata }: PhaseRun, reason: string, message: string): Promise<void> {
  const { generation: observedGeneration } = metadata;
  const lastTransitionTime = '2026-02-11T09:14:03Z';
  const condition = {
    type: 'Accepted',
    status: 'False',
    observedGeneration,
    lastTransitionTime,
    reason,
    message,
  };
  return api.phaseRuns.mergePatchStatus(metadata, {
    status: { observedGeneration, conditions: [condition] },
  });
}

/** Tells what the transaction of a controller would. */
async function notify(committed: object): Promise<void> {
  await api.pool.query(sql.type(z.object({}))`
    SELECT FROM pg_notify('phaserun_committed', ${JSON.stringify(committed)})
  `);
}

// Each of these waits 5 s for a row that does not come; they wait together.
describe.concurrent('while no controller works', () => {
  test('a result is kept as a PhaseRun, which says all of it', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const validation = freshValidation({
      branch: 'main',
      pipelineRunId: 42,
      status: 'failed',
      startedAt: '2026-02-11T10:14:03+01:00',
      errorMessage: 'no tests',
      data: { nothing: null, deep: [{ a: 1 }] },
    });
    const answer = await fetch(`${api.url}/api/v1/phases/store`, {
      method: 'POST',
      headers: { 'x-api-key': tenant.apiKey, 'content-type': 'application/json', traceparent },
      body: JSON.stringify(validation),
    });
    expect(answer.status).toBe(202);
    const body = await answer.json();
    expect(body).toEqual({
      success: true,
      id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
      phase: 'validation',
      persisted: false,
      phaseRun: { namespace, name: expect.any(String) },
    });
    const phaseRun = await findPhaseRun(validation.repo);
    expect(phaseRun.metadata).toMatchObject({
      name: (body as { phaseRun: { name: string } }).phaseRun.name,
      labels: {
        'phases.rsolv.dev/phase': 'validation',
        'phases.rsolv.dev/slot': expect.stringMatching(/^[0-9a-f]{40}$/),
      },
      annotations: {
        'phases.rsolv.dev/traceparent': traceparent,
        'phases.rsolv.dev/api-key-id': tenant.apiKey.split('_')[1],
      },
    });
    expect(phaseRun.spec).toEqual({
      phase: 'validation',
      forge: 'github',
      repo: validation.repo,
      issueNumber: 7,
      commitSha: 'c0ffee',
      branch: 'main',
      pipelineRunId: '42',
      customerId: tenant.customerId,
      runId: (body as { id: string }).id,
      order: expect.any(Number),
      ttlSecondsAfterArchived: 600,
      result: {
        status: 'failed',
        startedAt: '2026-02-11T09:14:03.000Z',
        errorMessage: 'no tests',
        data: validation.data,
      },
    });
    expect((await retrieve(api, tenant, { repo: validation.repo, issue: '7' })).body).toEqual({});
  });

  test('a run that is not a row yet is moved forward by its id', async () => {
    const begun = freshValidation({ status: 'running', data: { old: 1, both: { old: true } } });
    const first = await store(api, tenant, begun);
    expect(first.status).toBe(202);
    const data = { both: { kept: null } };
    const second = await store(api, tenant, { ...begun, status: 'completed', data, runId: first.body.id });
    expect(second).toMatchObject({ status: 202, body: { id: first.body.id, phaseRun: first.body.phaseRun } });
    const { spec } = await api.phaseRuns.get(first.body.phaseRun);
    expect(spec.result).toEqual({ status: 'completed', data, order: expect.any(Number) });
    expect(spec.result.order).toBeGreaterThan(spec.order ?? Infinity);
  });

  test('a run that ended before it became a row is not changed', async () => {
    const first = await store(api, tenant, freshValidation());
    const { spec } = await api.phaseRuns.get(first.body.phaseRun);
    const changed = { ...freshValidation({ repo: spec.repo, data: { other: 1 } }), runId: first.body.id };
    const second = await store(api, tenant, changed);
    expect(second).toMatchObject({ status: 409, body: { code: 'RUN_CONFLICT' } });
  });

  test('a result that a controller refused without a word is a 422 that says why', async () => {
    const validation = freshValidation();
    const answering = store(api, tenant, validation);
    await reject(await findPhaseRun(validation.repo), 'RunIdTaken', 'spec.runId is the id of another run');
    const { status, body } = await answering;
    expect({ status, code: body.code }).toEqual({ status: 422, code: 'RUN_REJECTED' });
    expect(body.detail).toContain('spec.runId is the id of another run');
  });

  test('a result that Postgres refused is a 422 as soon as it is told', async () => {
    const validation = freshValidation();
    const answering = store(api, tenant, validation);
    const phaseRun = await findPhaseRun(validation.repo);
    const { sha256 } = digestOf(validation.data);
    await notify({ runId: phaseRun.spec.runId, disposition: 'quarantined', sha256, status: 'completed' });
    await reject(phaseRun, 'Quarantined', 'Postgres: value out of range');
    const { status, body } = await answering;
    expect({ status, code: body.code }).toEqual({ status: 422, code: 'RUN_QUARANTINED' });
    expect(body.detail).toContain('value out of range');
  });

  test('a caller that hangs up has stored its result all the same', async () => {
    const validation = freshValidation();
    const hangUp = new AbortController();
    const answering = fetch(`${api.url}/api/v1/phases/store`, {
      method: 'POST',
      headers: { 'x-api-key': tenant.apiKey, 'content-type': 'application/json' },
      body: JSON.stringify(validation),
      signal: hangUp.signal,
    });
    const phaseRun = await findPhaseRun(validation.repo);
    hangUp.abort();
    await expect(answering).rejects.toThrow('aborted');
    expect(await api.phaseRuns.get(phaseRun.metadata)).toMatchObject({
      spec: { result: { data: validation.data } },
    });
  });
});

describe('when the answer of the API server is lost', async () => {
  const network = await unreliableKubernetes(inject('kubeconfigPath'));
  const remote = await startApi({ kubeconfigPath: network.kubeconfigPath, databaseUrl, namespace });

  test('the result is stored once', async () => {
    expect(await remote.client.probe()).toBeUndefined();
    const validation = freshValidation();

    network.holdAnswers();
    const answering = store(remote, tenant, validation);
    const created = await findPhaseRun(validation.repo);
    network.dropAnswers();

    expect(await answering).toMatchObject({ status: 202, body: { id: created.spec.runId } });
    const runs = await api.phaseRuns.list({ namespace });
    expect(runs.filter(({ spec }) => spec.repo === validation.repo)).toHaveLength(1);
  });
});
