import type { Section } from './section.ts';
import { cpuSection } from './sections/cpu.ts';
import { databaseSection } from './sections/database.ts';
import { drainSection } from './sections/drain.ts';
import { growthSection } from './sections/growth.ts';
import { latencySection } from './sections/latency.ts';
import { liveSection } from './sections/live.ts';
import { memorySection } from './sections/memory.ts';
import { plainOperatorSection } from './sections/plain-operator.ts';
import { retrieveSection } from './sections/retrieve.ts';
import { startupSection } from './sections/startup.ts';
import { storeSection } from './sections/store.ts';

/** Every part of the benchmark, in the order in which they run. */
export const SECTIONS: readonly Section[] = [
  startupSection,
  storeSection,
  retrieveSection,
  liveSection,
  latencySection,
  drainSection,
  plainOperatorSection,
  memorySection,
  cpuSection,
  databaseSection,
  growthSection,
];
