import { describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import type { KubeEvent } from '../../../src/kube/event-draft.ts';
import { createEventRecorder, type EventRecorderOptions } from '../../../src/kube/event-recorder.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { startTcpProxy } from './tcp-proxy.ts';
import {
  apiserverPort,
  CONFIG_MAPS,
  type ConfigMap,
  kubeconfigWithPort,
  logger,
  testClient,
} from './test-client.ts';

interface Event extends KubeObject {
  readonly reason: string;
  readonly note: string;
  readonly eventTime: string;
  readonly series?: { readonly count: number };
}

const client = testClient();
const configMaps = client.resource<ConfigMap>(CONFIG_MAPS);
const events = client.resource<Event>({
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
});

function startRecorder(options: Partial<EventRecorderOptions> = {}) {
  const observer = { onWritten: vi.fn(), onDropped: vi.fn() };
  const recorder = createEventRecorder({
    client,
    controller: 'phases.rsolv.dev/test',
    instance: 'test-1',
    logger,
    observer,
    seriesIntervalMs: 50,
    ...options,
  });
  onTestFinished(() => recorder.close());
  return { recorder, observer };
}

async function makeRegarding(): Promise<KubeEvent['regarding'] & { readonly namespace: string }> {
  const namespace = await freshNamespace();
  const { metadata } = await configMaps.create({ metadata: { namespace, name: 'subject' } });
  return { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: 'subject', uid: metadata.uid };
}

function makeEvent(regarding: KubeEvent['regarding'], change: Partial<KubeEvent> = {}): KubeEvent {
  return { regarding, type: 'Normal', reason: 'Archived', action: 'Archive', note: 'stored', ...change };
}

const recorded = (namespace: string) => events.list({ namespace });

describe('an event', () => {
  test('can be read where people look for it', async () => {
    const regarding = await makeRegarding();
    const { recorder } = startRecorder();
    recorder.record(makeEvent(regarding));
    await expect
      .poll(() => recorded(regarding.namespace))
      .toMatchObject([
        {
          reason: 'Archived',
          action: 'Archive',
          type: 'Normal',
          note: 'stored',
          regarding,
          reportingController: 'phases.rsolv.dev/test',
          reportingInstance: 'test-1',
        },
      ]);
  });

  test('about an object of the cluster is told in default', async () => {
    const name = `cluster-object-${Date.now()}`;
    const { recorder } = startRecorder();
    recorder.record(makeEvent({ apiVersion: 'v1', kind: 'Node', name }, { note: 'x'.repeat(3000) }));
    const select = { namespace: 'default', fieldSelector: `regarding.name=${name}` };
    await expect.poll(() => events.list(select)).toMatchObject([{ note: 'x'.repeat(1024) }]);
  });

  test('that is repeated becomes a series, and another does not join it', async () => {
    const regarding = await makeRegarding();
    const { recorder } = startRecorder();
    for (let count = 0; count < 7; count += 1)
      recorder.record(makeEvent(regarding, { note: `attempt ${count}` }));
    recorder.record(makeEvent(regarding, { reason: 'Rejected', type: 'Warning' }));
    const series = async () =>
      (await recorded(regarding.namespace)).map(({ reason, note, series }) => ({
        reason,
        note,
        count: series?.count,
      }));
    await expect
      .poll(async () => (await series()).sort((a, b) => a.reason.localeCompare(b.reason)))
      .toEqual([
        { reason: 'Archived', note: 'attempt 0', count: 7 },
        { reason: 'Rejected', note: 'stored', count: undefined },
      ]);
    recorder.record(makeEvent(regarding));
    await expect.poll(async () => (await series()).map(({ count }) => count)).toContain(8);
  });

  test('whose record has expired is told anew', async () => {
    const regarding = await makeRegarding();
    const { recorder } = startRecorder();
    recorder.record(makeEvent(regarding));
    await expect.poll(() => recorded(regarding.namespace)).toHaveLength(1);
    const [first] = await recorded(regarding.namespace);
    await events.delete({ namespace: regarding.namespace, name: first?.metadata.name ?? '' });
    recorder.record(makeEvent(regarding));
    await expect.poll(() => recorded(regarding.namespace)).toMatchObject([{ series: { count: 2 } }]);
  });
});

describe('trouble', () => {
  test('a server that is away delays events, and loses none', async () => {
    const regarding = await makeRegarding();
    const proxy = await startTcpProxy(await apiserverPort());
    const proxied = testClient(await kubeconfigWithPort(inject('kubeconfigPath'), proxy.port));
    const { recorder, observer } = startRecorder({ client: proxied });
    proxy.sever();
    recorder.record(makeEvent(regarding));
    recorder.record(makeEvent(regarding));
    await expect.poll(() => proxy.connections).toBeGreaterThan(2);
    proxy.mend();
    await expect
      .poll(() => recorded(regarding.namespace), { timeout: 10_000 })
      .toMatchObject([{ series: { count: 2 } }]);
    expect(observer.onDropped).not.toHaveBeenCalled();
  });

  test('an event that the server refuses is dropped, and the next one told', async () => {
    const regarding = await makeRegarding();
    const { recorder, observer } = startRecorder();
    recorder.record(makeEvent(regarding, { reason: '' }));
    recorder.record(makeEvent({ ...regarding, namespace: 'there-is-none' }));
    recorder.record(makeEvent(regarding));
    await expect.poll(() => recorded(regarding.namespace)).toMatchObject([{ reason: 'Archived' }]);
    expect(observer.onDropped).toHaveBeenCalledTimes(2);
  });

  test('more than may wait are dropped, and counted', async () => {
    const regarding = await makeRegarding();
    const { recorder, observer } = startRecorder({ rate: { perSecond: 0.001, burst: 1 } });
    for (let index = 0; index < 600; index += 1)
      recorder.record(makeEvent(regarding, { reason: `Reason${index}` }));
    expect(observer.onDropped).toHaveBeenCalledTimes(100);
  });

  test('close writes what waits', async () => {
    const regarding = await makeRegarding();
    const { recorder } = startRecorder();
    recorder.record(makeEvent(regarding));
    await recorder.close();
    recorder.record(makeEvent(regarding, { reason: 'Late' }));
    expect(await recorded(regarding.namespace)).toMatchObject([{ reason: 'Archived' }]);
  });
});
