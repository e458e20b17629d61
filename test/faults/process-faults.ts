import type { Fault, FaultContext } from './fault.ts';
import type { Part } from './part.ts';
import type { World } from './world.ts';

interface Victim {
  readonly name: string;
  readonly outage?: 'cluster' | 'postgres';
  readonly find: (context: FaultContext) => Promise<Part>;
  readonly impossible?: (world: World) => string | undefined;
}

const LEASE = '/apis/coordination.k8s.io/v1/namespaces/phaserun-system/leases/phaserun-controller';

/** Of the controllers; the first one while nobody leads. */
async function findLeader({ kube, controllers }: World): Promise<Part> {
  const lease = await kube.request({ method: 'GET', path: LEASE, timeoutMs: 2_000 }).catch(() => undefined);
  const { holderIdentity = '' } = (lease as { spec?: { holderIdentity?: string } } | undefined)?.spec ?? {};
  const leading =
    controllers.find(({ part }) => holderIdentity.startsWith(`${part.name}_`)) ?? controllers[0];
  if (leading === undefined) throw new Error('there is no controller');
  return leading.part;
}

async function findStandby(world: World): Promise<Part> {
  const leader = await findLeader(world);
  return world.controllers.find(({ part }) => part !== leader)?.part ?? leader;
}

const VICTIMS: readonly Victim[] = [
  { name: 'api', find: ({ world, random }) => Promise.resolve(random.pick(world.apis).part) },
  { name: 'leader', find: ({ world }) => findLeader(world) },
  { name: 'standby', find: ({ world }) => findStandby(world) },
  { name: 'postgres', outage: 'postgres', find: ({ world }) => Promise.resolve(world.database.postgres) },
  { name: 'etcd', outage: 'cluster', find: ({ world }) => Promise.resolve(world.cluster.etcd) },
  { name: 'kube-apiserver', outage: 'cluster', find: ({ world }) => Promise.resolve(world.cluster.kube) },
  {
    name: 'redis',
    impossible: ({ cache }) => (cache === undefined ? 'this machine has no Redis' : undefined),
    find: ({ world: { cache } }) =>
      cache === undefined ? Promise.reject(new Error('there is no Redis')) : Promise.resolve(cache.redis),
  },
];

export const PROCESS_FAULTS: readonly Fault[] = VICTIMS.flatMap(({ find, ...victim }): Fault[] => [
  {
    ...victim,
    name: `kill-${victim.name}`,
    title: `SIGKILL to ${victim.name}, which is started again a little later`,
    async run(context: FaultContext) {
      const part = await find(context);
      await part.kill();
      await context.hold(0, 4_000);
      await part.start();
      return part.name;
    },
  },
  {
    ...victim,
    name: `term-${victim.name}`,
    title: `${victim.name} is asked to end, and started again a little later`,
    async run(context: FaultContext) {
      const part = await find(context);
      const ended = await part.stop();
      await context.hold(0, 4_000);
      await part.start();
      return ended ? part.name : `${part.name}, which did not end by itself`;
    },
  },
  {
    ...victim,
    name: `freeze-${victim.name}`,
    title: `SIGSTOP to ${victim.name} for up to half a minute: it keeps its connections and answers nothing`,
    async run(context: FaultContext) {
      const part = await find(context);
      await part.freeze();
      if (context.quick) await context.hold(3_000, 7_000);
      else await context.hold(5_000, 30_000);
      part.thaw();
      return part.name;
    },
  },
]);

export const LEADER_FAULTS: readonly Fault[] = [
  {
    name: 'two-leaders',
    title: 'the leader is frozen for longer than its lease, so that it wakes up beside another leader',
    async run({ world, hold }) {
      const leader = await findLeader(world);
      await leader.freeze();
      await hold(22_000, 32_000);
      leader.thaw();
      return leader.name;
    },
  },
  {
    name: 'skew-clock',
    title: 'a replica of the API or the controller is started again with a clock that is an hour off',
    async run({ world, random, hold, quick }) {
      const role = random.pick([...world.apis, ...world.controllers]);
      const hours = random.pick([-1, 1]);
      role.setClock(hours * 3_600_000);
      await role.part.stop();
      await role.part.start();
      await hold(4_000, quick ? 6_000 : 30_000);
      role.setClock(0);
      await role.part.stop();
      await role.part.start();
      return `${role.part.name}, ${hours > 0 ? 'ahead' : 'behind'}`;
    },
  },
];
