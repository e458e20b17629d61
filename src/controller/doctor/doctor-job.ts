import type { Logger } from 'pino';
import { systemClock, pause } from '../../kube/clock.ts';
import type { KubeResource } from '../../kube/resource.ts';
import type { PhaseRun } from '../../resources/phase-run.ts';
import type { Connection } from '../../store/database.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { BackgroundJob } from '../background-job.ts';
import type { CachedPhaseRun } from '../phase-run-cache.ts';
import { DISCREPANCY_KINDS, type Discrepancy } from './discrepancy.ts';
import { examinePage, examineOpenSessions } from './doctor.ts';
import { examineRows, rowPages } from './examine-rows.ts';

/** The PhaseRuns as the controller has them. */
export interface DoctorObjects {
  /** Those that the informer knows. */
  readonly cached: () => readonly CachedPhaseRun[];
  /** Has a run archived again whose row is not as its receipt says. */
  readonly archiveAgain: (phaseRun: CachedPhaseRun) => void;
}

export interface DoctorJobOptions extends DoctorObjects {
  readonly pool: Connection;
  readonly phaseRuns: Pick<KubeResource<PhaseRun>, 'get'>;
  readonly metrics: Pick<Metrics, 'doctor'>;
  readonly logger: Logger;
}

const INTERVAL_MS = 10 * 60_000;
/** A low rate: 500 PhaseRuns a second, and a page of rows. */
const PHASE_RUNS_AT_ONCE = 100;
const PAUSE_MS = 200;
/** Pages of rows whose content is looked at in one round; the next round goes on from there. */
const ROW_PAGES_A_ROUND = 5;

/**
 * What the leader compares all the time, a little at once: receipts with rows, open sessions with executions, rows with
 * their digests. It has archived again what lacks its row; the rest it counts and tells.
 */
export function createDoctorJob(options: DoctorJobOptions): BackgroundJob {
  const { metrics, logger } = options;
  for (const kind of DISCREPANCY_KINDS) metrics.doctor.discrepancies.set({ kind }, 0);
  let rows = rowPages(options.pool);
  /** Of the present walk over all rows, which takes many rounds. */
  let damaged: Discrepancy[] = [];
  return {
    name: 'doctor',
    intervalMs: INTERVAL_MS,
    async run(signal) {
      const found = await examineCached(options, signal);
      found.push(...(await examineOpenSessions(options.pool)));
      for (let page = 0; page < ROW_PAGES_A_ROUND && !signal.aborted; page += 1) {
        const next = await rows.next();
        if (next.done) {
          rows = rowPages(options.pool);
          damaged = [];
          break;
        }
        damaged.push(...(await examineRows(options, next.value)));
        metrics.doctor.examined.inc({ what: 'execution' }, next.value.length);
        await pause(systemClock, PAUSE_MS, signal);
      }
      tell(options, [...found, ...damaged]);
    },
    end: () =>
      void rows.return(undefined).catch((error: unknown) => logger.debug({ err: error }, 'doctor ended')),
  };
}

async function examineCached(options: DoctorJobOptions, signal: AbortSignal): Promise<Discrepancy[]> {
  const { pool, metrics } = options;
  const found: Discrepancy[] = [];
  const all = options.cached();
  for (let at = 0; at < all.length && !signal.aborted; at += PHASE_RUNS_AT_ONCE) {
    const page = all.slice(at, at + PHASE_RUNS_AT_ONCE);
    for (const [phaseRun, finding] of await examinePage(pool, page)) {
      if (typeof finding !== 'object') continue;
      found.push(finding);
      if (finding.repair?.kind !== 'archive-again') continue;
      metrics.doctor.repairs.inc();
      options.archiveAgain(phaseRun);
    }
    metrics.doctor.examined.inc({ what: 'phaserun' }, page.length);
    await pause(systemClock, PAUSE_MS, signal);
  }
  return found;
}

function tell({ metrics, logger }: DoctorJobOptions, found: readonly Discrepancy[]): void {
  for (const kind of DISCREPANCY_KINDS) {
    const ofKind = found.filter((discrepancy) => discrepancy.kind === kind);
    metrics.doctor.discrepancies.set({ kind }, ofKind.length);
    const [first] = ofKind;
    if (first !== undefined) {
      logger.error(
        { kind, count: ofKind.length, first },
        'PhaseRuns and rows do not agree: see phaserun doctor',
      );
    }
  }
}
