import { afterEach, describe, expect, inject, test } from 'vitest';
import type { KubeClient } from '../../../src/kube/client.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import {
  createLeaderElector,
  type LeaderElector,
  type LeaseTiming,
} from '../../../src/kube/leader-election.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';
import { apiserverPort, kubeconfigWithPort, logger, testClient } from './test-client.ts';

interface Lease extends KubeObject {
  readonly spec: {
    readonly holderIdentity?: string;
    readonly leaseTransitions?: number;
    readonly renewTime?: string;
  };
}

const client = testClient();
const namespace = await freshNamespace();
const leases = client.resource<Lease>({
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
});
const TIMING: LeaseTiming = {
  leaseDurationMs: 3000,
  renewDeadlineMs: 1500,
  retryPeriodMs: 200,
  standbyPeriodMs: 200,
};
const PATIENCE = { timeout: 20_000 };

const running: LeaderElector[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((elector) => elector.stop()));
});

/** A span of leadership, on the clock of this process; still going on while `to` is absent. */
interface Term {
  readonly by: string;
  readonly from: number;
  to?: number;
}

interface CandidateOptions {
  readonly lease: string;
  readonly by: string;
  readonly through?: KubeClient;
  readonly terms?: Term[];
  readonly timing?: LeaseTiming;
  /** What the leader still does once it is to stop. */
  readonly finish?: () => Promise<void>;
}

function startCandidate({
  lease,
  by,
  through = client,
  terms = [],
  timing = TIMING,
  finish,
}: CandidateOptions) {
  const elector = createLeaderElector({
    client: through,
    lease: { namespace, name: lease },
    identity: by,
    timing,
    logger,
    lead: async (signal) => {
      const term: Term = { by, from: performance.now() };
      terms.push(term);
      await aborted(signal);
      term.to = performance.now();
      await finish?.();
    },
  });
  running.push(elector);
  elector.start();
  return elector;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
}

async function proxiedClient(): Promise<{ proxy: TcpProxy; through: KubeClient }> {
  const proxy = await startTcpProxy(await apiserverPort());
  return { proxy, through: testClient(await kubeconfigWithPort(inject('kubeconfigPath'), proxy.port)) };
}

/** Pairs of terms that have a moment in common. */
function overlaps(terms: readonly Term[]): Term[][] {
  const sorted = terms.toSorted((a, b) => a.from - b.from);
  return sorted.slice(1).flatMap((term, index) => {
    const before = sorted[index];
    return before !== undefined && (before.to ?? Infinity) > term.from ? [[before, term]] : [];
  });
}

describe('one candidate', () => {
  test('leads, renews, and gives the lease back when it stops', async () => {
    const terms: Term[] = [];
    const elector = startCandidate({ lease: 'alone', by: 'a', terms });
    await expect.poll(() => elector.isLeading(), PATIENCE).toBe(true);
    expect(elector.leader()).toBe('a');
    const target = { namespace, name: 'alone' };
    const first = await leases.get(target);
    expect(first.spec).toMatchObject({ holderIdentity: 'a', leaseTransitions: 0 });
    await expect.poll(async () => (await leases.get(target)).spec.renewTime).not.toBe(first.spec.renewTime);
    await elector.stop();
    expect(elector.isLeading()).toBe(false);
    expect(terms).toHaveLength(1);
    expect((await leases.get(target)).spec.holderIdentity).toBe('');
  });

  test('keeps the lease while its work is ending', async () => {
    const ending = Promise.withResolvers<void>();
    const elector = startCandidate({ lease: 'ending', by: 'a', finish: () => ending.promise });
    await expect.poll(() => elector.isLeading(), PATIENCE).toBe(true);
    const stopped = elector.stop();
    const target = { namespace, name: 'ending' };
    const { renewTime } = (await leases.get(target)).spec;
    await expect.poll(async () => (await leases.get(target)).spec.renewTime).not.toBe(renewTime);
    expect((await leases.get(target)).spec.holderIdentity).toBe('a');
    ending.resolve();
    await stopped;
    expect((await leases.get(target)).spec.holderIdentity).toBe('');
  });

  test('that cannot reach the server stops leading, and leads again when it can', async () => {
    const { proxy, through } = await proxiedClient();
    const terms: Term[] = [];
    const elector = startCandidate({ lease: 'cut-off', by: 'a', through, terms });
    await expect.poll(() => elector.isLeading(), PATIENCE).toBe(true);
    proxy.sever();
    await expect.poll(() => elector.isLeading(), PATIENCE).toBe(false);
    await expect.poll(() => terms[0]?.to, PATIENCE).toBeDefined();
    proxy.mend();
    await expect.poll(() => elector.isLeading(), PATIENCE).toBe(true);
    expect(terms).toHaveLength(2);
  });

  test('whose lease somebody else has written stops leading', async () => {
    const terms: Term[] = [];
    const elector = startCandidate({ lease: 'robbed', by: 'a', terms });
    await expect.poll(() => elector.isLeading(), PATIENCE).toBe(true);
    await leases.mergePatch({ namespace, name: 'robbed' }, { spec: { holderIdentity: 'b' } });
    await expect.poll(() => terms[0]?.to, PATIENCE).toBeDefined();
    expect(elector.leader()).toBe('b');
  });

  test.each([
    { name: 'labelled', change: { metadata: { labels: { a: 'b' } } } },
    { name: 'annotated', change: { metadata: { annotations: { a: 'b' } } } },
  ])('whose lease is $name goes on', async ({ name, change }) => {
    const terms: Term[] = [];
    const elector = startCandidate({ lease: name, by: 'a', terms });
    await expect.poll(() => elector.isLeading(), PATIENCE).toBe(true);
    const target = { namespace, name };
    await leases.mergePatch(target, change);
    const { renewTime } = (await leases.get(target)).spec;
    await expect.poll(async () => (await leases.get(target)).spec.renewTime).not.toBe(renewTime);
    expect(terms).toMatchObject([{ by: 'a' }]);
    expect(terms[0]?.to).toBeUndefined();
  });

  test('whose lease is deleted makes it anew', async () => {
    const terms: Term[] = [];
    const elector = startCandidate({ lease: 'deleted', by: 'a', terms });
    await expect.poll(() => elector.isLeading(), PATIENCE).toBe(true);
    const target = { namespace, name: 'deleted' };
    await leases.delete(target);
    await expect
      .poll(() =>
        leases.get(target).then(
          ({ spec }) => spec.holderIdentity,
          () => '',
        ),
      )
      .toBe('a');
    expect(terms[0]?.to).toBeUndefined();
  });

  test('whose work fails gives the lease up, and tries again', async () => {
    let attempts = 0;
    const elector = createLeaderElector({
      client,
      lease: { namespace, name: 'failing' },
      identity: 'a',
      timing: TIMING,
      logger,
      lead: async (signal) => {
        attempts += 1;
        if (attempts < 3) throw new Error('work');
        await aborted(signal);
      },
    });
    running.push(elector);
    elector.start();
    await expect.poll(() => attempts, PATIENCE).toBe(3);
    await expect.poll(() => elector.isLeading(), PATIENCE).toBe(true);
  });
});

describe('two candidates', () => {
  test('never lead at once, however often the leadership passes', async () => {
    const terms: Term[] = [];
    let leaders = [
      startCandidate({ lease: 'passing', by: 'a0', terms }),
      startCandidate({ lease: 'passing', by: 'b0', terms }),
    ];
    for (let round = 1; round <= 4; round += 1) {
      await expect.poll(() => leaders.filter((each) => each.isLeading()).length, PATIENCE).toBe(1);
      const leader = leaders.find((each) => each.isLeading());
      await leader?.stop();
      leaders = leaders.filter((each) => each !== leader);
      leaders.push(startCandidate({ lease: 'passing', by: `${round}`, terms }));
    }
    await expect.poll(() => terms.length, PATIENCE).toBe(5);
    expect(overlaps(terms)).toEqual([]);
    const { spec } = await leases.get({ namespace, name: 'passing' });
    expect(spec.leaseTransitions).toBeGreaterThanOrEqual(4);
  });

  test.each([
    { name: 'loses its connection', lose: (proxy: TcpProxy) => proxy.sever() },
    { name: 'gets no answer any more', lose: (proxy: TcpProxy) => proxy.swallow() },
  ])('the second takes over from a first that $name, after it has stopped', async ({ name, lose }) => {
    const lease = name.replaceAll(' ', '-');
    const terms: Term[] = [];
    const { proxy, through } = await proxiedClient();
    const first = startCandidate({ lease, by: 'first', through, terms });
    await expect.poll(() => first.isLeading(), PATIENCE).toBe(true);
    const second = startCandidate({ lease, by: 'second', terms });
    lose(proxy);
    await expect.poll(() => second.isLeading(), PATIENCE).toBe(true);
    expect(first.isLeading()).toBe(false);
    expect(terms.map(({ by }) => by)).toEqual(['first', 'second']);
    expect(overlaps(terms)).toEqual([]);
    proxy.mend();
    proxy.cut();
    await expect.poll(() => first.leader(), PATIENCE).toBe('second');
    expect(overlaps(terms)).toEqual([]);
  });

  test.each([
    {
      name: 'its times are long past',
      leaseDurationSeconds: 1,
      renewTime: '2000-01-01T00:00:00.000000Z',
      heldMs: 1000,
    },
    {
      name: 'its times are yet to come',
      leaseDurationSeconds: 1,
      renewTime: '2100-01-01T00:00:00.000000Z',
      heldMs: 1000,
    },
    {
      name: 'it asked for longer',
      leaseDurationSeconds: 2,
      renewTime: '2000-01-01T00:00:00.000000Z',
      heldMs: 2000,
    },
  ])(
    'a holder that died is waited for on our clock: $name',
    async ({ name, leaseDurationSeconds, renewTime, heldMs }) => {
      const lease = name.replaceAll(' ', '-');
      const seenNoEarlierThan = performance.now();
      const spec = { holderIdentity: 'dead', leaseDurationSeconds, acquireTime: renewTime, renewTime };
      await leases.create({ metadata: { namespace, name: lease }, spec });
      const terms: Term[] = [];
      const timing = {
        leaseDurationMs: 1000,
        renewDeadlineMs: 500,
        retryPeriodMs: 100,
        standbyPeriodMs: 100,
      };
      const elector = startCandidate({ lease, by: 'heir', terms, timing });
      await expect.poll(() => elector.isLeading(), PATIENCE).toBe(true);
      expect((terms[0]?.from ?? 0) - seenNoEarlierThan).toBeGreaterThanOrEqual(heldMs);
    },
  );
});
