import { describe, expect, test, vi } from 'vitest';
import { CUSTOMER_ID_ANNOTATION } from '../../../src/resources/annotations.ts';
import type { PhaseRun } from '../../../src/resources/phase-run.ts';
import { addForgeAccount, verifyForgeAccount } from '../../../src/store/forge-accounts.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace, ownKubernetes } from '../../fixtures/kubernetes.ts';
import { serviceAccountKubeconfig } from '../../fixtures/service-account.ts';
import { countRows, listRows } from '../store/rows.ts';
import { appliedRuns, SOON } from './applied-runs.ts';
import { makeManifest } from './manifests.ts';
import { createWorld } from './world.ts';

const { url: databaseUrl } = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const world = await createWorld({ kubeconfigPath, databaseUrl });
const tenant = await world.makeTenant();
const stranger = await world.makeTenant();
await world.startController();
const { apply, applyAndArchive, applyAndReject, waitFor } = appliedRuns(world);

const kubectl = (line: string) => world.kubectl(line.split(' '));
const validationsOf = (customerId: string) => countRows(world.pool, 'validation_executions', customerId);
const findRow = async ({ metadata }: PhaseRun) =>
  (await listRows(world.pool, 'validation', tenant.customerId)).find(({ id }) => id === metadata.uid);

describe('a namespace', () => {
  test('that is not bound stores nothing until it is, and a run stays with its first customer', async () => {
    const namespace = await freshNamespace({ kubeconfigPath });
    const before = await validationsOf(tenant.customerId);
    const run = makeManifest(tenant, 'early', { namespace, spec: { issueNumber: 4 } });
    const { reason, message } = await applyAndReject(run);
    expect(reason).toBe('NamespaceNotBound');
    expect(message).toContain(`phaserun admin namespace bind ${namespace} --customer NAME`);
    expect(await validationsOf(tenant.customerId)).toBe(before);

    await kubectl(`annotate namespace ${namespace} ${CUSTOMER_ID_ANNOTATION}=${tenant.customerId}`);
    const archived = await waitFor(run, 'Archived', 'True');
    expect(await findRow(archived)).toBeDefined();

    const running = makeManifest(tenant, 'running', {
      namespace,
      spec: { issueNumber: 5 },
      result: { status: 'running' },
    });
    const begun = await applyAndArchive(running);
    await kubectl(
      `annotate --overwrite namespace ${namespace} ${CUSTOMER_ID_ANNOTATION}=${stranger.customerId}`,
    );
    await applyAndArchive(makeManifest(tenant, 'running', { namespace, spec: { issueNumber: 5 } }));
    expect(await findRow(begun)).toMatchObject({ status: 'completed' });
    const later = makeManifest(tenant, 'later', { namespace, spec: { issueNumber: 6 } });
    expect((await applyAndReject(later)).reason).toBe('ForgeAccountNotVerified');
    expect(await validationsOf(stranger.customerId)).toBe(0);
  });

  test('may speak of no repository whose owner is not verified as its customer', async () => {
    const claimed = `claimed-${tenant.owner}`;
    await addForgeAccount(world.pool, tenant.customerId, { forge: 'github', namespace: claimed });
    const repositories = [`${stranger.owner}/shop`, `nobody-${tenant.owner}/shop`, `${claimed}/shop`];
    const before = await validationsOf(tenant.customerId);
    const messages = await Promise.all(
      repositories.map(async (repo, n) => {
        const { reason, message } = await applyAndReject(
          makeManifest(tenant, `foreign-${n}`, { spec: { repo } }),
        );
        return `${reason}: ${message.replace(repo.split('/')[0] ?? '', 'OWNER')}`;
      }),
    );
    // The same sentence for all, so that nobody learns whose a repository is.
    expect(new Set(messages).size).toBe(1);
    expect(messages[0]).toContain('ForgeAccountNotVerified');
    expect(await validationsOf(tenant.customerId)).toBe(before);
    expect(await validationsOf(stranger.customerId)).toBe(0);

    await verifyForgeAccount(world.pool, tenant.customerId, { forge: 'github', namespace: claimed });
    await kubectl(`annotate phr foreign-2 -n ${tenant.namespace} example.com/look=again`);
    const run = makeManifest(tenant, 'foreign-2');
    expect(await findRow(await waitFor(run, 'Archived', 'True'))).toBeDefined();
  });

  test("cannot join another customer's session", async () => {
    const theirs = await applyAndArchive(makeManifest(stranger, 'theirs'));
    const sessionId = theirs.status?.session?.id;
    const { reason } = await applyAndReject(
      makeManifest(tenant, 'joins', { spec: { issueNumber: 7, sessionId } }),
    );
    expect(reason).toBe('SessionNotFound');
  });
});

describe('an ordinary user', async () => {
  const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'];
  const rules = [{ apiGroups: ['phases.rsolv.dev'], resources: ['phaseruns'], verbs }];
  const ordinary = await serviceAccountKubeconfig({ namespace: tenant.namespace, rules, kubeconfigPath });
  const own = (name: string, changes: Parameters<typeof makeManifest>[2]) =>
    apply(makeManifest(tenant, name, changes), { kubeconfigPath: ordinary });

  test('stores by kubectl like anybody', async () => {
    const manifest = makeManifest(tenant, 'ordinary', { spec: { issueNumber: 8 } });
    // The API server learns of the role by watching.
    await vi.waitUntil(async () => (await apply(manifest, { kubeconfigPath: ordinary })).ok, SOON);
    expect(await findRow(await waitFor(manifest, 'Archived', 'True'))).toBeDefined();
  });

  const id = '0190d1c8-5f0a-7c55-9a39-7c1b6f4e2a10';

  test.each<{ field: string; spec?: object; result?: object }>([
    { field: 'customerId', spec: { customerId: stranger.customerId } },
    { field: 'runId', spec: { runId: id } },
    { field: 'order', spec: { order: 1 } },
    {
      field: 'result.dataRef',
      result: { data: undefined, dataRef: { sha256: 'a'.repeat(64), sizeBytes: 2 } },
    },
    { field: 'result.order', result: { order: 1 } },
  ])('may not set $field', async ({ field, spec = {}, result = {} }) => {
    const before = await validationsOf(stranger.customerId);
    const name = `sets-${field.toLowerCase().replace('.', '-')}`;
    const { ok, output } = await own(name, { spec: { ...spec }, result: { ...result } });
    expect(ok).toBe(false);
    expect(output).toContain(`says by spec.${field} whose run it is`);
    expect((await kubectl(`get phr ${name} -n ${tenant.namespace}`)).output).toContain('NotFound');
    expect(await validationsOf(stranger.customerId)).toBe(before);
  });

  test('may not write what only the controller writes', async () => {
    const args = ['patch', 'phr', 'ordinary', '-n', tenant.namespace, '--subresource=status', '--type=merge'];
    const patch = JSON.stringify({ status: { archive: null } });
    const refused = await world.kubectl([...args, '-p', patch], { kubeconfigPath: ordinary });
    expect(refused).toMatchObject({ ok: false, output: expect.stringContaining('forbidden') });
  });

  test('says by no annotation which key stored a run', async () => {
    const manifest = makeManifest(tenant, 'with-key', { spec: { issueNumber: 9 } });
    const annotations = {
      'phases.rsolv.dev/api-key-id': 'k1',
      'phases.rsolv.dev/customer-id': stranger.customerId,
    };
    const annotated = { ...manifest, metadata: { ...manifest.metadata, annotations } };
    expect(await findRow(await applyAndArchive(annotated))).toMatchObject({
      api_key_id: null,
      customer_id: tenant.customerId,
    });
  });
});
