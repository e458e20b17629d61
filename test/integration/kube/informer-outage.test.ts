import { beforeEach, describe, expect, test } from 'vitest';
import { freshNamespace, ownKubernetes } from '../../fixtures/kubernetes.ts';
import { startTcpProxy } from './tcp-proxy.ts';
import { apiserverPort, CONFIG_MAPS, type ConfigMap, kubeconfigWithPort, testClient } from './test-client.ts';
import { namesOf, startInformer, synced, told } from './test-informer.ts';

const kubernetes = await ownKubernetes();
const proxy = await startTcpProxy(await apiserverPort(kubernetes.kubeconfigPath));
/** Past the proxy: what others do while the informer is cut off. */
const direct = testClient(kubernetes.kubeconfigPath).resource<ConfigMap>(CONFIG_MAPS);
const proxied = testClient(
  await kubeconfigWithPort(kubernetes.kubeconfigPath, proxy.port),
).resource<ConfigMap>(CONFIG_MAPS);
const PATIENCE = { timeout: 45_000 };

const fresh = () => freshNamespace({ kubeconfigPath: kubernetes.kubeconfigPath });

async function create(namespace: string, ...names: string[]): Promise<void> {
  for (const name of names) await direct.create({ metadata: { namespace, name } });
}

describe('a watch that is cut', () => {
  test('is resumed where it was, each time, with no object told twice or missed', async () => {
    const namespace = await fresh();
    const { informer, events, observer } = startInformer({ resource: proxied, namespace });
    await synced(informer);
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      proxy.cut();
      await create(namespace, name);
    }
    await expect.poll(() => informer.size, PATIENCE).toBe(5);
    expect(told(events)).toEqual(['a', 'b', 'c', 'd', 'e'].map((name) => `added ${namespace}/${name}`));
    expect(observer.onRelist).toHaveBeenCalledTimes(1);
    expect(observer.onRestart).toHaveBeenCalledWith('failed');
  });

  test('and cannot be opened for a while sees afterwards what was deleted meanwhile', async () => {
    const namespace = await fresh();
    await create(namespace, 'kept', 'deleted');
    const { informer, events } = startInformer({ resource: proxied, namespace });
    await synced(informer);
    proxy.sever();
    await direct.delete({ namespace, name: 'deleted' });
    await create(namespace, 'added');
    proxy.mend();
    await expect.poll(() => namesOf(informer.list()), PATIENCE).toEqual(['added', 'kept']);
    expect(told(events).slice(2)).toEqual([`deleted ${namespace}/deleted`, `added ${namespace}/added`]);
  });
});

describe('a place that the server has forgotten (410)', () => {
  test('leads to a full sync that tells the difference', async () => {
    const namespace = await fresh();
    await create(namespace, 'same', 'deleted', 'modified');
    const { informer, events, observer } = startInformer({ resource: proxied, namespace });
    await synced(informer);
    events.splice(0);
    proxy.sever();
    await direct.delete({ namespace, name: 'deleted' });
    await direct.mergePatch({ namespace, name: 'modified' }, { data: { a: '1' } });
    await create(namespace, 'added');
    // A new process knows no event from before its start.
    await kubernetes.restartApiserver();
    proxy.mend();
    await expect.poll(() => namesOf(informer.list()), PATIENCE).toEqual(['added', 'modified', 'same']);
    expect(told(events).sort()).toEqual([
      `added ${namespace}/added`,
      `deleted ${namespace}/deleted`,
      `modified ${namespace}/modified`,
    ]);
    expect(events.every(({ initial }) => initial)).toBe(true);
    expect(observer.onRestart).toHaveBeenCalledWith('expired');
    expect(observer.onRelist).toHaveBeenCalledTimes(2);
  });
});

describe('an API server', () => {
  test.each([
    { name: 'that is restarted', stop: async () => undefined },
    { name: 'that is killed and comes back', stop: () => kubernetes.killApiserver() },
  ])('$name is followed again', async ({ stop }) => {
    const namespace = await fresh();
    await create(namespace, 'before');
    const { informer } = startInformer({ resource: direct, namespace });
    await synced(informer);
    await stop();
    await kubernetes.restartApiserver();
    await expect.poll(() => create(namespace, 'after').then(() => true), PATIENCE).toBe(true);
    await expect.poll(() => namesOf(informer.list()), PATIENCE).toEqual(['after', 'before']);
  });

  test('that is away when the informer starts is waited for', async () => {
    const namespace = await fresh();
    await create(namespace, 'before');
    await kubernetes.killApiserver();
    const { informer, observer } = startInformer({ resource: direct, namespace });
    await expect.poll(() => observer.onRestart.mock.calls.length, PATIENCE).toBeGreaterThan(2);
    expect(informer.hasSynced()).toBe(false);
    await kubernetes.restartApiserver();
    await synced(informer);
    expect(namesOf(informer.list())).toEqual(['before']);
  });

  test('that is frozen for longer than the limit of silence is left, and everything read again', async () => {
    const namespace = await fresh();
    const { informer, observer } = startInformer({ resource: direct, namespace, silenceMs: 1000 });
    await synced(informer);
    process.kill(kubernetes.pids().kubeApiserver, 'SIGSTOP');
    try {
      await expect.poll(() => observer.onRestart.mock.calls.flat(), PATIENCE).toContain('silent');
    } finally {
      process.kill(kubernetes.pids().kubeApiserver, 'SIGCONT');
    }
    await expect.poll(() => create(namespace, 'thawed').then(() => true), PATIENCE).toBe(true);
    await expect.poll(() => namesOf(informer.list()), PATIENCE).toEqual(['thawed']);
    expect(observer.onRelist.mock.calls.length).toBeGreaterThan(1);
  });

  test('whose connection was forgotten on the way is left too', async () => {
    const namespace = await fresh();
    const { informer, observer } = startInformer({ resource: proxied, namespace, silenceMs: 1000 });
    await synced(informer);
    proxy.swallow();
    await expect.poll(() => observer.onRestart.mock.calls.flat(), PATIENCE).toContain('silent');
    await create(namespace, 'unseen');
    proxy.mend();
    await expect.poll(() => namesOf(informer.list()), PATIENCE).toEqual(['unseen']);
  });
});

describe('stop', () => {
  beforeEach(() => proxy.mend());

  test('while the server gives no answer does not wait for one', async () => {
    const namespace = await fresh();
    proxy.swallow();
    const { informer, events } = startInformer({ resource: proxied, namespace });
    await informer.stop();
    proxy.mend();
    proxy.cut();
    await create(namespace, 'unseen');
    const { informer: witness } = startInformer({ resource: proxied, namespace });
    await synced(witness);
    expect(events).toEqual([]);
  });

  test('while it waits to try again does not wait', async () => {
    await kubernetes.killApiserver();
    const { informer, observer } = startInformer({ resource: direct, namespace: 'any' });
    await expect.poll(() => observer.onRestart.mock.calls.length, PATIENCE).toBeGreaterThan(5);
    await informer.stop();
    const restarts = observer.onRestart.mock.calls.length;
    await kubernetes.restartApiserver();
    expect(observer.onRestart.mock.calls.length).toBe(restarts);
  });
});
