import { compact } from './compact.ts';
import { isJsonObject } from './payload.ts';
import type { Phase } from './phase.ts';
import { readOutcomes } from './red-green.ts';
import type { JsonObject } from './run.ts';

export const SEVERITIES = ['critical', 'high', 'medium', 'low', 'info', 'unknown'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What is counted of a payload once its run is a row. */
export interface RunMeasure {
  /** Scans: vulnerabilities by severity; those without one of ours are under `unknown`. */
  readonly severities: Readonly<Partial<Record<Severity, number>>>;
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

function countSeverities(vulnerabilities: unknown): RunMeasure['severities'] {
  const counts: Partial<Record<Severity, number>> = {};
  for (const each of Array.isArray(vulnerabilities) ? vulnerabilities : []) {
    const severity = severityOf(each);
    counts[severity] = (counts[severity] ?? 0) + 1;
  }
  return counts;
}

function severityOf(vulnerability: unknown): Severity {
  const name: unknown = isJsonObject(vulnerability) ? vulnerability['severity'] : undefined;
  const lower = typeof name === 'string' ? name.toLowerCase() : undefined;
  return SEVERITIES.find((severity) => severity === lower) ?? 'unknown';
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
