import type { createProductFamilies } from './families/product.ts';
import { SeriesBound } from './series-bound.ts';
import { frameworkLabel, languageLabel } from './technology.ts';

/** A finished scan, as its row says. */
export interface ScanMeasure {
  /** `namespace/name`, lower case. */
  readonly repo: string;
  readonly status: 'completed' | 'failed';
  /** How many vulnerabilities of each severity, of which there are few. */
  readonly severities: Readonly<Record<string, number>>;
}

interface TechnologyMeasure {
  /** `namespace/name`, lower case. */
  readonly repo: string;
  readonly language: string | undefined;
  readonly framework: string | undefined;
  /** Milliseconds; absent when nothing says how long it took. */
  readonly durationMs: number | undefined;
}

/** A finished validation. Tests that the client did not report are absent, not 0. */
export interface ValidationMeasure extends TechnologyMeasure {
  readonly status: 'completed' | 'failed' | 'inconclusive';
  readonly inverted: boolean;
  readonly tests: Readonly<Partial<Record<'generated' | 'passed' | 'failed', number>>>;
}

/** A finished mitigation. */
export interface MitigationMeasure extends TechnologyMeasure {
  readonly status: 'completed' | 'failed' | 'inconclusive';
  /** 0 to 100; absent when there is no score. */
  readonly trustScore: number | undefined;
  /** Since the first validation of the issue; present only when a pull request was opened. */
  readonly secondsToMitigate: number | undefined;
}

/** Records what the phases achieved. Call it after the commit, once for each row written, never before. */
export class ProductMetrics {
  readonly #families: ReturnType<typeof createProductFamilies>;
  readonly #bounds = new Map<string, SeriesBound>();
  readonly #seriesLimit: number;

  constructor(families: ReturnType<typeof createProductFamilies>, seriesLimit: number) {
    this.#families = families;
    this.#seriesLimit = seriesLimit;
  }

  recordScan({ repo, status, severities }: ScanMeasure): void {
    const { scanExecutions, scanVulnerabilities } = this.#families;
    scanExecutions.inc(this.#bound('scan', { repo, status }));
    for (const [severity, count] of Object.entries(severities))
      scanVulnerabilities.inc(this.#bound('severity', { repo, severity }), count);
  }

  recordValidation(measure: ValidationMeasure): void {
    const {
      validationExecutions,
      validationDuration,
      validationInverted,
      validationTests,
      validationTestReports,
    } = this.#families;
    const labels = this.#technology('validation', measure);
    validationExecutions.inc(this.#bound('validations', { ...labels, status: measure.status }));
    validationInverted.inc(labels, measure.inverted ? 1 : 0);
    if (measure.durationMs !== undefined) validationDuration.observe(labels, measure.durationMs);
    if (measure.tests.generated !== undefined) validationTestReports.inc(labels);
    for (const [outcome, count] of Object.entries(measure.tests)) {
      validationTests.inc(this.#bound('tests', { ...labels, outcome }), count);
    }
  }

  recordMitigation(measure: MitigationMeasure): void {
    const { mitigationExecutions, mitigationDuration, mitigationTrustScore, timeToMitigate } = this.#families;
    const labels = this.#technology('mitigation', measure);
    mitigationExecutions.inc(this.#bound('mitigations', { ...labels, status: measure.status }));
    if (measure.durationMs !== undefined) mitigationDuration.observe(labels, measure.durationMs);
    if (measure.trustScore !== undefined) mitigationTrustScore.observe(labels, measure.trustScore);
    if (measure.secondsToMitigate !== undefined) {
      timeToMitigate.observe(this.#bound('time', { repo: measure.repo }), measure.secondsToMitigate);
    }
  }

  /** Counts the transitions that one transaction recorded; `from` is null for a session that was born. */
  recordTransitions(transitions: readonly { readonly from: string | null; readonly to: string }[]): void {
    for (const { from, to } of transitions) {
      this.#families.transitions.inc({ from: from ?? 'none', to });
      this.#families.sessions.inc({ state: to });
    }
  }

  /** Sets how many sessions are open; undefined: another process counts them now. */
  showOpenSessions(counts: Readonly<Record<'pending' | 'active', number>> | undefined): void {
    const { open } = this.#families;
    if (counts === undefined) return open.reset();
    for (const [state, count] of Object.entries(counts)) open.set({ state }, count);
  }

  #technology(family: string, { repo, language, framework }: TechnologyMeasure) {
    const labels = { repo, language: languageLabel(language), framework: frameworkLabel(framework) };
    return this.#bound(family, labels);
  }

  #bound<Labels extends { readonly repo: string }>(family: string, labels: Labels): Labels {
    let bound = this.#bounds.get(family);
    if (bound === undefined) {
      bound = new SeriesBound(this.#seriesLimit);
      this.#bounds.set(family, bound);
    }
    return bound.admit(labels);
  }
}
