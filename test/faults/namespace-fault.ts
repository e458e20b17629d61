import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'slonik';
import { z } from 'zod';
import { ensureDevTenant } from '../../src/cli/dev-tenants.ts';
import { CUSTOMER_ID_ANNOTATION } from '../../src/resources/annotations.ts';
import type { Fault, FaultContext } from './fault.ts';
import { patiently, patientlyOnce } from './patience.ts';
import type { World } from './world.ts';

const NAMESPACES = '/api/v1/namespaces';
/** It exists already, or is on its way out. */
const CONFLICT = 409;
const RESULTS = 3;
const ENDS_WITHIN_MS = 60_000;
const ROWS_WITHIN_MS = 60_000;

/** A namespace with results of its own, which is deleted before they are archived. */
export const NAMESPACE_FAULT: Fault = {
  name: 'delete-namespace',
  title: 'a namespace is deleted while its PhaseRuns wait: it waits for them, then ends, and they are rows',
  async run(context) {
    const { world, history } = context;
    const name = `doomed-${randomUUID().slice(0, 8)}`;
    const { customerId, apiKey } = await patiently(() => ensureDevTenant(world.pool, name));
    const metadata = { name, annotations: { [CUSTOMER_ID_ANNOTATION]: customerId } };
    await patientlyOnce(
      () => world.kube.request({ method: 'POST', path: NAMESPACES, body: { metadata } }),
      CONFLICT,
    );
    // Until the replicas have heard of it, they would store elsewhere.
    await sleep(1_000);
    const controllers = world.controllers.map(({ part }) => part);
    let acknowledged: number;
    try {
      for (const part of controllers) await part.freeze();
      acknowledged = await storeSome(context, name, apiKey);
      await patientlyOnce(
        () => world.kube.request({ method: 'DELETE', path: `${NAMESPACES}/${name}` }),
        CONFLICT,
      );
      await clearOut(world, name);
    } finally {
      for (const part of controllers) part.thaw();
    }
    if (!(await ends(world, name)))
      history.violations.push({
        kind: 'namespace',
        message: `${name} did not end within ${ENDS_WITHIN_MS / 1000} s`,
      });
    const rows = await untilRows(world, customerId, acknowledged);
    if (rows !== acknowledged)
      history.violations.push({
        kind: 'lost',
        message: `${acknowledged} results were acknowledged in namespace ${name}, and ${rows} of them are rows after its end`,
      });
    return `${name}, ${acknowledged} results`;
  },
};

/** Those that the inbox took, because another fault had the cluster away, become rows after the namespace has ended. */
async function untilRows({ pool }: World, customerId: string, wanted: number): Promise<number> {
  for (const deadline = Date.now() + ROWS_WITHIN_MS; ; await sleep(500)) {
    const { n } = await patiently(() =>
      pool.one(sql.type(z.object({ n: z.number() }))`
        SELECT count(*) AS n FROM scan_executions WHERE customer_id = ${customerId}
      `),
    );
    if (n >= wanted || Date.now() > deadline) return n;
  }
}

/** @returns how many were acknowledged */
async function storeSome({ world }: FaultContext, name: string, apiKey: string): Promise<number> {
  const storing = Array.from({ length: RESULTS }, async (_, index) => {
    const answer = await fetch(`${world.apiUrls[0]}/api/v1/phases/store`, {
      method: 'POST',
      headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
      body: JSON.stringify({
        phase: 'scan',
        repo: `${name}/app`,
        commitSha: `abc000${index}`,
        data: { index },
      }),
      signal: AbortSignal.timeout(12_000),
    }).catch(() => undefined);
    return answer?.ok === true ? 1 : 0;
  });
  return (await Promise.all(storing)).reduce((sum: number, one) => sum + one, 0);
}

/** What the namespace controller does, which a control plane without a controller manager lacks: whatever may go goes. */
async function clearOut(world: World, name: string): Promise<void> {
  const path = `/apis/phases.rsolv.dev/v1alpha1/namespaces/${name}/phaseruns`;
  await world.kube.request({ method: 'DELETE', path }).catch(() => undefined);
}

async function ends(world: World, name: string): Promise<boolean> {
  const path = `/apis/phases.rsolv.dev/v1alpha1/namespaces/${name}/phaseruns`;
  for (const deadline = Date.now() + ENDS_WITHIN_MS; Date.now() < deadline; await sleep(500)) {
    await clearOut(world, name);
    const left = (await world.kube.request({ method: 'GET', verb: 'list', path }).catch(() => undefined)) as
      | { readonly items: readonly unknown[] }
      | undefined;
    if (left?.items.length !== 0) continue;
    const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name }, spec: { finalizers: [] } };
    return world.kube.request({ method: 'PUT', path: `${NAMESPACES}/${name}/finalize`, body }).then(
      () => true,
      () => false,
    );
  }
  return false;
}
