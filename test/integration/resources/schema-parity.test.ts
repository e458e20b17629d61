import * as fc from 'fast-check';
import { afterAll, describe, expect, inject, test } from 'vitest';
import { phaseRunManifest } from '../../../src/resources/phase-run.ts';
import { phaseRunSpec } from '../../../src/resources/phase-run-spec.ts';
import { phaseRunStatus } from '../../../src/resources/phase-run-status.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import {
  connect,
  type Json,
  type JsonMap,
  makePhaseRun,
  makeSpec,
  pathOf,
  refusalOf,
} from './phase-run-builder.ts';

const client = connect(inject('kubeconfigPath'));
const namespace = await freshNamespace();
afterAll(() => client.close());

function create(spec: Json): Promise<string | undefined> {
  const query = { dryRun: 'All', fieldValidation: 'Strict' };
  const body = makePhaseRun(namespace, spec);
  return refusalOf(client.request({ method: 'POST', path: pathOf(namespace), query, body }));
}

const text = (maxLength: number) =>
  fc
    .oneof(
      fc.string({ minLength: 1, maxLength: Math.min(maxLength, 40) }),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: Math.min(maxLength / 8, 20) }),
      fc.constant('x'.repeat(maxLength)),
      fc.constant('two\nlines'),
    )
    .filter((value) => value.length <= maxLength && !value.includes('\0'));
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const time = fc
  .date({ min: new Date('1970-01-01T00:00:00Z'), max: new Date('2999-12-31T23:59:59Z'), noInvalidDate: true })
  .map((date) => date.toISOString());
const int64 = (min: number) =>
  fc.oneof(fc.constantFrom(min, Number.MAX_SAFE_INTEGER), fc.integer({ min, max: 9999 }));
const sha256 = fc.stringMatching(/^[0-9a-f]{64}$/);

const payload = fc.oneof(
  fc.constant({}),
  fc.record({ data: fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 5 }) }),
  fc.record({ dataGzip: text(1_048_576) }),
  fc.record({ dataRef: fc.record({ sha256, sizeBytes: fc.integer({ min: 0, max: 2_147_483_647 }) }) }),
);
const result = fc
  .tuple(
    fc.record({
      status: fc.constantFrom('pending', 'running', 'completed', 'failed'),
      startedAt: optional(time),
      completedAt: optional(time),
      errorMessage: optional(text(4096)),
      order: optional(int64(1)),
    }),
    payload,
  )
  .map((parts) => Object.assign({}, ...parts));

/** Every shape of a spec that is right, among which some break the rules between fields. */
const spec: fc.Arbitrary<JsonMap> = fc
  .record({
    phase: fc.constantFrom('scan', 'validation', 'mitigation'),
    forge: optional(fc.constantFrom('github', 'gitlab')),
    repo: fc.constantFrom('acme/nodegoat', 'Acme/.github', 'a/b/c', 'x_y.z/-name-', `a/${'n'.repeat(754)}`),
    issueNumber: optional(int64(1)),
    commitSha: optional(text(255)),
    branch: optional(text(255)),
    pipelineRunId: optional(text(255)),
    sessionId: optional(fc.uuid()),
    runId: optional(fc.uuid()),
    customerId: optional(fc.uuid()),
    order: optional(int64(1)),
    result,
    ttlSecondsAfterArchived: optional(fc.constantFrom(0, 600, 604_800)),
  })
  .map((value) => JSON.parse(JSON.stringify(value)));

const FIELDS = [
  'phase',
  'forge',
  'repo',
  'issueNumber',
  'commitSha',
  'branch',
  'pipelineRunId',
  'sessionId',
  'runId',
  'customerId',
  'order',
  'result',
  'ttlSecondsAfterArchived',
  'unknown',
];
const RESULT_FIELDS = [
  'status',
  'startedAt',
  'completedAt',
  'errorMessage',
  'data',
  'dataGzip',
  'dataRef',
  'order',
  'unknown',
];
const ODD: Json[] = [
  '',
  ' ',
  'x',
  '0',
  'acme',
  'acme/',
  '/acme',
  'a//b',
  'acme/nöde',
  'scan',
  'a\0b',
  'x'.repeat(256),
  'x'.repeat(4097),
  'x/'.repeat(400),
  0,
  -1,
  1,
  1.5,
  604_801,
  2_147_483_648,
  2 ** 53 - 1,
  2 ** 53,
  1e300,
  true,
  [],
  ['x'],
  {},
  { a: { b: null } },
  '2026-02-11T09:14:03Z',
  '2026-02-11T09:14:03.123456789+05:30',
  '2026-02-30T09:14:03Z',
  '2026-02-11',
  '2026-02-11t09:14:03z',
  '2026-02-11T24:00:00Z',
  '2026-02-11T09:14:60Z',
  '0001-01-01T00:00:00Z',
  '2026-02-11T09:14:03+15:00',
  '2025-02-29T00:00:00Z',
  '0190d1c8-5f0a-7c55-9a39-7c1b6f4e2a10',
  '0190D1C8-5F0A-7C55-9A39-7C1B6F4E2A10',
  '0190d1c85f0a7c559a397c1b6f4e2a10',
  'a'.repeat(64),
  { sha256: 'a'.repeat(64), sizeBytes: 1 },
  { sha256: 'A'.repeat(64), sizeBytes: 1 },
  { sha256: 'a'.repeat(64) },
  { sha256: 'a'.repeat(64), sizeBytes: -1 },
  { sha256: 'a'.repeat(64), sizeBytes: 1, more: 1 },
  { status: 'completed' },
  { status: 'done' },
];

/** A spec that is right but for one thing, which was changed to something odd, or taken away. */
const nearMiss = fc
  .tuple(
    spec.filter((value) => phaseRunSpec.safeParse(value).success),
    fc.boolean(),
    fc.constantFrom(...FIELDS),
    fc.constantFrom(...RESULT_FIELDS),
    fc.constantFrom(undefined, ...ODD),
  )
  .map(([whole, inResult, field, resultField, odd]): JsonMap => {
    const { result: before } = whole;
    const change = inResult ? { result: { ...(before as JsonMap), [resultField]: odd } } : { [field]: odd };
    return JSON.parse(JSON.stringify({ ...whole, ...change }));
  });

describe('zod and the API server say the same of a spec', () => {
  test.each([
    { name: 'that is right but for rules between fields', arbitrary: spec },
    { name: 'with something odd in it', arbitrary: nearMiss },
  ])('$name', async ({ arbitrary }) => {
    const verdicts = { accepted: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(arbitrary, async (value) => {
        const { success, error } = phaseRunSpec.safeParse(value);
        const refusal = await create(value);
        verdicts[success ? 'accepted' : 'refused']++;
        expect({ accepted: refusal === undefined, refusal, zod: error?.issues }).toMatchObject({
          accepted: success,
        });
      }),
      { numRuns: 500 },
    );
    expect(Math.min(verdicts.accepted, verdicts.refused)).toBeGreaterThan(20);
  });

  test.each(ODD.flatMap((odd) => ['repo', 'commitSha', 'runId', 'order'].map((field) => ({ field, odd }))))(
    '$field: $odd',
    async ({ field, odd }) => {
      const value = makeSpec({ [field]: odd });
      expect((await create(value)) === undefined).toBe(phaseRunSpec.safeParse(value).success);
    },
  );
});

test('what zod takes for a manifest is what kubectl may send', () => {
  const manifest = makePhaseRun(namespace, makeSpec());
  expect(phaseRunManifest.safeParse(manifest).success).toBe(true);
  expect(phaseRunManifest.safeParse({ ...manifest, spec: makeSpec({ isueNumber: 7 }) }).success).toBe(false);
  expect(phaseRunManifest.safeParse({ ...manifest, kind: 'Pod' }).success).toBe(false);
});

const condition = fc.record({
  type: fc.constantFrom('Accepted', 'Archived', 'SessionAdvanced', 'phases.rsolv.dev/Other'),
  status: fc.constantFrom('True', 'False', 'Unknown'),
  observedGeneration: optional(int64(0)),
  lastTransitionTime: time,
  reason: fc.constantFrom('Stored', 'A', 'x'.repeat(1024)),
  message: fc.oneof(fc.string({ unit: 'grapheme' }), fc.constant('m'.repeat(32_768))),
});
const status = fc.record(
  {
    observedGeneration: int64(0),
    conditions: fc.uniqueArray(condition, { selector: ({ type }) => type, maxLength: 4 }),
    archive: fc.record({
      executionId: fc.uuid(),
      sha256,
      committedAt: time,
      incarnation: fc.stringMatching(/^[0-9a-f]{16}$/),
    }),
    session: fc.record({
      id: fc.uuid(),
      state: fc.constantFrom('pending', 'active', 'completed', 'failed', 'expired'),
    }),
    summary: fc.record(
      {
        vulnerabilities: int64(0),
        validated: fc.boolean(),
        trustScore: fc.oneof(fc.constantFrom(0, 85, 100), fc.double({ min: 0, max: 100, noNaN: true })),
        pullRequestUrl: fc.webUrl(),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);

test('every status that zod takes, the API server takes whole', async () => {
  const body = makePhaseRun(namespace, makeSpec());
  const created: unknown = await client.request({ method: 'POST', path: pathOf(namespace), body });
  const { name } = (created as { metadata: { name: string } }).metadata;
  await fc.assert(
    fc.asyncProperty(status, async (value) => {
      const sent: JsonMap = JSON.parse(JSON.stringify(value));
      expect(phaseRunStatus.safeParse(sent).error).toBeUndefined();
      const answer = await client.request({
        method: 'PUT',
        path: `${pathOf(namespace, name)}/status`,
        query: { dryRun: 'All', fieldValidation: 'Strict' },
        body: { ...(created as JsonMap), status: sent },
      });
      expect((answer as { status?: unknown }).status ?? {}).toEqual(sent);
    }),
    { numRuns: 150 },
  );
});
