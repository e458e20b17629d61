import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { stringify } from 'yaml';
import { makePhaseRunCrd } from '../../src/resources/crd.ts';
import { makePolicies } from '../../src/resources/policies.ts';
import { dashboards } from './dashboards.ts';
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
  ...dashboards.map(({ path, make }) => ({ path: `${FOLDER}/dashboards/${basename(path)}`, make })),
  { path: `${FOLDER}/public-paths.yaml`, make: makePublicPaths },
];

/** What an Ingress lets through: whatever is documented, and the documentation. `/metrics` is neither. */
function makePublicPaths(): string {
  const document: { readonly paths: object } = JSON.parse(
    readFileSync(new URL('../../docs/openapi.json', import.meta.url), 'utf8'),
  );
  const documented = Object.keys(document.paths).map(
    (path) => /^(\/api\/v1|\/[^/]+)/.exec(path)?.[0] ?? path,
  );
  const paths = [...new Set([...documented, '/docs', '/openapi.json'])].toSorted();
  return `# Generated from docs/openapi.json by \`npm run generate\`: change it there.\n${stringify(paths)}`;
}

/** Helm leaves it in the cluster when the release goes, or a later one has it no more. */
function keep<T extends { readonly metadata: object }>(object: T): T {
  return { ...object, metadata: { ...object.metadata, annotations: { 'helm.sh/resource-policy': 'keep' } } };
}
