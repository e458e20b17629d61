import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { z } from 'zod';
import { applyManifests } from '../../../src/kube/apply.ts';
import type { Manifest } from '../../../src/kube/manifest.ts';
import { makePhaseRunCrd } from '../../../src/resources/crd.ts';
import { KIND, PLURAL, VERSION } from '../../../src/resources/phase-run.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { connect, type Json, type JsonMap, makeSpec } from './phase-run-builder.ts';

/** A kind of this test's own, for the definition of PhaseRun is everybody's. */
const GROUP = 'upgrade.phaserun.test';
const API_VERSION = `${GROUP}/${VERSION}`;

const client = connect(inject('kubeconfigPath'));
const namespace = await freshNamespace();
afterAll(() => client.close());

/** The definition as it is, or as it was while the server kept an owner of each field. */
function makeDefinition(owner: 'one' | 'of each field'): Manifest {
  const { spec } = makePhaseRunCrd();
  const { kind, listKind, plural, singular } = spec.names;
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${PLURAL}.${GROUP}` },
    spec: { ...spec, group: GROUP, names: { kind, listKind, plural, singular } },
  };
  return owner === 'one' ? definition : JSON.parse(JSON.stringify(definition, withoutMapType));
}

const withoutMapType = (key: string, value: unknown) => (key === 'x-kubernetes-map-type' ? undefined : value);

async function install(owner: 'one' | 'of each field'): Promise<void> {
  const signal = AbortSignal.timeout(30_000);
  await applyManifests(client, [makeDefinition(owner)], { fieldManager: 'test', signal });
}

const pathOf = (name: string) => `/apis/${API_VERSION}/namespaces/${namespace}/${PLURAL}/${name}`;
const object = z.looseObject({
  metadata: z.looseObject({
    managedFields: z.array(
      z.looseObject({ manager: z.string(), fieldsV1: z.record(z.string(), z.unknown()) }),
    ),
  }),
  spec: z.record(z.string(), z.unknown()),
});

/** Server-side apply, as `kubectl apply --server-side` does. */
async function apply(fieldManager: string, name: string, spec: Json) {
  const body = { apiVersion: API_VERSION, kind: KIND, metadata: { name, namespace }, spec };
  const contentType = 'application/apply-patch+yaml';
  const query = { fieldManager };
  return object.parse(
    await client.request({ method: 'PATCH', path: pathOf(name), query, contentType, body }),
  );
}

async function patch(name: string, subresource: '' | '/status', body: JsonMap) {
  const contentType = 'application/merge-patch+json';
  const query = { fieldManager: `test${subresource}` };
  return object.parse(
    await client.request({ method: 'PATCH', path: pathOf(name) + subresource, query, contentType, body }),
  );
}

/** What each owner of some of it owns, as JSON. */
function ownersOf({ metadata }: z.infer<typeof object>, part: 'f:spec' | 'f:status'): string[] {
  return metadata.managedFields.flatMap(({ fieldsV1 }) =>
    part in fieldsV1 ? [JSON.stringify(fieldsV1[part])] : [],
  );
}

describe('PhaseRuns from before their spec and status had one owner each', () => {
  const names = ['applied', 'archived', 'contested'] as const;

  beforeAll(async () => {
    await install('of each field');
    for (const name of names) {
      await apply('ci', name, makeSpec());
      await patch(name, '/status', { status: { observedGeneration: 1, summary: { redGreen: 'proven' } } });
    }
    await install('one');
    // For a moment more the server goes by the definition that it had.
    const isInForce = async () => ownersOf(await apply('ci', 'probe', makeSpec()), 'f:spec').includes('{}');
    await vi.waitUntil(isInForce, { timeout: 30_000, interval: 200 });
  });

  test('are applied again by whoever applied them', async () => {
    const spec = makeSpec({ ttlSecondsAfterArchived: 600 });
    const written = await apply('ci', 'applied', spec);
    expect(written.spec).toEqual(spec);
    expect(ownersOf(written, 'f:spec')).toEqual(['{}']);
  });

  test('get their status', async () => {
    const status = { observedGeneration: 2, summary: { redGreen: 'inverted' } };
    const written = await patch('archived', '/status', { status });
    expect(written['status']).toEqual(status);
    expect(ownersOf(written, 'f:status')).toEqual(['{}']);
  });

  test('are not taken from whoever applied them, but by force or by an edit', async () => {
    const spec = makeSpec({ ttlSecondsAfterArchived: 60 });
    await expect(apply('somebody-else', 'contested', spec)).rejects.toMatchObject({ status: 409 });
    const edited = await patch('contested', '', { spec: { ttlSecondsAfterArchived: 60 } });
    expect(edited.spec).toEqual(spec);
    await expect(apply('ci', 'contested', makeSpec())).rejects.toMatchObject({ status: 409 });
  });
});
