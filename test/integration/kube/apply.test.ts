import { describe, expect, test } from 'vitest';
import { applyManifests } from '../../../src/kube/apply.ts';
import { type Manifest, parseManifests } from '../../../src/kube/manifest.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { CONFIG_MAPS, type ConfigMap, testClient } from './test-client.ts';

const client = testClient();

const apply = (manifests: readonly Manifest[], namespace = 'default', patience = 30_000) =>
  applyManifests(client, manifests, {
    fieldManager: 'test',
    namespace,
    signal: AbortSignal.timeout(patience),
  });

const get = (path: string) => client.request({ method: 'GET', path });

/** A kind of its own, one of its objects before it, and the namespace of that after both. */
const makeKind = (plural: string, namespace: string) => `
apiVersion: apply.example.com/v1
kind: ${plural}
metadata: { name: first, namespace: ${namespace} }
spec: { anything: { goes: [1, two] } }
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: ${plural}.apply.example.com }
spec:
  group: apply.example.com
  scope: Namespaced
  names: { kind: ${plural}, plural: ${plural}, singular: ${plural} }
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          x-kubernetes-validations: [{ rule: 'self.metadata.name != "bad"' }]
          properties:
            spec: { type: object, x-kubernetes-preserve-unknown-fields: true }
---
apiVersion: v1
kind: Namespace
metadata: { name: ${namespace} }
`;

describe('applying', () => {
  test('takes namespaces and kinds first, waits until a kind is served, and keeps every member of a CRD', async () => {
    for (const plural of ['anvils', 'bellows', 'chisels']) {
      await apply(parseManifests(makeKind(plural, `apply-${plural}`)));
      const path = `/apis/apply.example.com/v1/namespaces/apply-${plural}/${plural}/first`;
      expect(await get(path)).toMatchObject({ spec: { anything: { goes: [1, 'two'] } } });
      expect(
        await get(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${plural}.apply.example.com`),
      ).toMatchObject({
        spec: {
          versions: [
            {
              schema: {
                openAPIV3Schema: {
                  'x-kubernetes-validations': [{ rule: 'self.metadata.name != "bad"' }],
                  properties: { spec: { 'x-kubernetes-preserve-unknown-fields': true } },
                },
              },
            },
          ],
        },
      });
    }
  });

  test('again changes nothing', async () => {
    const manifests = parseManifests(makeKind('drills', 'apply-drills'));
    await apply(manifests);
    const before = await get('/apis/apply.example.com/v1/namespaces/apply-drills/drills/first');
    await apply(manifests);
    expect(await get('/apis/apply.example.com/v1/namespaces/apply-drills/drills/first')).toEqual(before);
  });

  test('puts objects that name no namespace into the given one, and takes over what others own', async () => {
    const namespace = await freshNamespace();
    const configMaps = client.resource<ConfigMap>(CONFIG_MAPS);
    await configMaps.create({ metadata: { namespace, name: 'owned' }, data: { a: 'theirs', b: 'theirs' } });
    await apply(
      parseManifests('apiVersion: v1\nkind: ConfigMap\nmetadata: { name: owned }\ndata: { a: ours }'),
      namespace,
    );
    expect((await configMaps.get({ namespace, name: 'owned' })).data).toEqual({ a: 'ours', b: 'theirs' });
  });
});

describe('what is not applied', () => {
  test.each([
    {
      name: 'an unknown field',
      yaml: 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndta: {}',
      want: { name: 'KubeError', message: expect.stringContaining('dta') },
    },
    {
      name: 'a kind that nobody serves',
      yaml: 'apiVersion: nobody.example.com/v1\nkind: Nothing\nmetadata: { name: a }',
      want: { message: 'the API server does not serve nobody.example.com/v1 Nothing' },
    },
  ])('$name', async ({ yaml, want }) => {
    await expect(apply(parseManifests(yaml), 'default', 500)).rejects.toMatchObject(want);
  });
});
