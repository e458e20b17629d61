import type { History } from './history.ts';
import type { Observer } from './observer.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

export interface FaultContext {
  readonly world: World;
  readonly history: History;
  readonly observer: Observer;
  readonly random: Random;
  /** Whether the run is a short one, in which no fault may take long. */
  readonly quick: boolean;
  /** Lets it last for some time between the two, in milliseconds; shorter when the run is over. */
  readonly hold: (shortest: number, longest: number) => Promise<void>;
}

/** Something that goes wrong for a while. */
export interface Fault {
  /** `kill-postgres`. */
  readonly name: string;
  /** What it does, for `--list`. */
  readonly title: string;
  /** What is out meanwhile, for all: the exception for opposite outages goes by it. */
  readonly outage?: 'cluster' | 'postgres';
  /** Why this machine cannot have it; undefined when it can. */
  readonly impossible?: (world: World) => string | undefined;
  /** Does it, lets it last, and undoes it, whatever happens. @returns whom it hit */
  run(context: FaultContext): Promise<string>;
}
