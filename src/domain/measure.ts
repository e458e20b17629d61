import { compact } from './compact.ts';
import { isJsonObject } from './payload.ts';
import type { Phase } from './phase.ts';
import { readOutcomes } from './red-green.ts';
import type { JsonObject } from './run.ts';

/** What is counted of a payload once its run is a row; nothing of it is stored. */
export interface RunMeasure {
  /** Scans: vulnerabilities by severity, as the client spells it; those without one are under `unknown`. */
  readonly severities: Readonly<Record<string, number>>;
  /** No verdict was reached, through nobody's fault: the run leaves the success rate. */
  readonly isInconclusive: boolean;
  /** Milliseconds, where the client says. */
  readonly durationMs?: number;
  /** What the client did not report is absent, not 0. */
  readonly tests: { readonly generated?: number; readonly passed?: number; readonly failed?: number };
}

/** Reads what is counted; never throws, whatever the shape. */
export function measureResult(phase: Phase, data: JsonObject): RunMeasure {
  return compact({
    severities: phase === 'scan' ? countSeverities(data['vulnerabilities']) : {},
    isInconclusive: data['validationInconclusive'] === true || readOutcomes(data).infrastructureFailed,
    durationMs: asCount(data['durationMs']),
    tests: phase === 'validation' ? countTests(data) : {},
  });
}

function countSeverities(vulnerabilities: unknown): Record<string, number> {
  const counts = new Map<string, number>();
  for (const each of Array.isArray(vulnerabilities) ? vulnerabilities : []) {
    const severity: unknown = isJsonObject(each) ? each['severity'] : undefined;
    const name = typeof severity === 'string' ? severity.toLowerCase() : 'unknown';
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return Object.fromEntries(counts);
}

function countTests(data: JsonObject): RunMeasure['tests'] {
  return compact({
    generated:
      asCount(data['tests_generated'] ?? data['testsGenerated']) ??
      countGenerated(data['redTests']) ??
      countGenerated(data['generatedTests']),
    passed: asCount(data['tests_passed'] ?? data['testsPassed']),
    failed: asCount(data['tests_failed'] ?? data['testsFailed']),
  });
}

/** A list of tests, a document around one (`{ redTests: […] }`), a count (`{ count }`), or tests by name. */
function countGenerated(tests: unknown): number | undefined {
  if (Array.isArray(tests)) return tests.length;
  if (!isJsonObject(tests)) return undefined;
  const { redTests, count } = tests;
  if (Array.isArray(redTests)) return redTests.length;
  return asCount(count) ?? Object.values(tests).filter(isJsonObject).length;
}

function asCount(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}
