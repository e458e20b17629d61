import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { judge, type Verdict } from './checker.ts';
import { type Evidence, gatherEvidence } from './evidence.ts';
import type { Fault } from './fault.ts';
import { createHistory, type History } from './history.ts';
import { startLoad } from './load.ts';
import { startObserver } from './observer.ts';
import type { Plant } from './plants.ts';
import { createRandom } from './random.ts';
import { heal, untilDrained } from './recovery.ts';
import { runFaults } from './schedule.ts';
import { type Sample, soak } from './soak.ts';
import { startWorld } from './world.ts';

export interface TrialOptions {
  readonly seed: number;
  readonly seconds: number;
  /** Longest pause of a runner between two stores. */
  readonly pauseMs: number;
  readonly faults: readonly Fault[];
  readonly plant: Plant | undefined;
  /** Instead of faults: so many results, and what they cost in memory and on disk. */
  readonly soakRuns: number | undefined;
  /** Holds data and logs. */
  readonly directory: string;
  readonly note: (message: string) => void;
  /** Ends it early. */
  readonly signal: AbortSignal;
}

export interface Trial {
  readonly verdict: Verdict;
  readonly history: History;
  readonly series: number;
  /** How often each fault was there. */
  readonly faults: ReadonlyMap<string, number>;
  /** Faults that this machine cannot have, and why. */
  readonly impossible: ReadonlyMap<string, string>;
  readonly samples: readonly Sample[];
}

const SOAK_PAUSE_MS = 200;
const SETTLED_WITHIN_MS = 120_000;
/** Shorter than this, no fault lasts long. */
const QUICK_BELOW_SECONDS = 300;

/** Starts everything, loads it while faults come and go, lets it settle, and judges. Ends everything however that went. */
export async function runTrial(options: TrialOptions): Promise<Trial> {
  const { directory, note, plant, seconds, signal } = options;
  const random = createRandom(String(options.seed));
  const history = createHistory();
  await using opened = new AsyncDisposableStack();
  const world = await startWorld(
    {
      directory,
      note,
      apis: 2,
      controllers: 2,
      tenants: 3,
      mutations: plant?.mutations ?? [],
      guarded: plant?.unguarded !== true,
      onCrash: (name) =>
        history.violations.push({ kind: 'crash', message: `${name} ended though nobody ended it` }),
    },
    opened,
  );
  const observer = startObserver(world, history);
  opened.defer(() => observer.stop());

  const impossible = new Map(
    options.faults.flatMap(({ name, impossible }) => {
      const why = impossible?.(world);
      return why === undefined ? [] : [[name, why] as const];
    }),
  );
  await mkdir(join(directory, 'clients'), { recursive: true });
  const load = startLoad({
    world,
    history,
    random: random.fork('load'),
    directory: join(directory, 'clients'),
    inTurn: 24,
    atOnce: 3,
    clients: 3,
    pauseMs: options.soakRuns === undefined ? options.pauseMs : SOAK_PAUSE_MS,
  });
  await sleep(2_000, undefined, { signal }).catch(() => undefined);
  const { soakRuns } = options;
  const soaked =
    soakRuns === undefined ? undefined : await soak({ world, history, over: signal }, soakRuns, note);
  const over = soaked ? AbortSignal.abort() : AbortSignal.any([signal, AbortSignal.timeout(1_000 * seconds)]);
  const faults = await runFaults({
    world,
    history,
    observer,
    note,
    over,
    random: random.fork('faults'),
    faults: options.faults.filter(({ name }) => !impossible.has(name)),
    quick: seconds < QUICK_BELOW_SECONDS,
    together: plant !== undefined,
  });

  note('letting it settle');
  await heal(world);
  await load.stop();
  const left = await untilDrained(world, observer, SETTLED_WITHIN_MS);
  if (left !== undefined)
    history.violations.push({ kind: 'stuck', message: `at the end there wait ${left}` });
  await observer.finish();
  const samples = soaked === undefined ? [] : [...soaked.samples, await soaked.last()];
  const evidence = new Map<string, Evidence>();
  for (const { customerId } of world.tenants)
    evidence.set(customerId, await gatherEvidence(world.pool, customerId));
  return {
    verdict: judge(history, evidence),
    history,
    series: load.series.length,
    faults,
    impossible,
    samples,
  };
}
