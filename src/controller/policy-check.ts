import { z } from 'zod';
import type { KubeClient } from '../kube/client.ts';
import { hasStatus } from '../kube/kube-error.ts';
import { POLICY_NAMES } from '../resources/policies.ts';

const COLLECTION = '/apis/admissionregistration.k8s.io/v1';

const policy = z.object({ spec: z.object({ failurePolicy: z.string() }) });
const binding = z.object({
  spec: z.object({ policyName: z.string(), validationActions: z.array(z.string()) }),
});

/**
 * Asks which of the admission policies that guard PhaseRuns are in force: there, failing closed, and bound to deny.
 * Without them a result can be deleted before it is a row, or claim to be another customer's.
 * @returns for each policy, by name, whether it is
 */
export async function checkPolicies(
  client: Pick<KubeClient, 'request'>,
): Promise<ReadonlyMap<string, boolean>> {
  const names = Object.values(POLICY_NAMES);
  const checked = await Promise.all(
    names.map(async (name) => [name, await isInForce(client, name)] as const),
  );
  return new Map(checked);
}

async function isInForce(client: Pick<KubeClient, 'request'>, name: string): Promise<boolean> {
  const [found, bound] = await Promise.all([
    find(client, `${COLLECTION}/validatingadmissionpolicies/${name}`),
    find(client, `${COLLECTION}/validatingadmissionpolicybindings/${name}`),
  ]);
  const { success: hasPolicy, data } = policy.safeParse(found);
  const { success: hasBinding, data: bindingData } = binding.safeParse(bound);
  if (!hasPolicy || !hasBinding) return false;
  const { policyName, validationActions } = bindingData.spec;
  return data.spec.failurePolicy === 'Fail' && policyName === name && validationActions.includes('Deny');
}

async function find(client: Pick<KubeClient, 'request'>, path: string): Promise<unknown> {
  try {
    return await client.request({ method: 'GET', path });
  } catch (error) {
    if (hasStatus(error, 404)) return undefined;
    throw error;
  }
}
