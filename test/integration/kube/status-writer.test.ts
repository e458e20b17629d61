import { expect, inject, test } from 'vitest';
import { applyManifests } from '../../../src/kube/apply.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import { createKubeResource } from '../../../src/kube/resource.ts';
import { parseManifests } from '../../../src/kube/manifest.ts';
import { writeStatus } from '../../../src/kube/status-writer.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { testClient } from './test-client.ts';

const CRD = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: lamps.status.example.com }
spec:
  group: status.example.com
  scope: Namespaced
  names: { kind: Lamp, plural: lamps, singular: lamp }
  versions:
    - name: v1
      served: true
      storage: true
      subresources: { status: {} }
      schema:
        openAPIV3Schema:
          type: object
          properties:
            status:
              type: object
              properties:
                lit: { type: boolean }
                colour: { type: string }
                hours:
                  type: array
                  items: { type: integer }
`;

interface LampStatus {
  readonly lit?: boolean;
  readonly colour?: string;
  readonly hours?: readonly number[];
}

interface Lamp extends KubeObject {
  readonly status?: LampStatus;
}

const calls: string[] = [];
const client = testClient(inject('kubeconfigPath'), {
  onRequest: (verb, code) => calls.push(`${verb} ${code}`),
});
const signal = AbortSignal.timeout(30_000);
await applyManifests(client, parseManifests(CRD), { fieldManager: 'test', signal });
const namespace = await freshNamespace();
const lamps = client.resource<Lamp>({
  group: 'status.example.com',
  version: 'v1',
  kind: 'Lamp',
  plural: 'lamps',
  namespaced: true,
});

async function makeLamp(name: string, status?: LampStatus): Promise<Lamp> {
  const lamp = await lamps.create({ metadata: { namespace, name } });
  if (status !== undefined) await writeStatus(lamps, lamp, status);
  calls.splice(0);
  return lamps.get({ namespace, name });
}

test.each([
  { name: 'first', before: undefined, next: { lit: true, hours: [1, 2] } },
  { name: 'changed', before: { lit: true, hours: [1, 2] }, next: { lit: false, hours: [2] } },
  { name: 'less', before: { lit: true, colour: 'red' }, next: { lit: true } },
])('a status is written in one request: $name', async ({ name, before, next }) => {
  const lamp = await makeLamp(name, before);
  calls.splice(0);
  expect(await writeStatus(lamps, lamp, next)).toBe('written');
  expect(calls).toEqual(['patch 200']);
  expect((await lamps.get({ namespace, name })).status).toEqual(next);
});

test('the object is not answered, only its metadata', async () => {
  const lamp = await makeLamp('silent');
  const answers: unknown[] = [];
  const listening = createKubeResource<Lamp>(
    {
      request: async (request) => {
        const answer = await client.request(request);
        answers.push(answer);
        return answer;
      },
      stream: (request) => client.stream(request),
    },
    lamps.definition,
  );
  expect(await writeStatus(listening, lamp, { lit: true })).toBe('written');
  const metadata = expect.objectContaining({ name: 'silent' });
  expect(answers).toEqual([{ apiVersion: 'meta.k8s.io/v1', kind: 'PartialObjectMetadata', metadata }]);
});

test('an equal status is not written', async () => {
  const lamp = await makeLamp('equal', { lit: true, hours: [1] });
  calls.splice(0);
  expect(await writeStatus(lamps, lamp, { hours: [1], lit: true })).toBe('unchanged');
  expect(calls).toEqual([]);
  expect(await lamps.get({ namespace, name: 'equal' })).toEqual(lamp);
});

test('an object that has moved on is left as it is', async () => {
  const lamp = await makeLamp('moved', { colour: 'red' });
  await lamps.mergePatch({ namespace, name: 'moved' }, { metadata: { labels: { a: 'b' } } });
  expect(await writeStatus(lamps, lamp, { colour: 'blue' })).toBe('conflict');
  expect((await lamps.get({ namespace, name: 'moved' })).status).toEqual({ colour: 'red' });
});

test('an object that was deleted is gone, also when another has its name', async () => {
  const lamp = await makeLamp('gone');
  await lamps.delete({ namespace, name: 'gone' });
  expect(await writeStatus(lamps, lamp, { lit: true })).toBe('gone');
  await makeLamp('gone');
  expect(await writeStatus(lamps, lamp, { lit: true })).toBe('conflict');
});

test('a field that the kind does not have is refused, not dropped', async () => {
  const lamp = await makeLamp('strict');
  const next: object = { bright: true };
  await expect(writeStatus(lamps, lamp, next)).rejects.toMatchObject({ status: 422, reason: 'Invalid' });
});
