import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { CRD_NAME } from '../../../src/resources/crd.ts';
import { phaseRunManifest } from '../../../src/resources/phase-run.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { connect, makePhaseRun, makeSpec, pathOf } from './phase-run-builder.ts';

const client = connect(inject('kubeconfigPath'));
const namespace = await freshNamespace();
const SAMPLES = new URL('../../../manifests/samples/', import.meta.url);

beforeAll(async () => {
  const scan = { phase: 'scan', repo: 'acme/other', issueNumber: undefined };
  for (const changes of [{}, scan]) {
    const body = makePhaseRun(namespace, makeSpec(changes));
    await client.request({ method: 'POST', path: pathOf(namespace), body });
  }
});
afterAll(() => client.close());

async function kubectl(...args: string[]): Promise<string> {
  const { kubectl: program = 'kubectl' } = inject('kubernetesAssets');
  const { stdout } = await promisify(execFile)(program, ['--kubeconfig', inject('kubeconfigPath'), ...args]);
  return stdout;
}

const crdSchema = z.object({
  spec: z.object({ versions: z.tuple([z.object({ schema: z.object({ openAPIV3Schema: z.unknown() }) })]) }),
  status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })) }),
});

async function readCrd() {
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${CRD_NAME}`;
  return crdSchema.parse(await client.request({ method: 'GET', path }));
}

test('the API server serves the kind and finds nothing to object to', async () => {
  const { status } = await readCrd();
  const holding = status.conditions
    .filter((condition) => condition.status === 'True')
    .map(({ type }) => type);
  expect(holding).toEqual(expect.arrayContaining(['Established', 'NamesAccepted']));
  expect(holding).not.toContain('NonStructuralSchema');
});

const node = z.looseObject({
  type: z.string().optional(),
  description: z.string().optional(),
  maxLength: z.number().optional(),
  enum: z.array(z.string()).optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  items: z.unknown().optional(),
});

/** Every field below `schema`, as the server keeps it, with its path. */
function fieldsOf(schema: unknown, path = ''): { path: string; field: z.infer<typeof node> }[] {
  const field = node.parse(schema);
  const below = Object.entries(field.properties ?? {}).flatMap(([name, inner]) =>
    fieldsOf(inner, `${path}.${name}`),
  );
  return [
    { path, field },
    ...below,
    ...(field.items === undefined ? [] : fieldsOf(field.items, `${path}[]`)),
  ];
}

test('every field has a description, and every string an end', async () => {
  const { spec } = await readCrd();
  const fields = fieldsOf(spec.versions[0].schema.openAPIV3Schema).filter(({ path }) =>
    /^\.(spec|status)/.test(path),
  );
  expect(fields.length).toBeGreaterThan(35);
  const undescribed = fields.filter(
    ({ path, field }) => !path.endsWith('[]') && (field.description ?? '').length < 10,
  );
  const unbounded = fields.filter(
    ({ field }) => field.type === 'string' && field.maxLength === undefined && field.enum === undefined,
  );
  expect(undescribed.map(({ path }) => path)).toEqual([]);
  expect(unbounded.map(({ path }) => path)).toEqual([]);
});

const owned = z.object({
  metadata: z.looseObject({
    name: z.string(),
    managedFields: z.array(z.object({ fieldsV1: z.record(z.string(), z.unknown()) })),
  }),
});

test('the server keeps an owner of the spec and of the status, and not of what is in them', async () => {
  const spec = makeSpec({ result: { status: 'completed', data: { a: { b: [{ c: 1 }] } } } });
  const body = makePhaseRun(namespace, spec);
  const { metadata } = owned.parse(await client.request({ method: 'POST', path: pathOf(namespace), body }));
  const path = `${pathOf(namespace, metadata.name)}/status`;
  const status = { observedGeneration: 1, summary: { redGreen: 'proven' } };
  const written = owned.parse(
    await client.request({ method: 'PUT', path, body: { ...body, metadata, status } }),
  );
  const [created, ofStatus] = written.metadata.managedFields.map(({ fieldsV1 }) => fieldsV1);
  expect(created?.['f:spec']).toEqual({});
  expect(ofStatus).toEqual({ 'f:status': {} });
});

test('kubectl explain teaches', async () => {
  const explained = await kubectl('explain', 'phaserun.spec');
  expect(explained).toContain('The repository: owner/name');
  expect(explained).toMatch(/issueNumber\s+<integer>\n\s+The issue that is validated or mitigated/);
  expect(await kubectl('explain', 'phaserun.status.archive.incarnation')).toContain(
    'The database that gave this receipt',
  );
});

test('kubectl get shows the columns, by the short name and the category', async () => {
  const table = await kubectl('get', 'phr', '-n', namespace);
  expect(table.split('\n')[0]?.split(/\s+/)).toEqual([
    'NAME',
    'PHASE',
    'REPO',
    'ISSUE',
    'STATUS',
    'SESSION',
    'TRUST',
    'ARCHIVED',
    'AGE',
  ]);
  expect(table).toMatch(/validation\s+acme\/nodegoat\s+1204\s+completed/);
  // Between two calls the objects grow older.
  const ageless = (text: string) => text.replaceAll(/\S+$/gm, '');
  expect(ageless(await kubectl('get', 'phases', '-n', namespace))).toBe(ageless(table));
});

test('runs can be selected by phase and repository', async () => {
  const selected = await kubectl(
    'get',
    'phr',
    '-n',
    namespace,
    '-o',
    'name',
    '--field-selector',
    'spec.phase=scan,spec.repo=acme/other',
  );
  expect(selected.trim().split('\n')).toHaveLength(1);
});

test('the samples are PhaseRuns, and the API server takes them', async () => {
  const files = (await readdir(SAMPLES)).filter((file) => file.endsWith('.yaml'));
  const documents = await Promise.all(
    files.map(
      async (file) =>
        parseDocument(await readFile(new URL(file, SAMPLES), 'utf8')).toJS() as { kind: string },
    ),
  );
  const phaseRuns = documents
    .filter(({ kind }) => kind === 'PhaseRun')
    .map((document) => phaseRunManifest.parse(document));
  expect(phaseRuns.map(({ spec }) => spec.phase).toSorted()).toEqual(['mitigation', 'scan', 'validation']);
  for (const phaseRun of phaseRuns) {
    const body = { ...phaseRun, metadata: { ...phaseRun.metadata, namespace } };
    const query = { dryRun: 'All', fieldValidation: 'Strict' };
    await client.request({ method: 'POST', path: pathOf(namespace), query, body });
  }
});
