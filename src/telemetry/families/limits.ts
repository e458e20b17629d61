import { Counter, type Registry } from 'prom-client';
import { zeroCounter } from '../zero-series.ts';

/** What became of a request with an Idempotency-Key. */
export const IDEMPOTENCY_OUTCOMES = ['executed', 'replayed', 'in_flight', 'reused'] as const;
export type IdempotencyOutcome = (typeof IDEMPOTENCY_OUTCOMES)[number];

/** Whose requests were too many. */
export const RATE_LIMITS = ['customer', 'address'] as const;

/** Why a request was turned away: a late event loop, or too many requests at once. */
export const PRESSURES = ['event_loop', 'in_flight'] as const;

/** What the API does against too much: repeats, floods, and more than it can work on. */
export function createLimitMetrics(registry: Registry) {
  const registers = [registry];
  const idempotency = new Counter({
    name: 'phaserun_idempotency_requests_total',
    help: 'Requests with an Idempotency-Key, by what became of them.',
    labelNames: ['outcome'] as const,
    registers,
  });
  const rateLimited = new Counter({
    name: 'phaserun_rate_limited_requests_total',
    help: 'Requests that were refused for being too many, of a customer or of failures from an address.',
    labelNames: ['limit'] as const,
    registers,
  });
  const shed = new Counter({
    name: 'phaserun_shed_requests_total',
    help: 'Requests that were turned away under pressure, by what was under pressure.',
    labelNames: ['pressure'] as const,
    registers,
  });
  zeroCounter(idempotency, { outcome: IDEMPOTENCY_OUTCOMES });
  zeroCounter(rateLimited, { limit: RATE_LIMITS });
  zeroCounter(shed, { pressure: PRESSURES });
  return {
    idempotency,
    idempotencyExpired: new Counter({
      name: 'phaserun_idempotency_keys_deleted_total',
      help: 'Answers kept for retries that were deleted at the end of their time.',
      registers,
    }),
    rateLimited,
    shed,
  };
}
