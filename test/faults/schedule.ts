import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault, FaultContext } from './fault.ts';
import type { History } from './history.ts';
import type { Observer } from './observer.ts';
import type { Random } from './random.ts';
import { heal, untilDrained } from './recovery.ts';
import { now } from './runner.ts';
import type { World } from './world.ts';

export interface ScheduleOptions {
  readonly world: World;
  readonly history: History;
  readonly observer: Observer;
  readonly random: Random;
  readonly faults: readonly Fault[];
  readonly quick: boolean;
  /** Whether all of them come together each time, in their order. */
  readonly together: boolean;
  /** Aborts when no more faults are to begin, and those under way are to end. */
  readonly over: AbortSignal;
  readonly note: (message: string) => void;
}

const RECOVERED_WITHIN_MS = 120_000;

/**
 * Faults one after another: first each of them once, then at random, alone or in pairs. After each the world is healed, and
 * what was on its way has to arrive before the next one comes.
 * @returns how often each was there
 */
export async function runFaults(options: ScheduleOptions): Promise<ReadonlyMap<string, number>> {
  const { history, observer, random, over, note, world } = options;
  const times = new Map<string, number>();
  for (let step = 1; !over.aborted; step += 1) {
    const faults = drawStep(options, step);
    const from = now();
    const reports = await Promise.all(
      faults.map((fault, index) => runFault(options, fault, `${step}.${index}`)),
    );
    for (const { name } of faults) times.set(name, (times.get(name) ?? 0) + 1);
    await heal(world);
    const healed = now();
    const left = await untilDrained(world, observer, RECOVERED_WITHIN_MS);
    if (left !== undefined)
      history.violations.push({
        kind: 'stuck',
        message: `${RECOVERED_WITHIN_MS / 1000} s after ${faults.map(({ name }) => name).join(' and ')} there wait ${left}`,
      });
    if (isOpposite(faults)) history.exempt.push({ from, to: now() });
    const acknowledged = history.stores.filter(({ acks }) => acks.length > 0).length;
    note(
      `${reports.join(' and ')}: ${inSeconds(healed - from)}, recovered in ${inSeconds(now() - healed)}; ` +
        `${acknowledged} acknowledged, ${history.violations.length} violations`,
    );
    await sleep(random.integer(300, 2_000), undefined, { signal: over }).catch(() => undefined);
  }
  return times;
}

function drawStep({ faults, random, together }: ScheduleOptions, step: number): readonly Fault[] {
  if (together) return faults;
  const [first = random.pick(faults)] = random
    .fork('deck')
    .shuffle(faults)
    .slice(step - 1);
  if (step <= faults.length || faults.length < 2 || random.chance(0.4)) return [first];
  return random.shuffle(faults).slice(0, 2);
}

/** The cluster out for some, and Postgres for others or a moment later. */
function isOpposite(faults: readonly Fault[]): boolean {
  return new Set(faults.flatMap(({ outage }) => outage ?? [])).size === 2;
}

async function runFault(
  { world, history, observer, quick, over, random }: ScheduleOptions,
  fault: Fault,
  label: string,
): Promise<string> {
  const own = random.fork(`${label}/${fault.name}`);
  const context: FaultContext = {
    world,
    history,
    observer,
    quick,
    random: own,
    hold: (shortest, longest) =>
      sleep(shortest + own.next() * (longest - shortest), undefined, { signal: over }).catch(() => undefined),
  };
  // The second of a pair comes into the midst of the first.
  await context.hold(0, label.endsWith('.0') ? 0 : 3_000);
  return `${fault.name} (${await fault.run(context)})`;
}

function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
