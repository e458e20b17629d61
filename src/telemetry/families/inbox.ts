import { Counter, Gauge, type Registry } from 'prom-client';
import { zeroCounter } from '../zero-series.ts';

/**
 * What became of a store in the inbox: `published` as a PhaseRun; `refused` by Kubernetes for its content, and quarantined;
 * `postponed`, to be tried again.
 */
export const INBOX_OUTCOMES = ['published', 'refused', 'postponed'] as const;
export type InboxOutcome = (typeof INBOX_OUTCOMES)[number];

/** Results that were accepted while Kubernetes was away. */
export function createInboxMetrics(registry: Registry) {
  const registers = [registry];
  const outcomes = new Counter({
    name: 'phaserun_inbox_attempts_total',
    help: 'Attempts of the leader to make PhaseRuns of what is in the inbox, by outcome.',
    labelNames: ['outcome'] as const,
    registers,
  });
  zeroCounter(outcomes, { outcome: INBOX_OUTCOMES });
  return {
    outcomes,
    full: new Counter({
      name: 'phaserun_inbox_full_total',
      help: 'Store requests answered with 503 because Kubernetes was away and the inbox was full.',
      registers,
    }),
    runs: new Gauge({
      name: 'phaserun_inbox_runs',
      help: 'Stores in the inbox, of which no PhaseRun was made yet; 0 on who does not lead.',
      registers,
    }),
    bytes: new Gauge({
      name: 'phaserun_inbox_bytes',
      help: 'Bytes of the payloads of what is in the inbox; 0 on who does not lead.',
      registers,
    }),
    oldestAge: new Gauge({
      name: 'phaserun_inbox_oldest_age_seconds',
      help: 'Seconds since the oldest store in the inbox was accepted; 0 on who does not lead.',
      registers,
    }),
  };
}
