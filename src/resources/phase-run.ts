import { z } from 'zod';
import { phaseRunSpec } from './phase-run-spec.ts';
import type { phaseRunStatus } from './phase-run-status.ts';

export { GZIP_LIMIT } from './phase-run-spec.ts';

export const GROUP = 'phases.rsolv.dev';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;
export const KIND = 'PhaseRun';
export const PLURAL = 'phaseruns';

/** Where PhaseRuns live in the API. */
export const PHASE_RUNS = {
  group: GROUP,
  version: VERSION,
  kind: KIND,
  plural: PLURAL,
  namespaced: true,
} as const;

/**
 * Most bytes of canonical JSON that `spec.result.data` may hold. The API server cannot measure it, so the
 * reconciler rejects what is larger.
 */
export const INLINE_DATA_LIMIT_BYTES = 16_384;

/** A PhaseRun as people write it. Metadata is the API server's to judge. */
export const phaseRunManifest = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal(KIND),
  metadata: z.looseObject({ name: z.string() }),
  spec: phaseRunSpec,
});

export type PhaseRunSpec = z.output<typeof phaseRunSpec>;
export type PhaseRunStatus = z.output<typeof phaseRunStatus>;

/** What of metav1.ObjectMeta this program reads, on an object that the API server has answered. */
export interface PhaseRunMetadata {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  /** RFC 3339. */
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly managedFields?: readonly unknown[];
}

/** A PhaseRun as the API server answers it. */
export interface PhaseRun {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: typeof KIND;
  readonly metadata: PhaseRunMetadata;
  readonly spec: PhaseRunSpec;
  readonly status?: PhaseRunStatus;
}

/** A PhaseRun as it is sent to be created. */
export interface NewPhaseRun {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: typeof KIND;
  readonly metadata: Pick<PhaseRunMetadata, 'name' | 'namespace' | 'labels' | 'annotations'>;
  readonly spec: z.input<typeof phaseRunSpec>;
}
