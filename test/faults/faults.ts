import type { Fault } from './fault.ts';
import { LINK_FAULTS } from './link-faults.ts';
import { NAMESPACE_FAULT } from './namespace-fault.ts';
import { LEADER_FAULTS, PROCESS_FAULTS } from './process-faults.ts';
import { STORE_FAULTS } from './store-faults.ts';

/** All that can go wrong. */
export const FAULTS: readonly Fault[] = [
  ...PROCESS_FAULTS,
  ...LEADER_FAULTS,
  ...LINK_FAULTS,
  ...STORE_FAULTS,
  NAMESPACE_FAULT,
];
