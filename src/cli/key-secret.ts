import type { KubeClient } from '../kube/client.ts';
import { hasStatus } from '../kube/kube-error.ts';
import type { KubeObject, ObjectName } from '../kube/kube-object.ts';
import { CommandFailure } from './failure.ts';
import type { KeyHolder } from './tenant-key.ts';

interface Secret extends KubeObject {
  /** Base64. */
  readonly data?: Readonly<Record<string, string>>;
}

const SECRETS = { group: '', version: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true } as const;

/**
 * A Kubernetes Secret that holds a key as `api-key`, and beside it the address it is for as `api-url`; what else is in it
 * stays. It is made when there is none. A Secret that somebody changes between read and write is left as it is: 409.
 */
export function createKeySecret(client: KubeClient, target: Required<ObjectName>, apiUrl: string): KeyHolder {
  const secrets = client.resource<Secret>(SECRETS);
  let found: Secret | undefined;
  return {
    async read() {
      found = await secrets.get(target).catch((error: unknown) => {
        if (hasStatus(error, 404)) return undefined;
        throw error;
      });
      const apiKey = found?.data?.['api-key'];
      return apiKey === undefined ? undefined : Buffer.from(apiKey, 'base64').toString();
    },
    async write(apiKey) {
      const data = { 'api-key': toBase64(apiKey), 'api-url': toBase64(apiUrl) };
      if (found) {
        const { resourceVersion } = found.metadata;
        await secrets.mergePatch(target, { metadata: { resourceVersion }, data });
        return;
      }
      const labels = { 'app.kubernetes.io/managed-by': 'phaserun' };
      await secrets
        .create({ metadata: { ...target, labels }, type: 'Opaque', data })
        .catch((error: unknown) => {
          if (!hasStatus(error, 404)) throw error;
          throw new CommandFailure(`there is no Kubernetes namespace ${target.namespace}`, {
            advice: `Create it with: kubectl create namespace ${target.namespace}`,
          });
        });
    },
  };
}

function toBase64(text: string): string {
  return Buffer.from(text).toString('base64');
}
