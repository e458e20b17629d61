import { randomBytes } from 'node:crypto';
import { createKubeClient, type KubeClient } from '../../../src/kube/client.ts';
import { KubeError } from '../../../src/kube/kube-error.ts';
import { API_VERSION, KIND } from '../../../src/resources/phase-run.ts';
import { runLogger } from '../../fixtures/run-log/of-test.ts';

/** Anything that may stand in JSON; near misses are wrong on purpose. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonMap = { [key: string]: Json };

export function connect(kubeconfigPath: string): KubeClient {
  return createKubeClient({ kind: 'kubeconfig', path: kubeconfigPath }, { logger: runLogger('client') });
}

/** A validation that is accepted, with some of its spec replaced; undefined removes a field. */
export function makeSpec(changes: { [field: string]: Json | undefined } = {}): JsonMap {
  return withChanges(
    {
      phase: 'validation',
      forge: 'github',
      repo: 'acme/nodegoat',
      issueNumber: 1204,
      commitSha: '7776c71',
      result: { status: 'completed' },
    },
    changes,
  );
}

/** Replaces members; undefined removes one. */
export function withChanges(object: JsonMap, changes: { [field: string]: Json | undefined }): JsonMap {
  return JSON.parse(JSON.stringify({ ...object, ...changes }));
}

export function makePhaseRun(namespace: string, spec: Json): JsonMap {
  const name = `run-${randomBytes(6).toString('hex')}`;
  return { apiVersion: API_VERSION, kind: KIND, metadata: { name, namespace }, spec };
}

export function pathOf(namespace: string, name = ''): string {
  return `/apis/${API_VERSION}/namespaces/${namespace}/phaseruns${name && `/${name}`}`;
}

/** Undefined when the call succeeds, else what the server said; anything but a refusal is thrown. */
export async function refusalOf(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (error instanceof KubeError && [400, 403, 422].includes(error.status)) return error.message;
    throw error;
  }
}
