import { describe, expect, test } from 'vitest';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { CONFIG_MAPS, type ConfigMap, testClient } from './test-client.ts';
import { namesOf, startInformer, synced, told } from './test-informer.ts';

const resource = testClient().resource<ConfigMap>(CONFIG_MAPS);

function create(namespace: string, name: string, labels: Record<string, string> = {}) {
  return resource.create({ metadata: { namespace, name, labels } });
}

describe('the cache', () => {
  test('holds what is there, and follows what happens', async () => {
    const namespace = await freshNamespace();
    await create(namespace, 'a', { colour: 'red' });
    const { informer, events } = startInformer({ resource, namespace });
    await synced(informer);
    expect(informer.get(`${namespace}/a`)?.metadata.labels).toEqual({ colour: 'red' });

    await create(namespace, 'b', { colour: 'red' });
    await resource.mergePatch({ namespace, name: 'a' }, { metadata: { labels: { colour: 'blue' } } });
    await resource.delete({ namespace, name: 'b' });
    await expect
      .poll(() => told(events))
      .toEqual([
        `added ${namespace}/a`,
        `added ${namespace}/b`,
        `modified ${namespace}/a`,
        `deleted ${namespace}/b`,
      ]);
    expect(events.map(({ initial }) => initial)).toEqual([true, false, false, false]);
    expect(events[2]).toMatchObject({
      object: { metadata: { labels: { colour: 'blue' } } },
      old: { metadata: { labels: { colour: 'red' } } },
    });
    expect(namesOf(informer.byIndex('colour', 'blue'))).toEqual(['a']);
    expect(informer.byIndex('colour', 'red')).toEqual([]);
    expect(namesOf(informer.list())).toEqual(['a']);
    expect(informer.silentForMs()).toBeGreaterThanOrEqual(0);
  });

  test('holds but what the selector selects; an object that leaves it is deleted', async () => {
    const namespace = await freshNamespace();
    await create(namespace, 'in', { colour: 'red' });
    await create(namespace, 'out', { colour: 'blue' });
    const { informer, events } = startInformer({ resource, namespace, labelSelector: 'colour=red' });
    await synced(informer);
    await resource.mergePatch({ namespace, name: 'in' }, { metadata: { labels: { colour: 'blue' } } });
    await expect.poll(() => told(events)).toEqual([`added ${namespace}/in`, `deleted ${namespace}/in`]);
  });

  test('holds what transform makes of an object, once each', async () => {
    const namespace = await freshNamespace();
    await create(namespace, 'a');
    let transformed = 0;
    const { informer } = startInformer({
      resource,
      namespace,
      transform: ({ metadata: { name, uid, resourceVersion } }) => {
        transformed += 1;
        return { metadata: { namespace, name, uid, resourceVersion } };
      },
    });
    await synced(informer);
    await resource.mergePatch({ namespace, name: 'a' }, { data: { a: '1' } });
    await expect.poll(() => transformed).toBe(2);
    expect(informer.get(`${namespace}/a`)?.metadata).not.toHaveProperty('managedFields');
  });

  test('syncs an empty namespace', async () => {
    const { informer } = startInformer({ resource, namespace: await freshNamespace() });
    await synced(informer);
    expect(informer.size).toBe(0);
    expect(informer.hasSynced()).toBe(true);
  });

  test('holds 2,000 objects', async () => {
    const namespace = await freshNamespace();
    const creators = Array.from({ length: 20 }, async (_, creator) => {
      for (let index = 0; index < 100; index += 1) await create(namespace, `object-${creator}-${index}`);
    });
    await Promise.all(creators);
    const { informer, events } = startInformer({ resource, namespace });
    await synced(informer);
    expect(informer.size).toBe(2000);
    expect(events).toHaveLength(2000);
  });
});

describe('a handler that throws', () => {
  test('is counted, and loses nothing that follows', async () => {
    const namespace = await freshNamespace();
    const seen: string[] = [];
    const { informer, observer } = startInformer({
      resource,
      namespace,
      onEvent: ({ key }) => {
        seen.push(key);
        throw new Error('handler');
      },
    });
    await synced(informer);
    await create(namespace, 'a');
    await create(namespace, 'b');
    await expect.poll(() => seen).toEqual([`${namespace}/a`, `${namespace}/b`]);
    expect(observer.onHandlerError).toHaveBeenCalledTimes(2);
    expect(observer.onRestart).not.toHaveBeenCalled();
    expect(namesOf(informer.list())).toEqual(['a', 'b']);
  });

  test('as transform costs but its own object', async () => {
    const namespace = await freshNamespace();
    await create(namespace, 'bad');
    await create(namespace, 'good');
    const { informer, observer } = startInformer({
      resource,
      namespace,
      transform: (object) => {
        if (object.metadata.name === 'bad') throw new Error('transform');
        return object;
      },
    });
    await synced(informer);
    expect(namesOf(informer.list())).toEqual(['good']);
    expect(observer.onHandlerError).toHaveBeenCalledTimes(1);
  });
});

describe('stop', () => {
  test('during the first sync leaves nothing behind', async () => {
    const namespace = await freshNamespace();
    await create(namespace, 'a');
    const { informer, events } = startInformer({ resource, namespace });
    await informer.stop();
    await create(namespace, 'b');
    // Another informer sees b, so the stopped one would have.
    const { informer: witness } = startInformer({ resource, namespace });
    await synced(witness);
    expect(namesOf(witness.list())).toEqual(['a', 'b']);
    expect(events).toEqual([]);
    expect(informer.hasSynced()).toBe(false);
  });

  test('is followed by a start that tells the difference', async () => {
    const namespace = await freshNamespace();
    await create(namespace, 'deleted');
    await create(namespace, 'modified');
    await create(namespace, 'same');
    const { informer, events } = startInformer({ resource, namespace });
    await synced(informer);
    await informer.stop();
    events.splice(0);
    await resource.delete({ namespace, name: 'deleted' });
    await resource.mergePatch({ namespace, name: 'modified' }, { data: { a: '1' } });
    await create(namespace, 'added');
    informer.start();
    await synced(informer);
    expect(told(events).sort()).toEqual([
      `added ${namespace}/added`,
      `deleted ${namespace}/deleted`,
      `modified ${namespace}/modified`,
    ]);
    expect(namesOf(informer.list())).toEqual(['added', 'modified', 'same']);
  });

  test('lets whoever waits for the sync wait no longer than they want', async () => {
    const { informer } = startInformer({ resource, namespace: await freshNamespace() });
    await informer.stop();
    const reason = new Error('enough');
    await expect(informer.waitForSync(AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
