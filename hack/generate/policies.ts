import { makePolicies } from '../../src/resources/policies.ts';
import { type GeneratedFile, toManifest } from './generated-file.ts';

/** The admission policies that guard PhaseRuns. */
export const policies: GeneratedFile = {
  path: 'manifests/policies.yaml',
  make: () => toManifest('src/resources/policies.ts', makePolicies()),
};
