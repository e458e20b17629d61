import type { Fault, FaultContext } from './fault.ts';
import type { Link } from './link.ts';

interface Way {
  readonly name: string;
  readonly title: string;
  readonly spoil: (link: Link, context: FaultContext) => void;
  readonly longestMs: number;
}

const WAYS: readonly Way[] = [
  { name: 'reset', title: 'the open connections are broken', spoil: (link) => link.reset(), longestMs: 0 },
  {
    name: 'cut',
    title: 'connections are broken and refused',
    spoil: (link) => link.sever(),
    longestMs: 12_000,
  },
  { name: 'swallow', title: 'nothing arrives any more', spoil: (link) => link.swallow(), longestMs: 15_000 },
  {
    name: 'slow',
    title: 'everything arrives 50 to 800 ms later',
    spoil: (link, { random }) => link.delay(random.integer(50, 800)),
    longestMs: 15_000,
  },
];

/** What a link leads to, and whether it is lost to everybody with it. */
const GOALS = ['etcd', 'kube-apiserver', 'postgres', 'redis', 'api'] as const;

/** Of one process alone; kube-apiserver is the only one that calls etcd. */
export const LINK_FAULTS: readonly Fault[] = WAYS.flatMap(({ name, title, spoil, longestMs }) =>
  GOALS.map(
    (goal): Fault => ({
      name: `${name}-${goal}`,
      title: `between one process and ${goal}: ${title}`,
      ...((goal === 'etcd' || goal === 'kube-apiserver') && { outage: 'cluster' }),
      ...(goal === 'postgres' && { outage: 'postgres' }),
      impossible: ({ cache }) =>
        goal === 'redis' && cache === undefined ? 'this machine has no Redis' : undefined,
      async run(context) {
        const link = context.random.pick(
          context.world.links.filter((link) => link.name.includes(goal === 'api' ? 'runner>' : `>${goal}`)),
        );
        spoil(link, context);
        await context.hold(0, context.quick ? longestMs / 3 : longestMs);
        link.mend();
        return link.name;
      },
    }),
  ),
);
