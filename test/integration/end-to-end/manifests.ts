import type { JsonObject } from '../../../src/domain/run.ts';
import { API_VERSION, KIND } from '../../../src/resources/phase-run.ts';
import type { Tenant } from './world.ts';

/** A PhaseRun as somebody writes it into a file. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: JsonObject;
}

interface Changes {
  readonly namespace?: string;
  /** Replaces members of the spec. */
  readonly spec?: JsonObject;
  /** Replaces members of the result. */
  readonly result?: JsonObject;
}

/** A completed validation of issue 1 of the tenant's shop, in the tenant's namespace, but for what is said otherwise. */
export function makeManifest(tenant: Tenant, name: string, changes: Changes = {}): Manifest {
  const { namespace = tenant.namespace, spec, result } = changes;
  return {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: { name, namespace },
    spec: {
      phase: 'validation',
      repo: `${tenant.owner}/shop`,
      issueNumber: 1,
      commitSha: 'c0ffee',
      ...spec,
      result: { status: 'completed', data: { validated: true }, ...result },
    },
  };
}

/** A file of many objects. */
export function listOf(items: readonly Manifest[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}
