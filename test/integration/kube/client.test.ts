import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { createKubeClient } from '../../../src/kube/client.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { serviceAccountKubeconfig } from '../../fixtures/service-account.ts';
import { startTcpProxy } from './tcp-proxy.ts';
import {
  apiserverPort,
  CONFIG_MAPS,
  type ConfigMap,
  kubeconfigWithPort,
  logger,
  testClient,
  testDirectory,
} from './test-client.ts';

const namespace = await freshNamespace();
const client = testClient();
const configMaps = client.resource<ConfigMap>(CONFIG_MAPS);

describe('objects', () => {
  test('are created, read, changed and deleted', async () => {
    const target = { namespace, name: 'life' };
    const created = await configMaps.create({ metadata: target, data: { a: '1', b: '2' } });
    expect(created.metadata.uid).toMatch(/-/);
    const changed = await configMaps.mergePatch(target, { data: { a: null, c: '3' } });
    expect(changed.data).toEqual({ b: '2', c: '3' });
    expect(await configMaps.get(target)).toEqual(changed);
    await configMaps.delete(target);
    await expect(configMaps.get(target)).rejects.toMatchObject({ status: 404, reason: 'NotFound' });
  });

  test('are read as they were seen or newer, and not at all from a server that is behind', async () => {
    const name = 'seen';
    const { metadata } = await configMaps.create({ metadata: { namespace, name }, data: { a: '1' } });
    const notOlderThan = metadata.resourceVersion;
    const seen = await configMaps.get(metadata, { notOlderThan });
    expect([seen.metadata.uid, seen.data]).toEqual([metadata.uid, { a: '1' }]);
    const ahead = String(Number(notOlderThan) + 1_000_000_000);
    await expect(configMaps.get(metadata, { notOlderThan: ahead })).rejects.toMatchObject({ status: 504 });
    await configMaps.delete(metadata);
    await expect
      .poll(() => configMaps.get(metadata, { notOlderThan }).catch((error: unknown) => error))
      .toMatchObject({ status: 404 });
  });

  test('are listed page by page, all of them', async () => {
    const names = Array.from({ length: 201 }, (_, index) => `page-${String(index).padStart(3, '0')}`);
    await Promise.all(
      names.map((name) => configMaps.create({ metadata: { namespace, name, labels: { list: 'pages' } } })),
    );
    const select = { namespace, labelSelector: 'list=pages' };
    const first = await configMaps.listPage(select);
    expect(first.items).toHaveLength(100);
    const all = await configMaps.list(select);
    expect(all.map(({ metadata }) => metadata.name)).toEqual(names);
  });

  test('are deleted only while they are the very ones that were meant', async () => {
    const target = { namespace, name: 'twice' };
    const first = await configMaps.create({ metadata: target });
    await configMaps.delete(target);
    await configMaps.create({ metadata: target });
    const preconditions = { uid: first.metadata.uid };
    await expect(configMaps.delete(target, { preconditions })).rejects.toMatchObject({ status: 409 });
    await expect(configMaps.get(target)).resolves.toBeDefined();
  });
});

describe('refusals', () => {
  test.each([
    {
      name: 'an unknown field',
      call: () => configMaps.create({ metadata: { namespace, name: 'strict' }, dta: {} }),
      want: { status: 400, reason: 'BadRequest', message: expect.stringContaining('dta') },
    },
    {
      name: 'a name that is taken',
      call: async () => {
        await configMaps.create({ metadata: { namespace, name: 'taken' } });
        return configMaps.create({ metadata: { namespace, name: 'taken' } });
      },
      want: { status: 409, reason: 'AlreadyExists', details: { name: 'taken', kind: 'configmaps' } },
    },
    {
      name: 'a patch of an older version',
      call: async () => {
        const target = { namespace, name: 'moved-on' };
        const { metadata } = await configMaps.create({ metadata: target });
        await configMaps.mergePatch(target, { data: { a: '1' } });
        const { resourceVersion } = metadata;
        return configMaps.mergePatch(target, { metadata: { resourceVersion }, data: { a: '2' } });
      },
      want: { status: 409, reason: 'Conflict' },
    },
    {
      name: 'a value that validation refuses',
      call: () => configMaps.create({ metadata: { namespace, name: 'UPPER' } }),
      want: {
        status: 422,
        reason: 'Invalid',
        details: { causes: [expect.objectContaining({ field: 'metadata.name' })] },
      },
    },
    {
      name: 'a path that does not exist',
      call: () => client.request({ method: 'GET', path: '/apis/nobody.example.com/v1' }),
      want: { status: 404, reason: 'NotFound' },
    },
  ])('$name', async ({ call, want }) => {
    await expect(call()).rejects.toMatchObject({ name: 'KubeError', ...want });
  });

  test('what the caller may not do', async () => {
    const lesser = testClient(await serviceAccountKubeconfig({ namespace }));
    const calls = lesser.resource<ConfigMap>(CONFIG_MAPS);
    await expect(calls.list({ namespace })).rejects.toMatchObject({ status: 403, reason: 'Forbidden' });
    expect(await lesser.probe()).toBeUndefined();
  });

  test('a call that its caller has given up', async () => {
    const reason = new Error('given up');
    const call = configMaps.list({ namespace, signal: AbortSignal.abort(reason) });
    await expect(call).rejects.toBe(reason);
  });
});

describe('the connection', () => {
  test('is one, for calls and watches alike', async () => {
    const proxy = await startTcpProxy(await apiserverPort());
    const path = await kubeconfigWithPort(inject('kubeconfigPath'), proxy.port);
    const shared = testClient(path).resource<ConfigMap>(CONFIG_MAPS);
    const abort = new AbortController();
    const watches = ['a', 'b', 'c'].map(() =>
      shared.watch({ namespace, timeoutSeconds: 60, silenceMs: 60_000, signal: abort.signal }),
    );
    const starts = watches.map((watch) => watch.next());
    const names = Array.from({ length: 90 }, (_, index) => `shared-${index}`);
    await Promise.all(names.map((name) => shared.create({ metadata: { namespace, name } })));
    await Promise.all(starts);
    expect(proxy.connections).toBe(1);
    abort.abort();
    await Promise.all(
      watches.map((watch) => expect(watch.next()).rejects.toMatchObject({ name: 'AbortError' })),
    );
    await shared.get({ namespace, name: 'shared-0' });
    expect(proxy.connections).toBe(1);
  });

  test('that is dead is replaced, and what ran on it fails in time', async () => {
    const proxy = await startTcpProxy(await apiserverPort());
    const path = await kubeconfigWithPort(inject('kubeconfigPath'), proxy.port);
    const calls = testClient(path).resource<ConfigMap>(CONFIG_MAPS);
    await calls.list({ namespace });
    proxy.swallow();
    await expect(calls.list({ namespace, timeoutMs: 300 })).rejects.toMatchObject({
      status: 0,
      reason: 'Timeout',
    });
    proxy.mend();
    // What was sent into the swallowing proxy is lost: the old connection will never answer.
    await expect.poll(() => calls.list({ namespace, timeoutMs: 300 }), { timeout: 20_000 }).toBeDefined();
    expect(proxy.connections).toBeGreaterThan(1);
  });
});

test('a client that was closed stays closed', async () => {
  const source = { kind: 'kubeconfig', path: inject('kubeconfigPath') } as const;
  const closed = createKubeClient(source, { logger });
  const calls = closed.resource<ConfigMap>(CONFIG_MAPS);
  const signal = new AbortController().signal;
  const { resourceVersion } = await calls.listPage({ namespace });
  const watch = calls.watch({ namespace, timeoutSeconds: 60, silenceMs: 60_000, signal, resourceVersion });
  const next = watch.next().catch((error: unknown) => error);
  await calls.list({ namespace });
  await closed.close();
  expect(await next).toMatchObject({ status: 0 });
  expect(await closed.probe()).toMatchObject({ reason: 'Unreachable' });
});

describe('what is counted', () => {
  test('every call, by verb and code', async () => {
    const seen: string[] = [];
    const counted = testClient(inject('kubeconfigPath'), {
      onRequest: (verb, code, seconds) => seen.push(`${verb} ${code} ${seconds >= 0}`),
    });
    const calls = counted.resource<ConfigMap>(CONFIG_MAPS);
    const target = { namespace, name: 'counted' };
    await calls.create({ metadata: target });
    await calls.get(target);
    await calls.list({ namespace, labelSelector: 'none' });
    await calls.mergePatch(target, { data: { a: 'b' } });
    await calls.delete(target);
    await calls.get(target).catch(() => undefined);
    const watch = calls.watch({
      namespace,
      timeoutSeconds: 1,
      silenceMs: 5000,
      signal: new AbortController().signal,
    });
    await watch.next();
    await watch.return();
    expect(seen).toEqual([
      'create 201 true',
      'get 200 true',
      'list 200 true',
      'patch 200 true',
      'delete 200 true',
      'get 404 true',
      'watch 200 true',
    ]);
  });
});

describe('a client that cannot work', () => {
  test.each([
    { name: 'no file', text: undefined, want: /ENOENT/ },
    { name: 'an empty file', text: '', want: /no usable/ },
    { name: 'something else', text: '[1, 2', want: /no usable/ },
    { name: 'no current context', text: 'clusters: []\nusers: []\ncontexts: []', want: /context/ },
    {
      name: 'a certificate that is not there',
      text: `
clusters: [{ name: a, cluster: { server: 'https://127.0.0.1:1', certificate-authority: missing.crt } }]
users: [{ name: a, user: {} }]
contexts: [{ name: a, context: { cluster: a, user: a } }]
current-context: a`,
      want: /missing\.crt/,
    },
    {
      name: 'an exec plugin that is not there',
      text: `
clusters: [{ name: a, cluster: { server: 'https://127.0.0.1:1' } }]
users: [{ name: a, user: { exec: { apiVersion: client.authentication.k8s.io/v1, command: /nowhere/plugin } } }]
contexts: [{ name: a, context: { cluster: a, user: a } }]
current-context: a`,
      want: /plugin/,
    },
  ])('says so: $name', async ({ text, want }) => {
    const path = join(await testDirectory(), 'kubeconfig');
    if (text !== undefined) await writeFile(path, text);
    const broken = testClient(path);
    expect(await broken.probe()).toMatchObject({
      name: 'KubeError',
      status: 0,
      reason: 'Unconfigured',
      message: expect.stringMatching(want),
    });
  });

  test('says so outside a pod', async () => {
    const outside = createKubeClient({ kind: 'in-cluster' }, { logger });
    expect(await outside.probe()).toMatchObject({ reason: 'Unconfigured' });
    await outside.close();
  });

  test('says that nobody listens', async () => {
    const path = await kubeconfigWithPort(inject('kubeconfigPath'), 1);
    const refused = testClient(path);
    expect(await refused.probe()).toMatchObject({ status: 0, reason: 'Unreachable' });
  });

  test('works as soon as its kubeconfig is there', async () => {
    const path = join(await testDirectory(), 'kubeconfig');
    const patient = testClient(path);
    expect(await patient.probe()).toMatchObject({ reason: 'Unconfigured' });
    await copyFile(inject('kubeconfigPath'), path);
    expect(await patient.probe()).toBeUndefined();
  });
});
