import { setTimeout as sleep } from 'node:timers/promises';
import { undefinedIfGone } from '../../src/kube/kube-error.ts';
import { PHASE_RUNS, type PhaseRun } from '../../src/resources/phase-run.ts';
import type { Fault, FaultContext } from './fault.ts';
import { summarise } from './observer.ts';
import { patiently } from './patience.ts';

/** What happens to the data of the stores, and to objects before they are archived. */
export const STORE_FAULTS: readonly Fault[] = [
  {
    name: 'fill-disk',
    title: 'the disk of Postgres is full for a while',
    outage: 'postgres',
    impossible: ({ database }) =>
      database.disk === undefined ? 'mounting a file system of its own takes root' : undefined,
    async run({ world, hold, quick }) {
      const { disk, postgres } = world.database;
      await disk?.fill();
      await hold(1_000, quick ? 4_000 : 10_000);
      await disk?.makeRoom();
      // Without room for its log it ends itself, and is started again like anything that ends.
      await postgres.start();
      return 'postgres';
    },
  },
  {
    name: 'compact-etcd',
    title: 'the history of watches is compacted away while they are cut, so that they start anew (410)',
    outage: 'cluster',
    async run({ world, hold }) {
      const { kube, etcdUrl } = world.cluster;
      const watching = world.links.filter(({ name }) => name.endsWith('>kube-apiserver'));
      for (const link of watching) link.sever();
      try {
        await hold(500, 2_000);
        await patiently(() => compact(etcdUrl()));
        // Its watch cache still knows what etcd forgot.
        await kube.kill();
        await kube.start();
      } finally {
        for (const link of watching) link.mend();
      }
      return 'etcd';
    },
  },
  {
    name: 'delete-unarchived',
    title:
      'kubectl delete of PhaseRuns that are not archived yet, with and without --wait=false, which must be refused',
    run: deleteUnarchived,
  },
];

/** etcd's own API over HTTP: https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/ */
async function compact(etcdUrl: string): Promise<void> {
  const ask = async (path: string, body: object) => {
    const answer = await fetch(`${etcdUrl}/v3/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(5_000),
    });
    return (await answer.json()) as { header?: { revision?: string } };
  };
  const { header } = await ask('kv/range', { key: Buffer.from('/').toString('base64') });
  await ask('kv/compaction', { revision: header?.revision, physical: true });
}

/** Stops archiving, deletes what waits, and lets it go on. */
async function deleteUnarchived({ world, history, observer, random, hold }: FaultContext): Promise<string> {
  const controllers = world.controllers.map(({ part }) => part);
  const phaseRuns = world.kube.resource<PhaseRun>(PHASE_RUNS);
  for (const part of controllers) await part.freeze();
  let asked = 0;
  try {
    for (const deadline = Date.now() + 4_000; observer.unsettled().length < 3 && Date.now() < deadline; )
      await sleep(50);
    // A run that is just being archived may be so by now: only what has waited counts.
    await hold(500, 1_000);
    for (const { metadata } of random.shuffle(observer.unsettled()).slice(0, 3)) {
      const { namespace, name } = metadata;
      // The observer may be behind on a busy machine; nobody archives while the controllers are frozen.
      const found = await patiently(() => phaseRuns.get({ namespace, name }).catch(undefinedIfGone));
      if (found === undefined || summarise(found).settled) continue;
      asked += 1;
      const wait = asked % 2 === 0 ? ['--wait=false'] : ['--timeout=5s'];
      const deleted = await world.kubectl(['delete', 'phaserun', name, '-n', namespace, ...wait]);
      if (deleted.ok)
        history.violations.push({
          kind: 'guard',
          message: `${namespace}/${name} was deleted before it was archived: ${deleted.output}`,
        });
    }
  } finally {
    for (const part of controllers) part.thaw();
  }
  return `${asked} PhaseRuns`;
}
