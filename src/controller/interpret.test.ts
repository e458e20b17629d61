import { describe, expect, test } from 'vitest';
import { makePhaseRun } from '../../test/fixtures/phase-run.ts';
import { digestOf } from '../domain/digest.ts';
import { encodeGzip } from '../domain/gzip.ts';
import { type RunReading, readResult } from '../domain/reading.ts';
import type { JsonObject } from '../domain/run.ts';
import { API_KEY_ID_ANNOTATION } from '../resources/annotations.ts';
import type { RejectionReason } from '../resources/conditions.ts';
import type { PhaseRun } from '../resources/phase-run.ts';
import { interpretPhaseRun, Rejection } from './interpret.ts';

const repository = {
  forge: 'github',
  namespace: 'acme',
  name: 'nodegoat',
  fullPath: 'Acme/NodeGoat',
} as const;
const context = { customerId: 'c1', repository };
const runId = '0190D1C8-5F0A-7C55-9A39-7C1B6F4E2AFF';

const interpret = (phaseRun: PhaseRun, referred?: RunReading) =>
  interpretPhaseRun(phaseRun, { ...context, ...(referred && { referred }) });

const completed = (data: JsonObject) => ({ status: 'completed', data }) as const;

describe('who and where', () => {
  test('an applied run is known by its object, and has no place of its own', () => {
    const annotations = { [API_KEY_ID_ANNOTATION]: 'k1' };
    const run = interpret(makePhaseRun({ metadata: { annotations } }));
    expect(run).toMatchObject({
      runId: '0190d1c8-5f0a-7c55-9a39-7c1b6f4e2a10',
      customerId: 'c1',
      phase: 'validation',
      repository,
      slot: 'github/acme/nodegoat#1204',
      issueNumber: 1204,
      commitSha: '7776c71',
      status: 'completed',
      data: { validated: true },
      derived: { validated: true },
      phaseRun: { namespace: 'acme', name: 'proof' },
    });
    for (const absent of ['apiKeyId', 'order', 'branch', 'sessionId']) expect(run).not.toHaveProperty(absent);
  });

  test("an API's run carries its id in lower case, its key and its place", () => {
    const run = interpret(
      makePhaseRun({
        metadata: { annotations: { [API_KEY_ID_ANNOTATION]: 'k1' } },
        spec: { runId, customerId: 'c1', order: 1024 },
      }),
    );
    expect(run).toMatchObject({ runId: runId.toLowerCase(), apiKeyId: 'k1', order: 1024 });
  });

  test('a run that was moved forward has the place of its result, and all that its result says', () => {
    const result = {
      status: 'failed',
      order: 4096,
      startedAt: '2026-02-11T09:00:00Z',
      completedAt: '2026-02-11T09:05:00Z',
      errorMessage: 'out of memory',
    } as const;
    expect(interpret(makePhaseRun({ spec: { order: 1024 }, result }))).toMatchObject({ ...result, data: {} });
  });
});

describe('the payload', () => {
  const data = { validated: false, list: [null, { a: 1.5 }], ü: '🔒' };
  const { sha256, sizeBytes } = digestOf(data);
  const document = { validation: { 'issue-1204': data, 'issue-7': {} } };

  test.each<{ name: string; phaseRun: PhaseRun; want: object }>([
    {
      name: 'as it stands',
      phaseRun: makePhaseRun({ result: completed(data) }),
      want: { data, sha256, sizeBytes },
    },
    {
      name: 'absent',
      phaseRun: makePhaseRun({ result: { status: 'running' } }),
      want: { data: {}, sizeBytes: 2 },
    },
    {
      name: 'gzipped',
      phaseRun: makePhaseRun({ result: { status: 'completed', dataGzip: encodeGzip(JSON.stringify(data)) } }),
      want: { data, sha256, sizeBytes },
    },
    {
      name: 'within the whole document, applied',
      phaseRun: makePhaseRun({ result: completed(document) }),
      want: { data, sha256 },
    },
    {
      name: 'that looks like a document, by the API, which has looked already',
      phaseRun: makePhaseRun({ spec: { runId }, result: completed(document) }),
      want: { data: document, sha256: digestOf(document).sha256 },
    },
  ])('$name', ({ phaseRun, want }) => {
    expect(interpret(phaseRun)).toMatchObject(want);
  });

  test('referred to stays where it is, and what it says is what was read of it', () => {
    const phaseRun = makePhaseRun({
      spec: { runId },
      result: { status: 'completed', dataRef: { sha256, sizeBytes } },
    });
    const run = interpret(phaseRun, readResult(phaseRun.spec.phase, data));
    expect(run).toMatchObject({ sha256, sizeBytes, derived: { validated: false } });
    expect(run).not.toHaveProperty('data');
  });

  test('that is kept nowhere is left to whoever knows the rows', () => {
    const result = { status: 'completed', dataRef: { sha256, sizeBytes } } as const;
    expect(interpret(makePhaseRun({ spec: { runId }, result }))).toMatchObject({
      payloadIsGone: true,
      sha256,
      sizeBytes,
    });
  });

  const text = (bytes: number) => ({ text: 'x'.repeat(bytes) });
  const gzip = (json: string) => ({ status: 'completed', dataGzip: encodeGzip(json) }) as const;
  const INVALID: RejectionReason = 'InvalidPayload';

  test.each<{ name: string; result: PhaseRun['spec']['result']; want: [RejectionReason, string] }>([
    {
      name: 'with NUL',
      result: completed({ a: '\0' }),
      want: [INVALID, 'spec.result.data.a: must not hold NUL'],
    },
    {
      name: 'with an unsafe integer',
      result: completed({ a: [2 ** 60] }),
      want: [INVALID, 'spec.result.data.a[0]:'],
    },
    {
      name: 'of other issues alone',
      result: completed({ validate: { '7': {} } }),
      want: [INVALID, 'spec.result.data.validate: must carry a result for issue 1204; it carries 7'],
    },
    {
      name: 'too large',
      result: completed(text(17_000)),
      want: ['PayloadTooLarge', 'spec.result.data holds 17011 bytes'],
    },
    {
      name: 'too large with what is not taken of it',
      result: completed({ validation: { 'issue-1204': {}, 'issue-7': text(17_000) } }),
      want: ['PayloadTooLarge', 'bytes of JSON, of which 16384 are allowed: send proof through the HTTP API'],
    },
    {
      name: 'not gzipped',
      result: { status: 'completed', dataGzip: 'e30=' },
      want: [INVALID, 'spec.result.dataGzip: must be one gzip member'],
    },
    { name: 'gzipped, not JSON', result: gzip('{'), want: [INVALID, 'spec.result.dataGzip: must be JSON'] },
    {
      name: 'gzipped, no object',
      result: gzip('[1]'),
      want: [INVALID, 'spec.result.dataGzip: must hold a JSON object'],
    },
    {
      name: 'gzipped with NUL',
      result: gzip(String.raw`{"a":["\u0000"]}`),
      want: [INVALID, 'dataGzip: a[0] must not'],
    },
    {
      name: 'gzipped beyond what a request may have',
      result: gzip(JSON.stringify(text(11_000_000))),
      want: [INVALID, 'must not unpack to more than 10485760 bytes'],
    },
  ])('$name is refused', ({ result, want: [reason, says] }) => {
    const attempt = () => interpret(makePhaseRun({ result }));
    expect(attempt).toThrow(Rejection);
    expect(attempt).toThrow(expect.objectContaining({ reason, message: expect.stringContaining(says) }));
  });

  test('at the limit is taken, and gzipped may be far larger', () => {
    const limit = text(16_384 - '{"text":""}'.length);
    expect(interpret(makePhaseRun({ result: completed(limit) })).sizeBytes).toBe(16_384);
    const large = text(1_000_000);
    expect(interpret(makePhaseRun({ result: gzip(JSON.stringify(large)) })).data).toEqual(large);
  });
});
