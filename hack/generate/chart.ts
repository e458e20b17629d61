import { makePhaseRunCrd } from '../../src/resources/crd.ts';
import { makePolicies } from '../../src/resources/policies.ts';
import { type GeneratedFile, toManifest } from './generated-file.ts';
import { rules } from './prometheus-rules.ts';

const FOLDER = 'charts/phaserun/files';

/** What the chart has of the sources. Its templates take it as it is. */
export const chartFiles: readonly GeneratedFile[] = [
  {
    path: `${FOLDER}/crd.yaml`,
    make: () => toManifest('src/resources/phase-run-spec.ts and its neighbours', [keep(makePhaseRunCrd())]),
  },
  {
    path: `${FOLDER}/policies.yaml`,
    make: () => toManifest('src/resources/policies.ts', makePolicies().map(keep)),
  },
  { path: `${FOLDER}/rules.yaml`, make: rules.make },
];

/** Helm leaves it in the cluster when the release goes, or a later one has it no more. */
function keep<T extends { readonly metadata: object }>(object: T): T {
  return { ...object, metadata: { ...object.metadata, annotations: { 'helm.sh/resource-policy': 'keep' } } };
}
