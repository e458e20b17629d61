import { gzipSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import type { PhaseRun } from '../../../src/resources/phase-run.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { ownKubernetes } from '../../fixtures/kubernetes.ts';
import { countRows, listRows } from '../store/rows.ts';
import { appliedRuns, conditionOf, SOON } from './applied-runs.ts';
import { makeManifest } from './manifests.ts';
import { createWorld } from './world.ts';

const { url: databaseUrl } = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const world = await createWorld({ kubeconfigPath, databaseUrl });
const tenant = await world.makeTenant();
await world.startController();
const { apply, applyAndArchive, applyAndReject } = appliedRuns(world);

const kubectl = (line: string) => world.kubectl(line.split(' '));
const validationsOf = (customerId: string) => countRows(world.pool, 'validation_executions', customerId);
const findRow = async ({ metadata }: PhaseRun) =>
  (await listRows(world.pool, 'validation', tenant.customerId)).find(({ id }) => id === metadata.uid);

describe('a payload', () => {
  const data = {
    validated: true,
    nothing: null,
    list: [null, {}, [], { a: null }],
    unicode: 'ünïcödé 🔒 \u2028',
    numbers: [0, -1.5, 1e-7, 9007199254740991],
    'a key/with.dots and "quotes"': '',
  };

  test('as it stands is the row', async () => {
    const archived = await applyAndArchive(makeManifest(tenant, 'as-it-stands', { result: { data } }));
    expect(await findRow(archived)).toMatchObject({ data, validated: true, api_key_id: null });
    expect(archived.status).toMatchObject({
      archive: { executionId: archived.metadata.uid },
      session: { state: 'active' },
      summary: { validated: true },
    });
  });

  test('gzipped is the row', async () => {
    const vulnerabilities = Array.from({ length: 5_000 }, (_, line) => ({ type: 'xss', line }));
    const large = { ...data, vulnerabilities };
    const dataGzip = gzipSync(JSON.stringify(large)).toString('base64');
    const result = { data: undefined, dataGzip };
    const archived = await applyAndArchive(makeManifest(tenant, 'gzipped', { result }));
    expect(await findRow(archived)).toMatchObject({ data: large, vulnerabilities_found: 5_000 });
    expect(archived.status?.summary).toEqual({
      validated: true,
      vulnerabilities: 5_000,
      redGreen: 'unknown',
    });
  });

  test('within the whole phase document is taken out of it', async () => {
    const document = { validation: { 'issue-7': { validated: false }, 'issue-1': data } };
    const archived = await applyAndArchive(makeManifest(tenant, 'wrapped', { result: { data: document } }));
    expect((await findRow(archived))?.data).toEqual(data);
  });

  test('absent is an empty one', async () => {
    const archived = await applyAndArchive(makeManifest(tenant, 'empty', { result: { data: undefined } }));
    expect((await findRow(archived))?.data).toEqual({});
  });

  const text = (bytes: number) => 'x'.repeat(bytes);
  const gzip = (json: string) => ({ data: undefined, dataGzip: gzipSync(json).toString('base64') });
  const INVALID = 'InvalidPayload';

  test.each<{ name: string; result: object; reason: string; says: string }>([
    {
      name: 'with-nul',
      result: { data: { a: ['x', 'y\0'] } },
      reason: INVALID,
      says: 'spec.result.data.a[1]:',
    },
    {
      name: 'with-nul-key',
      result: { data: { 'a\0': 1 } },
      reason: INVALID,
      says: String.raw`data["a\u0000"]:`,
    },
    {
      name: 'with-proto',
      result: { data: JSON.parse('{"a":{"__proto__":{"x":1}}}') },
      reason: INVALID,
      says: 'spec.result.data.a.__proto__:',
    },
    {
      name: 'with-unsafe-integer',
      result: { data: { ids: [2 ** 53] } },
      reason: INVALID,
      says: 'spec.result.data.ids[0]:',
    },
    {
      name: 'nested-too-deep',
      result: { data: JSON.parse(`${'{"a":'.repeat(70)}1${'}'.repeat(70)}`) },
      reason: INVALID,
      says: 'deeper than',
    },
    {
      name: 'of-another-issue',
      result: { data: { validation: { 'issue-2': { validated: true } } } },
      reason: INVALID,
      says: 'must carry a result for issue 1; it carries issue-2',
    },
    {
      name: 'too-large',
      result: { data: { text: text(17_000) } },
      reason: 'PayloadTooLarge',
      says: 'of which 16384 are allowed: send too-large through the HTTP API, which stores large results by reference (dataRef), or put the gzipped, base64-encoded JSON into spec.result.dataGzip',
    },
    {
      name: 'too-large-in-all',
      result: { data: { validation: { 'issue-1': {}, 'issue-2': { text: text(17_000) } } } },
      reason: 'PayloadTooLarge',
      says: 'of which 16384 are allowed',
    },
    {
      name: 'gzipped-nul',
      result: gzip(String.raw`{"a":"\u0000"}`),
      reason: INVALID,
      says: 'spec.result.dataGzip: a',
    },
    { name: 'gzipped-array', result: gzip('[]'), reason: INVALID, says: 'dataGzip: must hold a JSON object' },
    {
      name: 'gzipped-bomb',
      result: gzip(`{"a":"${text(11_000_000)}"}`),
      reason: INVALID,
      says: 'must not unpack',
    },
    {
      name: 'not-gzipped',
      result: { data: undefined, dataGzip: 'e30=' },
      reason: INVALID,
      says: 'dataGzip: must be one gzip member',
    },
  ])('$name is refused by name, stores nothing, and can be deleted', async ({ name, result, ...want }) => {
    const before = await validationsOf(tenant.customerId);
    const { reason, message, phaseRun } = await applyAndReject(
      makeManifest(tenant, name, { result: { ...result } }),
    );
    expect(reason).toBe(want.reason);
    expect(message).toContain(want.says);
    expect(conditionOf(phaseRun, 'Archived')).toMatchObject({ status: 'False', reason: 'Rejected' });
    expect(await validationsOf(tenant.customerId)).toBe(before);
    expect(await kubectl(`delete phr ${name} -n ${tenant.namespace}`)).toMatchObject({ ok: true });
  });

  test('that was refused is taken in once it is mended', async () => {
    await applyAndReject(makeManifest(tenant, 'mended', { result: { data: { a: '\0' } } }));
    const archived = await applyAndArchive(makeManifest(tenant, 'mended', { result: { data: { a: 'b' } } }));
    expect(conditionOf(archived, 'Accepted')).toMatchObject({ status: 'True' });
    expect((await findRow(archived))?.data).toEqual({ a: 'b' });
  });
});

describe('a run', () => {
  test('that goes on to be completed is one row, and then is history', async () => {
    const spec = { issueNumber: 2 };
    const running = { status: 'running', data: { progress: 1 } };
    const first = await applyAndArchive(makeManifest(tenant, 'goes-on', { spec, result: running }));
    expect(await findRow(first)).toMatchObject({ status: 'running', data: { progress: 1 } });
    const second = await applyAndArchive(makeManifest(tenant, 'goes-on', { spec }));
    expect(second.status?.archive?.executionId).toBe(first.status?.archive?.executionId);
    expect(await findRow(second)).toMatchObject({ status: 'completed', data: { validated: true } });
    const third = await apply(
      makeManifest(tenant, 'goes-on', { spec, result: { data: { validated: false } } }),
    );
    expect(third).toMatchObject({
      ok: false,
      output: expect.stringContaining('is history and does not change'),
    });
  });

  test('is told of in Events', async () => {
    const applied = makeManifest(tenant, 'told-of', {
      spec: { issueNumber: 3 },
      result: { data: { by: 'event' } },
    });
    await applyAndArchive(applied);
    const events = `get events -n ${tenant.namespace} --field-selector=involvedObject.name=told-of`;
    await vi.waitFor(async () => expect((await kubectl(events)).output).toMatch(/Normal +Archived/), SOON);
  });
});
