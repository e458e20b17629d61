import { isFinished } from '../domain/phase.ts';
import type { ArchivedRun } from '../domain/run.ts';
import type { ProductMetrics } from '../telemetry/product-metrics.ts';
import type { MeasuredRun } from './interpret.ts';

/**
 * Counts a run whose row was just written. A run is counted once, when it is finished: the archive says `inserted` or
 * `updated` in the one transaction that wrote the row as it is, and `unchanged` whenever it is looked at again.
 */
export function countRun(
  product: ProductMetrics,
  run: MeasuredRun,
  { disposition, secondsToFix }: ArchivedRun,
): void {
  if (!isFinished(run.status) || (disposition !== 'inserted' && disposition !== 'updated')) return;
  const { derived, measure, repository } = run;
  const repo = repository.fullPath.toLowerCase();
  const { language, framework, redGreen, trustScore } = derived;
  const technology = { repo, language, framework, durationMs: measure.durationMs ?? durationOf(run) };
  switch (run.phase) {
    case 'scan':
      product.recordScan({
        repo,
        status: run.status === 'failed' ? 'failed' : 'completed',
        severities: measure.severities,
      });
      return;
    case 'validation':
      product.recordValidation({
        ...technology,
        status: verdictOf(run, redGreen === 'inverted'),
        inverted: redGreen === 'inverted',
        tests: measure.tests,
      });
      return;
    case 'mitigation':
      product.recordMitigation({
        ...technology,
        status: verdictOf(run, redGreen === 'unproven'),
        trustScore,
        secondsToMitigate: secondsToFix,
      });
  }
}

function verdictOf(
  { status, measure }: MeasuredRun,
  isContradicted: boolean,
): 'completed' | 'failed' | 'inconclusive' {
  if (measure.isInconclusive) return 'inconclusive';
  return status === 'failed' || isContradicted ? 'failed' : 'completed';
}

function durationOf({ startedAt, completedAt }: MeasuredRun): number | undefined {
  if (startedAt === undefined || completedAt === undefined) return undefined;
  const ms = Date.parse(completedAt) - Date.parse(startedAt);
  return ms >= 0 ? ms : undefined;
}
