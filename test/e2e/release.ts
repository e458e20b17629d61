import { fileURLToPath } from 'node:url';
import { helm, kubectl, tryKubectl } from './commands.ts';

export const RELEASE = 'phaserun';
export const NAMESPACE = 'phaserun-e2e';
export const CHART = fileURLToPath(new URL('../../charts/phaserun', import.meta.url));
export const API_URL = apiUrlIn(NAMESPACE);

/** Where pods find the API. */
export function apiUrlIn(namespace: string): string {
  return `http://${RELEASE}-api.${namespace}`;
}

/** Webhooks to nowhere, which are refused otherwise: what counts is what is in the outbox. */
export const VALUES: readonly string[] = ['--set', 'settings.WEBHOOK_ALLOW_PRIVATE_ADDRESSES=true'];

/** Longer than Helm's own time-out. */
const PATIENT = { timeoutMs: 330_000 };

/** @throws {Error} where the cluster has PhaseRun: what is tried here ends with its removal */
export async function refuseWhereInstalled(): Promise<void> {
  const { ok } = await tryKubectl(['get', 'crd', 'phaseruns.phases.rsolv.dev']);
  if (ok)
    throw new Error(
      'this cluster has PhaseRun already; the e2e removes it at the end, and so wants one without',
    );
}

/** The strictest pod security that there is. */
export async function makeNamespace(name = NAMESPACE): Promise<void> {
  await kubectl(['create', 'namespace', name]);
  await kubectl(['label', 'namespace', name, 'pod-security.kubernetes.io/enforce=restricted']);
}

export function installRelease(chart = CHART, values: readonly string[] = []): Promise<string> {
  return helm(['install', RELEASE, chart, '-n', NAMESPACE, '--timeout', '5m', ...VALUES, ...values], PATIENT);
}

/** Waits until its pods are those of the new version, ready. */
export async function upgradeRelease(args: readonly string[] = [], chart = CHART): Promise<void> {
  await helm(
    ['upgrade', RELEASE, chart, '-n', NAMESPACE, '--wait', '--timeout', '5m', ...VALUES, ...args],
    PATIENT,
  );
  await untilRolledOut();
}

export async function rollBackRelease(): Promise<void> {
  await helm(['rollback', RELEASE, '-n', NAMESPACE, '--wait', '--timeout', '5m'], PATIENT);
  await untilRolledOut();
}

export async function uninstallRelease(): Promise<void> {
  await helm(['uninstall', RELEASE, '-n', NAMESPACE, '--wait', '--timeout', '5m'], PATIENT);
}

const WORKLOADS = [
  `statefulset/${RELEASE}-postgres`,
  `statefulset/${RELEASE}-redis`,
  `deployment/${RELEASE}-api`,
  `deployment/${RELEASE}-controller`,
];

/** Waits until every pod of the release is ready. */
export async function untilRolledOut(namespace = NAMESPACE): Promise<void> {
  for (const workload of WORKLOADS)
    await kubectl(['rollout', 'status', workload, '-n', namespace, '--timeout=180s']);
}

/** `phaserun …` in a pod of the API; answers what it printed as JSON. */
export async function phaserun<T>(args: readonly string[], namespace = NAMESPACE): Promise<T> {
  const program = ['node', '/app/dist/main.js', ...args, '-o', 'json'];
  const output = await kubectl(['exec', '-n', namespace, `deploy/${RELEASE}-api`, '--', ...program]);
  return JSON.parse(output) as T;
}

/** One value, as the database's superuser. */
export async function query(statement: string): Promise<string> {
  const psql = ['psql', '-U', 'postgres', '-d', 'phaserun', '-v', 'ON_ERROR_STOP=1', '-At', '-c', statement];
  const output = await kubectl([
    'exec',
    '-n',
    NAMESPACE,
    `${RELEASE}-postgres-0`,
    '-c',
    'postgres',
    '--',
    ...psql,
  ]);
  return output.trim();
}

export async function databaseUrl(): Promise<string> {
  const name = `${RELEASE}-postgres`;
  const encoded = await kubectl(['get', 'secret', name, '-n', NAMESPACE, '-o', 'jsonpath={.data.password}']);
  const password = Buffer.from(encoded, 'base64').toString();
  return `postgres://phaserun:${password}@${name}.${NAMESPACE}:5432/phaserun`;
}

/** Pods of one component that are not about to go, by name. */
export async function podsOf(component: string): Promise<string[]> {
  const selector = `app.kubernetes.io/instance=${RELEASE},app.kubernetes.io/component=${component}`;
  const names = await kubectl(['get', 'pods', '-n', NAMESPACE, '-l', selector, '-o', 'name']);
  return names.split('\n').filter(Boolean);
}
