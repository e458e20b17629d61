import { randomBytes } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import { TRACEPARENT_ANNOTATION } from '../../../src/resources/annotations.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { ownKubernetes } from '../../fixtures/kubernetes.ts';
import { createOtlpReceiver } from '../../fixtures/otlp-receiver.ts';
import { closedPort } from '../../fixtures/scripted-server.ts';
import { appliedRuns, SOON } from './applied-runs.ts';
import { makeManifest } from './manifests.ts';
import { store } from './runner.ts';
import { createWorld } from './world.ts';

const { url: databaseUrl } = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const receiver = await createOtlpReceiver();
const world = await createWorld({ kubeconfigPath, databaseUrl });
const sending = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url };
const [api, controller] = await Promise.all([world.startApi(sending), world.startController(sending)]);
const tenant = await world.makeTenant();
const { apply, applyAndArchive, waitFor } = appliedRuns(world);

let issueNumber = 100;
const freshResult = (changes: object = {}) => {
  issueNumber += 1;
  const repo = `${tenant.owner}/shop`;
  return {
    phase: 'validation',
    repo,
    issueNumber,
    commitSha: 'c0ffee',
    data: { validated: true },
    ...changes,
  };
};
const newTrace = () => ({ traceId: randomBytes(16).toString('hex'), spanId: randomBytes(8).toString('hex') });
const spansOf = (traceId: string) => receiver.spans().filter((span) => span.traceId === traceId);
/** The spans of a trace, once this one is among them. */
const waitForSpan = (traceId: string, name: string) =>
  vi.waitFor(() => {
    const spans = spansOf(traceId);
    expect(spans.map((span) => span.name)).toContain(name);
    return spans;
  }, SOON);
const annotationOf = async (phaseRun: { readonly namespace: string; readonly name: string }) =>
  (await world.phaseRuns.get(phaseRun)).metadata.annotations?.[TRACEPARENT_ANNOTATION];
/** The lines that a process has logged of a trace. */
const linesOf = (process: { log(): string }, traceId: string) =>
  process
    .log()
    .split('\n')
    .filter((line) => line.includes(`"traceId":"${traceId}"`))
    .map((line) => JSON.parse(line));

describe.concurrent('a store over HTTP', () => {
  test("is one trace from the client's traceparent to the status that the controller writes", async () => {
    const { traceId, spanId } = newTrace();
    const result = freshResult({ data: { validated: true, log: 'x'.repeat(20_000) } });
    const { status, body } = await store(api, tenant, result, { traceparent: `00-${traceId}-${spanId}-01` });
    expect(status).toBe(200);

    await waitForSpan(traceId, 'POST /api/v1/phases/store');
    const spans = await waitForSpan(traceId, 'reconcile PhaseRun');
    const nameOf = new Map([[spanId, 'client'], ...spans.map((span) => [span.spanId, span.name] as const)]);
    const told = spans.map((span) => `${span.service}: ${nameOf.get(span.parentSpanId)} > ${span.name}`);
    expect(told.toSorted()).toEqual([
      'phaserun-api: POST /api/v1/phases/store > store auth',
      'phaserun-api: POST /api/v1/phases/store > store create',
      'phaserun-api: POST /api/v1/phases/store > store payload',
      'phaserun-api: POST /api/v1/phases/store > store wait',
      'phaserun-api: client > POST /api/v1/phases/store',
      'phaserun-controller: POST /api/v1/phases/store > reconcile PhaseRun',
      'phaserun-controller: reconcile PhaseRun > archive transaction',
      'phaserun-controller: reconcile PhaseRun > write status',
    ]);
    expect(spans.filter(({ isFailed }) => isFailed)).toEqual([]);
    const phaserun = `${body.phaseRun.namespace}/${body.phaseRun.name}`;
    expect(spans.find(({ name }) => name === 'reconcile PhaseRun')?.attributes).toMatchObject({
      'phaserun.name': phaserun,
    });
    expect(linesOf(api, traceId)).toContainEqual(
      expect.objectContaining({ msg: 'request answered', requestId: expect.any(String) }),
    );
    expect(linesOf(controller, traceId)).toContainEqual(
      expect.objectContaining({ msg: 'PhaseRun archived', phaserun, session: body.sessionId }),
    );
  });

  test('that moves a run forward takes the reconcile along into its own trace', async () => {
    const [begun, ended] = [newTrace(), newTrace()];
    const running = freshResult({ status: 'running' });
    const first = await store(api, tenant, running, {
      traceparent: `00-${begun.traceId}-${begun.spanId}-01`,
    });
    // Nothing that somebody does to the annotations keeps a run from being moved.
    const { namespace, name } = first.body.phaseRun;
    const patch = ['--type=merge', '-p', '{"metadata":{"annotations":null}}'];
    expect(await world.kubectl(['patch', 'phr', name, '-n', namespace, ...patch])).toMatchObject({
      ok: true,
    });
    const completed = { ...running, status: 'completed', runId: first.body.id };
    const { status } = await store(api, tenant, completed, {
      traceparent: `00-${ended.traceId}-${ended.spanId}-01`,
    });
    expect(status).toBe(200);
    await waitForSpan(ended.traceId, 'reconcile PhaseRun');
    expect(await annotationOf(first.body.phaseRun)).toContain(ended.traceId);
  });

  test.each([
    '',
    'nonsense',
    `00-${'0'.repeat(32)}-${'1'.repeat(16)}-01`,
    `ff-${'1'.repeat(32)}-${'1'.repeat(16)}-01`,
    `00-${'A'.repeat(32)}-${'1'.repeat(16)}-01`,
    `00-${'1'.repeat(32)}-${'1'.repeat(16)}-01-more`,
  ])('with the traceparent "%s" begins a trace of its own', async (traceparent) => {
    const { status, body } = await store(api, tenant, freshResult(), { traceparent });
    expect(status).toBe(200);
    const [, traceId = ''] =
      /^00-([0-9a-f]{32})-[0-9a-f]{16}-01$/.exec((await annotationOf(body.phaseRun)) ?? '') ?? [];
    expect(traceId).toMatch(/[1-9a-f]/);
    expect(traceparent).not.toContain(traceId);
    const spans = await waitForSpan(traceId, 'reconcile PhaseRun');
    const roots = spans.filter(({ parentSpanId }) => parentSpanId === '');
    expect(roots.map(({ name }) => name)).toEqual(['POST /api/v1/phases/store']);
  });

  test('that its client does not record is not sent, and is in the logs all the same', async () => {
    const [quiet, loud] = [newTrace(), newTrace()];
    for (const [{ traceId, spanId }, flags] of [
      [quiet, '00'],
      [loud, '01'],
    ] as const)
      await store(api, tenant, freshResult(), { traceparent: `00-${traceId}-${spanId}-${flags}` });
    await waitForSpan(loud.traceId, 'POST /api/v1/phases/store');
    await waitForSpan(loud.traceId, 'reconcile PhaseRun');
    expect(spansOf(quiet.traceId)).toEqual([]);
    expect(linesOf(api, quiet.traceId)).not.toEqual([]);
    expect(linesOf(controller, quiet.traceId)).not.toEqual([]);
  });
});

describe.concurrent('an applied run', () => {
  const annotated = (name: string, traceparent: string) => {
    issueNumber += 1;
    const manifest = makeManifest(tenant, name, { spec: { issueNumber } });
    const annotations = { [TRACEPARENT_ANNOTATION]: traceparent };
    return { ...manifest, metadata: { ...manifest.metadata, annotations } };
  };

  test('may name the trace that it belongs to', async () => {
    const { traceId, spanId } = newTrace();
    await applyAndArchive(annotated('of-a-trace', `00-${traceId}-${spanId}-01`));
    const spans = await waitForSpan(traceId, 'reconcile PhaseRun');
    expect(spans.find(({ name }) => name === 'reconcile PhaseRun')?.parentSpanId).toBe(spanId);
  });

  test.each([
    { what: 'empty', value: '' },
    { what: 'long', value: '1'.repeat(200_000) },
    { what: 'lines', value: `00-${'1'.repeat(32)}-${'1'.repeat(16)}-01\n{"level":"error"}` },
    { what: 'zeros', value: `00-${'0'.repeat(32)}-${'0'.repeat(16)}-01` },
    { what: 'code', value: '${process.exit(1)}__proto__' },
  ])('whose annotation is $what is archived, in a trace of its own', async ({ what, value }) => {
    const manifest = annotated(`bad-${what}`, value);
    await applyAndArchive(manifest);
    const phaserun = `${tenant.namespace}/bad-${what}`;
    const span = await vi.waitFor(() => {
      const found = receiver.spans().find(({ attributes }) => attributes['phaserun.name'] === phaserun);
      expect(found).toMatchObject({ name: 'reconcile PhaseRun', parentSpanId: '' });
      return found;
    }, SOON);
    expect(linesOf(controller, span?.traceId ?? '')).toContainEqual(
      expect.objectContaining({ msg: 'PhaseRun archived', phaserun }),
    );
  });

  test('that is not accepted says in the log in which trace', async () => {
    const { traceId, spanId } = newTrace();
    const manifest = annotated('refused', `00-${traceId}-${spanId}-01`);
    const spec = { ...manifest.spec, repo: 'somebody-else/shop' };
    expect(await apply({ ...manifest, spec })).toMatchObject({ ok: true });
    await waitFor(manifest, 'Accepted', 'False');
    expect(linesOf(controller, traceId)).toContainEqual(
      expect.objectContaining({ msg: 'PhaseRun rejected', reason: 'ForgeAccountNotVerified' }),
    );
  });
});

test('spans that nobody takes cost no store, and keep no process from ending', async () => {
  const nobody = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await closedPort()}` };
  const lonely = await world.startApi(nobody);
  expect((await store(lonely, tenant, freshResult())).status).toBe(200);
  await vi.waitFor(() => expect(lonely.log()).toContain('spans cannot be sent'), SOON);
  expect(await lonely.end('SIGTERM')).toEqual({ code: 0, signal: null });
});
