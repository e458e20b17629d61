import { DISCREPANCY_KINDS } from '../../src/controller/doctor/discrepancy.ts';
import { REJECTION_REASONS } from '../../src/resources/conditions.ts';
import { POLICY_NAMES } from '../../src/resources/policies.ts';
import { RETENTION_KINDS } from '../../src/telemetry/families/retention.ts';
import type { MetricFamily } from '../../src/telemetry/metric-family.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import type { GeneratedFile } from './generated-file.ts';

/** docs/metrics.md, from the declarations. */
export const metricsDocs: GeneratedFile = {
  path: 'docs/metrics.md',
  async make() {
    const families = await createMetrics({ defaultMetrics: true }).families();
    const sections = SECTIONS.map(({ title, prefixes }) => {
      const own = families.filter(({ name }) => prefixes.some((prefix) => name.startsWith(prefix)));
      const rows = own.toSorted((a, b) => a.name.localeCompare(b.name)).map(describe);
      return [`## ${title}`, [HEAD, ...rows].join('\n')].join('\n\n');
    });
    const count = families.filter(({ name }) => PREFIXES.some((prefix) => name.startsWith(prefix))).length;
    if (count !== families.length) throw new Error('a metric belongs to no section of docs/metrics.md');
    return `${[INTRODUCTION, ...sections].join('\n\n')}\n`;
  },
};

const INTRODUCTION = `# Metrics

Generated from \`src/telemetry/families\` by \`npm run generate\`; do not edit.

At \`GET /metrics\` of the API (\`PORT\`) and of the controller (\`METRICS_PORT\`), without credentials, unless
\`ENABLE_PROMETHEUS_METRICS=false\`. Both declare every metric; what a process does not do stays at 0 or has no series.
\`/metrics\` names repositories of all customers: leave it out of what the internet can reach.

Values in \`code\` are a closed set. Where all labels have one the series exist at 0 from the start. The alerts on them are in
[rules.yaml](../manifests/prometheus/rules.yaml), and what to do about each in [runbooks](runbooks).`;

const SECTIONS = [
  { title: 'Product', prefixes: ['rsolv_'] },
  { title: 'HTTP', prefixes: ['http_'] },
  { title: 'Machinery', prefixes: ['phaserun_'] },
  {
    title: 'Controller and Kubernetes client',
    prefixes: ['controller_runtime_', 'workqueue_', 'leader_election_', 'rest_client_'],
  },
  { title: 'Process and Node', prefixes: ['process_', 'nodejs_'] },
] as const;
const PREFIXES = SECTIONS.flatMap(({ prefixes }) => prefixes);

const HEAD = '| metric | type | unit | labels | |\n| --- | --- | --- | --- | --- |';

function describe({ name, type, help, labels }: MetricFamily): string {
  const described = Object.entries(labels).map(([label, values]) => {
    const meaning = values.length > 0 ? values.map(code).join(' ') : meaningOf(name, label);
    return `\`${label}\`: ${meaning}`;
  });
  const cells = [`\`${name}\``, type, unitOf(name, type), described.join('; '), help];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function code(value: string): string {
  return `\`${value}\``;
}

const UNITS: Readonly<Record<string, string>> = {
  _timestamp_seconds: 'Unix time',
  _seconds: 's',
  _seconds_total: 's',
  _milliseconds: 'ms',
  _bytes: 'bytes',
};

function unitOf(name: string, type: string): string {
  const [, unit] = Object.entries(UNITS).find(([suffix]) => name.endsWith(suffix)) ?? [];
  return unit ?? (type === 'counter' ? 'count' : '');
}

/** What labels hold whose series come as things happen, where the same name means the same everywhere. */
const LABELS: Readonly<Record<string, string>> = {
  repo: '`namespace/name`, and past 2,000 combinations `other`',
  language: 'of a fixed set, else `other` or `unknown`',
  framework: 'of a fixed set, else `other` or `unknown`',
  method: 'of HTTP',
  route: 'the pattern, as `/api/v1/phases/store`, or `unmatched`',
  query: 'its name in the code',
  resource: 'the plural: `phaseruns` `namespaces`',
  background_job: 'its name in the code, as `seal-audit`',
  controller: '`phaserun`',
  policy: Object.values(POLICY_NAMES).map(code).join(' '),
  table: 'its name',
  verb: 'of HTTP',
  code: 'of HTTP, or `error` where there was no answer',
  version: 'of the program, or of Node',
  node: 'version of Node',
  type: 'as Node names it',
  space: 'as V8 names it',
  major: 'of the version',
  minor: 'of the version',
  patch: 'of the version',
};

/** The others, and where the name means something else. */
const LABELS_OF: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  rsolv_scan_executions_total: { status: '`completed` `failed`' },
  rsolv_scan_vulnerabilities_total: { severity: '`critical` `high` `medium` `low` `info` `unknown`' },
  rsolv_validation_executions_total: { status: '`completed` `failed` `inconclusive`' },
  rsolv_validation_tests_total: { outcome: '`generated` `passed` `failed`' },
  rsolv_mitigation_executions_total: { status: '`completed` `failed` `inconclusive`' },
  rsolv_sessions_open: { state: '`pending` `active`' },
  http_requests_total: { status: 'of HTTP' },
  http_request_duration_milliseconds: { status: 'of HTTP' },
  phaserun_background_job_runs_total: { result: '`success` `error`' },
  phaserun_doctor_discrepancies: { kind: DISCREPANCY_KINDS.map(code).join(' ') },
  phaserun_informer_restarts_total: { reason: 'why the watch ended' },
  phaserun_postgres_pool_connections: { state: '`in_use` `idle` `waiting`' },
  phaserun_rejected_runs_total: { reason: Object.keys(REJECTION_REASONS).map(code).join(' ') },
  phaserun_retention_last_success_timestamp_seconds: { kind: RETENTION_KINDS.map(code).join(' ') },
  controller_runtime_reconcile_total: { result: '`success` `error` `requeue`' },
  workqueue_depth: { name: '`phaserun`' },
  workqueue_adds_total: { name: '`phaserun`' },
  workqueue_retries_total: { name: '`phaserun`' },
  workqueue_queue_duration_seconds: { name: '`phaserun`' },
  workqueue_work_duration_seconds: { name: '`phaserun`' },
  leader_election_master_status: { name: '`phaserun-controller`' },
  nodejs_gc_duration_seconds: { kind: '`major` `minor` `incremental` `weakcb`' },
};

function meaningOf(name: string, label: string): string {
  const meaning = LABELS_OF[name]?.[label] ?? LABELS[label];
  if (meaning === undefined)
    throw new Error(`hack/generate/metrics-docs.ts does not say what ${label} of ${name} holds`);
  return meaning;
}
