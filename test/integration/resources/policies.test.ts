import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { z } from 'zod';
import type { KubeClient } from '../../../src/kube/client.ts';
import { API_KEY_ID_ANNOTATION, SLOT_LABEL } from '../../../src/resources/annotations.ts';
import { CRD_NAME } from '../../../src/resources/crd.ts';
import {
  ALLOW_CRD_DELETION_ANNOTATION,
  ATTRIBUTE_VERB,
  DISCARD_ANNOTATION,
  DISCARD_VERB,
  POLICY_NAMES,
} from '../../../src/resources/policies.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { serviceAccountKubeconfig } from '../../fixtures/service-account.ts';
import {
  connect,
  type Json,
  type JsonMap,
  makePhaseRun,
  makeSpec,
  pathOf,
  refusalOf,
} from './phase-run-builder.ts';

const ID = '0190d1c8-5f0a-7c55-9a39-7c1b6f4e2a10';
const OTHER_ID = '0190d1c8-5f0a-7c55-9a39-7c1b6f4e2a11';
const MERGE_PATCH = 'application/merge-patch+json';
const EDIT = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'];

const namespace = await freshNamespace();
const admin = connect(inject('kubeconfigPath'));
const ordinary = await connectAs(EDIT);
const attributing = await connectAs([...EDIT, ATTRIBUTE_VERB]);
const discarding = await connectAs([...EDIT, DISCARD_VERB]);
const wildcard = await connectAs(['*']);
const everythingHere = await connectAs(['*'], 'namespace');
const clients = [admin, ordinary, attributing, discarding, wildcard, everythingHere];

async function connectAs(verbs: string[], scope: 'cluster' | 'namespace' = 'cluster'): Promise<KubeClient> {
  const rules = [{ apiGroups: ['phases.rsolv.dev'], resources: ['phaseruns'], verbs }];
  return connect(await serviceAccountKubeconfig({ namespace, rules, scope }));
}

// The API server learns of roles and policies by watching them; until it has, it lets through or refuses the wrong things.
beforeAll(() => vi.waitUntil(isInForce, { timeout: 30_000, interval: 200 }));

async function isInForce(): Promise<boolean> {
  const attributed = makePhaseRun(namespace, makeSpec({ customerId: ID }));
  const tryToCreate = (client: KubeClient) =>
    refusalOf(
      client.request({ method: 'POST', path: pathOf(namespace), query: { dryRun: 'All' }, body: attributed }),
    );
  const plain = await create(admin, makeSpec());
  const refusals = await Promise.all([
    tryToCreate(ordinary),
    remove(ordinary, plain),
    remove(wildcard, plain),
    removeCrd(),
    tryToCreate(attributing),
    remove(discarding, plain),
  ]);
  return (
    refusals.map((refusal) => refusal?.includes('ValidatingAdmissionPolicy') ?? false).join() ===
    'true,true,true,true,false,false'
  );
}

afterAll(() => Promise.all(clients.map((client) => client.close())));

const object = z.looseObject({ metadata: z.looseObject({ name: z.string(), generation: z.number() }) });
type PhaseRun = z.infer<typeof object>;

async function create(client: KubeClient, spec: JsonMap): Promise<PhaseRun> {
  const body = makePhaseRun(namespace, spec);
  return object.parse(await client.request({ method: 'POST', path: pathOf(namespace), body }));
}

async function patch(
  client: KubeClient,
  { metadata }: PhaseRun,
  body: JsonMap,
  subresource = '',
): Promise<string | undefined> {
  const path = pathOf(namespace, metadata.name) + subresource;
  return refusalOf(client.request({ method: 'PATCH', path, contentType: MERGE_PATCH, body }));
}

/** What the server says to a deletion that is tried and not done. */
async function remove(client: KubeClient, { metadata }: PhaseRun): Promise<string | undefined> {
  const path = pathOf(namespace, metadata.name);
  return refusalOf(client.request({ method: 'DELETE', path, query: { dryRun: 'All' } }));
}

const CRD_PATH = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${CRD_NAME}`;

async function removeCrd(): Promise<string | undefined> {
  return refusalOf(admin.request({ method: 'DELETE', path: CRD_PATH, query: { dryRun: 'All' } }));
}

async function setCondition(
  phaseRun: PhaseRun,
  condition: { type: string; status: string; observedGeneration: number },
) {
  const whole = { ...condition, reason: 'Test', message: '', lastTransitionTime: '2026-02-11T09:14:03Z' };
  const refusal = await patch(admin, phaseRun, { status: { conditions: [whole] } }, '/status');
  if (refusal !== undefined) throw new Error(refusal);
}

const dataRef = { sha256: 'a'.repeat(64), sizeBytes: 2 };

describe('attribution', () => {
  const running = { status: 'running' };

  test.each<{ field: string; spec: { [field: string]: Json } }>([
    { field: 'spec.customerId', spec: { customerId: ID } },
    { field: 'spec.runId', spec: { runId: ID } },
    { field: 'spec.order', spec: { order: 1024 } },
    { field: 'spec.result.dataRef', spec: { result: { status: 'completed', dataRef } } },
    { field: 'spec.result.order', spec: { result: { status: 'completed', order: 1024 } } },
    { field: 'spec.customerId, spec.runId, spec.order', spec: { customerId: ID, runId: ID, order: 1024 } },
  ])('$field is for those granted the verb to say', async ({ field, spec }) => {
    const body = makePhaseRun(namespace, makeSpec(spec));
    const refusal = await refusalOf(ordinary.request({ method: 'POST', path: pathOf(namespace), body }));
    expect(refusal).toContain(`says by ${field} whose run it is`);
    expect(refusal).toContain('granted the verb "attribute"');
    await expect(create(attributing, makeSpec(spec))).resolves.toBeDefined();
  });

  test('whoever may do everything in one namespace speaks for no customer', async () => {
    await expect(create(everythingHere, makeSpec())).resolves.toBeDefined();
    const body = makePhaseRun(namespace, makeSpec({ customerId: ID }));
    const creating = everythingHere.request({ method: 'POST', path: pathOf(namespace), body });
    expect(await refusalOf(creating)).toContain('by a ClusterRoleBinding');
  });

  const whole = { customerId: ID, runId: ID, order: 1024, result: { ...running, dataRef, order: 1024 } };

  test.each<{ name: string; spec: JsonMap }>([
    { name: 'customerId changed', spec: { customerId: OTHER_ID } },
    { name: 'customerId removed', spec: { customerId: null } },
    { name: 'dataRef changed', spec: { result: { dataRef: { sizeBytes: 3 } } } },
    { name: 'dataRef removed', spec: { result: { dataRef: null } } },
    { name: "the result's order changed", spec: { result: { order: 2048 } } },
    { name: "the result's order removed", spec: { result: { order: null } } },
  ])('$name', async ({ spec }) => {
    const phaseRun = await create(attributing, makeSpec(whole));
    expect(await patch(ordinary, phaseRun, { spec })).toContain(POLICY_NAMES.attribution);
    expect(await patch(attributing, phaseRun, { spec })).toBeUndefined();
  });

  test.each<{ name: string; metadata: (value: string | null) => JsonMap }>([
    {
      name: API_KEY_ID_ANNOTATION,
      metadata: (value) => ({ annotations: { [API_KEY_ID_ANNOTATION]: value } }),
    },
    { name: SLOT_LABEL, metadata: (value) => ({ labels: { [SLOT_LABEL]: value } }) },
  ])('$name, added, changed or removed', async ({ name, metadata }) => {
    const phaseRun = await create(ordinary, makeSpec());
    const write = (client: KubeClient, value: string | null) =>
      patch(client, phaseRun, { metadata: metadata(value) });
    expect(await write(ordinary, 'forged')).toContain(`says by ${name} whose run it is`);
    expect(await write(attributing, 'true')).toBeUndefined();
    expect(await write(ordinary, 'forged')).toContain(POLICY_NAMES.attribution);
    expect(await write(ordinary, null)).toContain(POLICY_NAMES.attribution);
  });

  test('an update that leaves the fields as they are is for anybody', async () => {
    const phaseRun = await create(attributing, makeSpec(whole));
    const body = {
      metadata: { labels: { team: 'red' } },
      spec: { branch: 'main', result: { status: 'failed' } },
    };
    expect(await patch(ordinary, phaseRun, body)).toBeUndefined();
  });

  test('an ordinary run is for anybody', async () => {
    const phaseRun = await create(ordinary, makeSpec({ result: { status: 'running', data: { a: 1 } } }));
    expect(await patch(ordinary, phaseRun, { spec: { result: { status: 'completed' } } })).toBeUndefined();
  });

  test('the status is for nobody who is not granted it', async () => {
    const phaseRun = await create(ordinary, makeSpec());
    const forged = {
      type: 'Archived',
      status: 'True',
      observedGeneration: 1,
      reason: 'X',
      message: '',
      lastTransitionTime: '2026-02-11T09:14:03Z',
    };
    expect(await patch(ordinary, phaseRun, { status: { conditions: [forged] } }, '/status')).toContain(
      'forbidden',
    );
    expect(await patch(ordinary, phaseRun, { status: { conditions: [forged] } })).toBeUndefined();
    expect(await remove(ordinary, phaseRun)).toContain(POLICY_NAMES.deletion);
  });
});

describe('deletion', () => {
  test.each<{ name: string; condition?: { type: string; status: string }; edited?: boolean; want: boolean }>([
    { name: 'before the controller has seen it', want: false },
    { name: 'once archived', condition: { type: 'Archived', status: 'True' }, want: true },
    {
      name: 'once archived, and edited since',
      condition: { type: 'Archived', status: 'True' },
      edited: true,
      want: false,
    },
    { name: 'not archived', condition: { type: 'Archived', status: 'False' }, want: false },
    { name: 'perhaps archived', condition: { type: 'Archived', status: 'Unknown' }, want: false },
    { name: 'once rejected', condition: { type: 'Accepted', status: 'False' }, want: true },
    {
      name: 'once rejected, and mended since',
      condition: { type: 'Accepted', status: 'False' },
      edited: true,
      want: false,
    },
    { name: 'once accepted', condition: { type: 'Accepted', status: 'True' }, want: false },
    {
      name: 'once its session advanced',
      condition: { type: 'SessionAdvanced', status: 'True' },
      want: false,
    },
  ])('$name', async ({ condition, edited, want }) => {
    const phaseRun = await create(ordinary, makeSpec());
    const { generation } = phaseRun.metadata;
    if (condition) await setCondition(phaseRun, { ...condition, observedGeneration: generation });
    if (edited) await patch(ordinary, phaseRun, { spec: { ttlSecondsAfterArchived: 60 } });
    for (const client of [ordinary, admin]) {
      expect((await remove(client, phaseRun)) ?? 'accepted').toContain(
        want ? 'accepted' : POLICY_NAMES.deletion,
      );
    }
  });

  test('a refusal says of what, why, and what to do', async () => {
    const phaseRun = await create(ordinary, makeSpec());
    const { name } = phaseRun.metadata;
    const refusal = await remove(admin, phaseRun);
    expect(refusal).toContain(
      `PhaseRun ${namespace}/${name} is not archived at its current generation, so deleting it would lose its result`,
    );
    expect(refusal).toContain(`kubectl wait --for=condition=Archived phaserun/${name} -n ${namespace}`);
  });

  test('an archived run goes at once', async () => {
    const phaseRun = await create(ordinary, makeSpec());
    await setCondition(phaseRun, { type: 'Archived', status: 'True', observedGeneration: 1 });
    const path = pathOf(namespace, phaseRun.metadata.name);
    await ordinary.request({ method: 'DELETE', path });
    await expect(ordinary.request({ method: 'GET', path })).rejects.toMatchObject({ status: 404 });
  });

  test('a collection is guarded as each of its members is', async () => {
    const phaseRun = await create(ordinary, makeSpec());
    const query = { fieldSelector: `metadata.name=${phaseRun.metadata.name}`, dryRun: 'All' };
    const refusal = await refusalOf(ordinary.request({ method: 'DELETE', path: pathOf(namespace), query }));
    expect(refusal).toContain(phaseRun.metadata.name);
    expect(refusal).toContain(POLICY_NAMES.deletion);
  });

  test('who holds the discard verb by name may', async () => {
    const phaseRun = await create(ordinary, makeSpec());
    expect(await remove(attributing, phaseRun)).toContain(POLICY_NAMES.deletion);
    expect(await remove(discarding, phaseRun)).toBeUndefined();
  });

  test('who holds it by a wildcard has to say that it is meant', async () => {
    const phaseRun = await create(ordinary, makeSpec());
    expect(await remove(wildcard, phaseRun)).toContain(`annotates it ${DISCARD_ANNOTATION}=true`);
    await patch(admin, phaseRun, { metadata: { annotations: { [DISCARD_ANNOTATION]: 'true' } } });
    expect(await remove(wildcard, phaseRun)).toBeUndefined();
    expect(await remove(admin, phaseRun)).toBeUndefined();
  });

  test('saying so is not enough', async () => {
    const phaseRun = await create(ordinary, makeSpec());
    await patch(ordinary, phaseRun, { metadata: { annotations: { [DISCARD_ANNOTATION]: 'true' } } });
    expect(await remove(ordinary, phaseRun)).toContain(POLICY_NAMES.deletion);
  });
});

describe('deletion of the CRD', () => {
  const annotate = (value: string | null) =>
    admin.request({
      method: 'PATCH',
      path: CRD_PATH,
      contentType: MERGE_PATCH,
      body: { metadata: { annotations: { [ALLOW_CRD_DELETION_ANNOTATION]: value } } },
    });

  test('is refused, alone and with all others', async () => {
    expect(await removeCrd()).toContain('deletes every PhaseRun of the cluster');
    const path = CRD_PATH.slice(0, CRD_PATH.lastIndexOf('/'));
    const all = await refusalOf(admin.request({ method: 'DELETE', path, query: { dryRun: 'All' } }));
    expect(all).toContain(POLICY_NAMES.crdDeletion);
  });

  test('passes once the CRD says that it is meant', async () => {
    try {
      await annotate('false');
      expect(await removeCrd()).toContain(ALLOW_CRD_DELETION_ANNOTATION);
      await annotate('true');
      expect(await removeCrd()).toBeUndefined();
    } finally {
      await annotate(null);
    }
  });
});
