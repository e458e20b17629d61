/** `critical`: somebody is to look now. `warning`: today. `info`: worth knowing. */
export type Severity = 'critical' | 'warning' | 'info';

/** A rule of Prometheus that tells somebody. */
export interface Alert {
  /** CamelCase; the page `docs/runbooks/<name>.md` says what to do. */
  readonly name: string;
  readonly severity: Severity;
  /** PromQL: fires while it has results. */
  readonly expr: string;
  /** How long it has to hold; absent: not at all. */
  readonly for?: string;
  /** What is wrong, in a line; a template of Prometheus, like `description`. */
  readonly summary: string;
  /** What that means, with values. */
  readonly description: string;
  /** Besides `severity`; it tells rules of one name apart. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** Alerts that are evaluated one after another. */
export interface AlertGroup {
  readonly name: string;
  readonly interval: string;
  readonly alerts: readonly Alert[];
}
