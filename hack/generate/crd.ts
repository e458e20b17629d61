import { makePhaseRunCrd } from '../../src/resources/crd.ts';
import { type GeneratedFile, toManifest } from './generated-file.ts';

/** The PhaseRun kind. */
export const crd: GeneratedFile = {
  path: 'crds/phases.rsolv.dev_phaseruns.yaml',
  make: () => toManifest('src/resources/phase-run-spec.ts and its neighbours', [makePhaseRunCrd()]),
};
