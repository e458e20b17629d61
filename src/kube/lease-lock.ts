import type { KubeClient } from './client.ts';
import type { Clock } from './clock.ts';
import { hasStatus } from './kube-error.ts';
import type { KubeObject, ObjectName } from './kube-object.ts';
import { microTime } from './micro-time.ts';
import type { ResourceDefinition } from './resource.ts';

const LEASES: ResourceDefinition = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
};

/** `coordination.k8s.io/v1`, as far as it is used here. */
interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly leaseTransitions?: number;
  };
}

/** A Lease that at most one of those who ask for it holds. */
export interface LeaseLock {
  /**
   * Takes the lease if it is free, or renews it; false when another holds it.
   * @throws KubeError when the server does not say
   */
  claim(): Promise<boolean>;
  /** Gives it back if it is ours, so that the next one need not wait until it expires. @throws KubeError */
  release(): Promise<void>;
  /** Identity that was last seen to hold it. */
  holder(): string | undefined;
}

export interface LeaseLockOptions {
  readonly client: KubeClient;
  readonly lease: ObjectName;
  readonly identity: string;
  /** After so long without a renewal that we have seen, the lease counts as given up. */
  readonly durationMs: number;
  /** Of each call. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/**
 * client-go's rules (k8s.io/client-go/tools/leaderelection): whether a lease was renewed is told by its resourceVersion,
 * and how long ago by our own clock since we saw that; the times in the lease are for people.
 */
export function createLeaseLock(options: LeaseLockOptions): LeaseLock {
  const { client, lease: name, identity, durationMs, timeoutMs, clock } = options;
  const leases = client.resource<Lease>(LEASES);
  let seen: { readonly lease: Lease; readonly at: number } | undefined;

  function see(lease: Lease): Lease {
    const isNews = seen?.lease.metadata.resourceVersion !== lease.metadata.resourceVersion;
    if (isNews) seen = { lease, at: clock.now() };
    return lease;
  }

  const holder = () => seen?.lease.spec?.holderIdentity;

  /** Whether the lease seen last may be taken. A longer duration than ours is its holder's, and is respected. */
  function isFree(): boolean {
    if (seen === undefined || holder() === identity || (holder() ?? '') === '') return true;
    const held = Math.max(durationMs, (seen.lease.spec?.leaseDurationSeconds ?? 0) * 1000);
    return clock.now() >= seen.at + held;
  }

  function spec(previous: Lease | undefined) {
    const now = microTime(new Date());
    const { holderIdentity, leaseTransitions = 0 } = previous?.spec ?? {};
    const taken = { acquireTime: now, leaseTransitions: previous === undefined ? 0 : leaseTransitions + 1 };
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(durationMs / 1000),
      renewTime: now,
      ...(holderIdentity !== identity && taken),
    };
  }

  /** Answers false when another was faster. */
  async function write(lease: Lease): Promise<boolean> {
    const metadata = { resourceVersion: lease.metadata.resourceVersion };
    return wonBy(leases.mergePatch(name, { metadata, spec: spec(lease) }, { timeoutMs }));
  }

  const create = () => wonBy(leases.create({ metadata: { ...name }, spec: spec(undefined) }, { timeoutMs }));

  async function wonBy(writing: Promise<Lease>): Promise<boolean> {
    try {
      see(await writing);
      return true;
    } catch (error) {
      // Moved on, created by another, or deleted since we looked.
      if (hasStatus(error, 409) || hasStatus(error, 404)) return false;
      throw error;
    }
  }

  async function read(): Promise<Lease | undefined> {
    try {
      return see(await leases.get(name, { timeoutMs }));
    } catch (error) {
      if (hasStatus(error, 404)) return undefined;
      throw error;
    }
  }

  return {
    async claim() {
      // A renewal mostly needs no look first.
      if (seen !== undefined && holder() === identity && (await write(seen.lease))) return true;
      const lease = await read();
      if (lease === undefined) return create();
      return isFree() && write(lease);
    },
    async release() {
      if (seen === undefined || holder() !== identity) return;
      const { resourceVersion } = seen.lease.metadata;
      const patch = { metadata: { resourceVersion }, spec: { holderIdentity: '', leaseDurationSeconds: 1 } };
      await wonBy(leases.mergePatch(name, patch, { timeoutMs }));
    },
    holder,
  };
}
