import { expect, test } from 'vitest';
import type { PhaseRun } from './phase-run.ts';
import { TRACEPARENT_ANNOTATION } from './annotations.ts';
import { draftMove, payloadSha256 } from './phase-run-move.ts';

const EMPTY_OBJECT_SHA256 = '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a';

function makePhaseRun(result: Partial<PhaseRun['spec']['result']>): PhaseRun {
  return {
    apiVersion: 'phases.rsolv.dev/v1alpha1',
    kind: 'PhaseRun',
    metadata: {
      name: 'a',
      namespace: 'b',
      uid: 'c',
      resourceVersion: '1',
      generation: 2,
      creationTimestamp: '2026-02-11T09:14:03Z',
    },
    spec: { phase: 'scan', forge: 'github', repo: 'acme/shop', result: { status: 'completed', ...result } },
  };
}

test.each([
  { name: 'of what it carries', result: { data: {} }, want: EMPTY_OBJECT_SHA256 },
  { name: 'of nothing is that of {}', result: {}, want: EMPTY_OBJECT_SHA256 },
  { name: 'of what it refers to', result: { dataRef: { sha256: 'ab', sizeBytes: 1 } }, want: 'ab' },
  { name: 'of what is compressed is not known', result: { dataGzip: 'H4sI' }, want: undefined },
])('the digest of a payload, $name', ({ result, want }) => {
  expect(payloadSha256(makePhaseRun(result))).toBe(want);
});

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
test.each([
  {
    name: 'beside others',
    annotations: { other: 'x' },
    want: { path: '/metadata/annotations/phases.rsolv.dev~1traceparent', value: traceparent },
  },
  {
    name: 'where somebody took all of them away',
    annotations: undefined,
    want: { path: '/metadata/annotations', value: { [TRACEPARENT_ANNOTATION]: traceparent } },
  },
])('a move notes its trace $name', ({ annotations, want }) => {
  const { metadata, ...running } = makePhaseRun({ status: 'running' });
  const phaseRun = { ...running, metadata: { ...metadata, ...(annotations && { annotations }) } };
  const request = {
    phase: 'scan',
    repository: { forge: 'github', namespace: 'acme', name: 'shop', fullPath: 'acme/shop' },
    commitSha: 'c',
    status: 'completed',
    data: {},
  } as const;
  const digest = { sha256: EMPTY_OBJECT_SHA256, sizeBytes: 2 };
  const patch = draftMove(phaseRun, { runId: 'r', request, digest, order: 9, traceparent });
  expect(patch).toContainEqual({ op: 'add', ...want });
});
