import { expect, vi } from 'vitest';
import type { Condition, ConditionType } from '../../../src/resources/conditions.ts';
import type { PhaseRun } from '../../../src/resources/phase-run.ts';
import type { Manifest } from './manifests.ts';
import type { KubectlOptions, KubectlResult, World } from './world.ts';

/** How long what happens by itself is waited for. */
export const SOON = { timeout: 20_000, interval: 50 };

/** PhaseRuns applied by kubectl, and what the controller says of them. */
export interface AppliedRuns {
  readonly apply: (manifest: Manifest, options?: KubectlOptions) => Promise<KubectlResult>;
  /** The object once a condition is as wanted, at its current generation. */
  readonly waitFor: (
    manifest: Manifest,
    type: ConditionType,
    status: Condition['status'],
  ) => Promise<PhaseRun>;
  readonly applyAndArchive: (manifest: Manifest) => Promise<PhaseRun>;
  readonly applyAndReject: (manifest: Manifest) => Promise<RejectedRun>;
}

export interface RejectedRun {
  readonly phaseRun: PhaseRun;
  readonly reason: string;
  readonly message: string;
}

export function appliedRuns(world: World): AppliedRuns {
  const runs: AppliedRuns = {
    apply: (manifest, options) =>
      world.kubectl(['apply', '--server-side', '-f', '-'], { stdin: JSON.stringify(manifest), ...options }),
    waitFor: ({ metadata }, type, status) =>
      vi.waitFor(async () => {
        const phaseRun = await world.phaseRuns.get(metadata);
        const observedGeneration = phaseRun.metadata.generation;
        const wanted = expect.objectContaining({ type, status, observedGeneration });
        expect(phaseRun.status?.conditions).toContainEqual(wanted);
        return phaseRun;
      }, SOON),
    async applyAndArchive(manifest) {
      expect(await runs.apply(manifest)).toMatchObject({ ok: true });
      return runs.waitFor(manifest, 'Archived', 'True');
    },
    async applyAndReject(manifest) {
      expect(await runs.apply(manifest)).toMatchObject({ ok: true });
      const phaseRun = await runs.waitFor(manifest, 'Accepted', 'False');
      const { message = '', reason = '' } = conditionOf(phaseRun, 'Accepted') ?? {};
      return { phaseRun, message, reason };
    },
  };
  return runs;
}

export function conditionOf({ status }: PhaseRun, type: ConditionType): Condition | undefined {
  return status?.conditions?.find((each) => each.type === type);
}
