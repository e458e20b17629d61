/**
 * Writes every generated file of the repository from its source; with --check it writes nothing, names
 * those that differ, and fails.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chartFiles } from './generate/chart.ts';
import { crd } from './generate/crd.ts';
import { dashboards } from './generate/dashboards.ts';
import type { GeneratedFile } from './generate/generated-file.ts';
import { installManifest } from './generate/install-manifest.ts';
import { metricFamilies } from './generate/metric-families.ts';
import { metricsDocs } from './generate/metrics-docs.ts';
import { openapi } from './generate/openapi.ts';
import { policies } from './generate/policies.ts';
import { prometheusRule, rules } from './generate/prometheus-rules.ts';
import { findSampleProblems } from './generate/samples.ts';
import { schemaDocs } from './generate/schema-docs.ts';
import { hasChartTools } from './helm.ts';

const FILES: readonly GeneratedFile[] = [
  crd,
  policies,
  schemaDocs,
  openapi,
  metricFamilies,
  metricsDocs,
  rules,
  prometheusRule,
  ...dashboards,
  ...chartFiles,
  ...(hasChartTools ? [installManifest] : []),
];
if (!hasChartTools)
  process.stderr.write(`${installManifest.path} is left alone: run hack/chart-tools to have Helm\n`);

const check = process.argv.includes('--check');
for (const { path, make } of FILES) {
  const content = await make();
  const absolute = fileURLToPath(new URL(`../${path}`, import.meta.url));
  const current = existsSync(absolute) ? readFileSync(absolute, 'utf8') : undefined;
  if (current === content) continue;
  if (check) {
    process.exitCode = 1;
    process.stderr.write(`${path} is not what its source makes: run \`npm run generate\`\n`);
    continue;
  }
  mkdirSync(dirname(absolute), { recursive: true });
  writeFileSync(absolute, content);
  process.stdout.write(`wrote ${path}\n`);
}

for (const problem of findSampleProblems()) {
  process.exitCode = 1;
  process.stderr.write(`${problem}\n`);
}
