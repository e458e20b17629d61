import { afterAll, expect, test } from 'vitest';
import { checkPolicies } from '../../../src/controller/policy-check.ts';
import { createKubeClient } from '../../../src/kube/client.ts';
import { POLICY_NAMES } from '../../../src/resources/policies.ts';
import { ownKubernetes } from '../../fixtures/kubernetes.ts';
import { runLogger } from '../../fixtures/run-log/of-test.ts';

const { kubeconfigPath } = await ownKubernetes();
const client = createKubeClient(
  { kind: 'kubeconfig', path: kubeconfigPath },
  { logger: runLogger('controller') },
);
afterAll(() => client.close());

const COLLECTION = '/apis/admissionregistration.k8s.io/v1';
const { attribution, deletion, crdDeletion } = POLICY_NAMES;
const patch = (path: string, body: object) =>
  client.request({
    method: 'PATCH',
    path: `${COLLECTION}/${path}`,
    contentType: 'application/merge-patch+json',
    body,
  });

test('a policy counts as in force while it is there, fails closed, and is bound to deny', async () => {
  const missing = async () => {
    const checked = await checkPolicies(client);
    return [...checked].filter(([, isInForce]) => !isInForce).map(([name]) => name);
  };
  expect(await missing()).toEqual([]);
  await patch(`validatingadmissionpolicies/${attribution}`, { spec: { failurePolicy: 'Ignore' } });
  expect(await missing()).toEqual([attribution]);
  await patch(`validatingadmissionpolicybindings/${deletion}`, { spec: { validationActions: ['Audit'] } });
  expect(await missing()).toEqual([attribution, deletion]);
  await client.request({
    method: 'DELETE',
    path: `${COLLECTION}/validatingadmissionpolicies/${crdDeletion}`,
  });
  expect(await missing()).toEqual([attribution, deletion, crdDeletion]);
});
