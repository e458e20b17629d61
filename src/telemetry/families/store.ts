import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { zeroCounter, zeroHistogram } from '../zero-series.ts';

/** The steps of a store request in their order; `normalise` includes checking, `auth` the one admission statement, `payload` what is too large for a PhaseRun. */
export const STORE_STAGES = ['normalise', 'auth', 'payload', 'create', 'wait'] as const;
export type StoreStage = (typeof STORE_STAGES)[number];

/** Where a result was durable when it was acknowledged. */
export const DURABILITIES = ['row', 'object', 'inbox'] as const;
export type Durability = (typeof DURABILITIES)[number];

/** What becomes of the credentials of a request; `unavailable`: the issuer of the token could not be asked. */
export const AUTH_OUTCOMES = ['accepted', 'missing', 'invalid', 'scope', 'namespace', 'unavailable'] as const;
export type AuthOutcome = (typeof AUTH_OUTCOMES)[number];

/** Why a store was refused that the database could not decide on: the last is for stores that it did let in, too. */
export const REFUSALS_WITHOUT_DATABASE = ['caller', 'history', 'payload', 'place', 'backlog'] as const;
export type RefusalWithoutDatabase = (typeof REFUSALS_WITHOUT_DATABASE)[number];

/** The store request, stage by stage, and who was let in. */
export function createStoreMetrics(registry: Registry) {
  const registers = [registry];
  const stage = new Histogram({
    name: 'phaserun_store_stage_duration_seconds',
    help: 'Seconds that a store request spent in each stage.',
    labelNames: ['stage'] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const acknowledged = new Counter({
    name: 'phaserun_store_acknowledged_total',
    help: 'Store requests answered with 2xx, by where the result was durable: as a row, as a PhaseRun, or in the inbox.',
    labelNames: ['durability'] as const,
    registers,
  });
  const authentication = new Counter({
    name: 'phaserun_auth_outcomes_total',
    help: 'Requests to protected routes by what became of their credentials.',
    labelNames: ['outcome'] as const,
    registers,
  });
  const refusedWithoutDatabase = new Counter({
    name: 'phaserun_store_refused_without_postgres_total',
    help: 'Stores refused because Postgres was away: caller not known, history, payload too large, no place left, or too much not archived.',
    labelNames: ['reason'] as const,
    registers,
  });
  zeroCounter(refusedWithoutDatabase, { reason: REFUSALS_WITHOUT_DATABASE });
  zeroHistogram(stage, { stage: STORE_STAGES });
  zeroCounter(acknowledged, { durability: DURABILITIES });
  zeroCounter(authentication, { outcome: AUTH_OUTCOMES });
  return {
    stage,
    acknowledged,
    authentication,
    refusedWithoutDatabase,
    databaseAway: new Gauge({
      name: 'phaserun_store_postgres_away',
      help: '1 while this process takes Postgres to be away, and stores go on without it.',
      registers,
    }),
    knownCallers: new Counter({
      name: 'phaserun_store_known_callers_used_total',
      help: 'Stores that were let in by an earlier decision of Postgres, because it was away.',
      registers,
    }),
    withoutDatabase: new Counter({
      name: 'phaserun_store_without_postgres_total',
      help: 'Stores that were acknowledged without Postgres.',
      registers,
    }),
    unarchived: new Gauge({
      name: 'phaserun_store_unarchived_phaseruns',
      help: 'PhaseRuns of the cluster that are not archived, as this process counts them while there is trouble; else 0.',
      registers,
    }),
    unarchivedBytes: new Gauge({
      name: 'phaserun_store_unarchived_bytes',
      help: 'Bytes of payload in the PhaseRuns that are not archived, counted likewise.',
      registers,
    }),
  };
}
