/** What Prometheus has scraped, and whether an alert fires then. */
export interface AlertCase {
  /** In what situation: it makes the sentence "fires when …", or "is silent when …". */
  readonly when: string;
  /** Samples by series, as promtool writes them. */
  readonly series: Readonly<Record<string, string>>;
  /** How long after the first sample it is looked at. */
  readonly at: string;
  /** Between two samples, and two looks at the rule; absent: a minute. */
  readonly step?: string;
}

/** The cases of one alert, of which there is one at least on either side. */
export interface AlertCases {
  readonly fires: readonly [FiringCase, ...FiringCase[]];
  readonly silent: readonly [AlertCase, ...AlertCase[]];
}

export interface FiringCase extends AlertCase {
  /** Of the one alert that fires, besides those of the rule. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** By the alert's name, and its window where there are several of the name. */
export type CasesByAlert = Readonly<Record<string, AlertCases>>;

/** The scrape labels of a controller that leads, and of one that did. */
export const LEADER = 'job="controller", instance="c1"';
export const FOLLOWER = 'job="controller", instance="c2"';

export const ELECTED = {
  [`leader_election_master_status{${LEADER}, name="phaserun-controller"}`]: '1+0x800',
  [`leader_election_master_status{${FOLLOWER}, name="phaserun-controller"}`]: '0+0x800',
};

/** Prometheus runs, and scrapes nothing of ours. */
export const NOTHING = { up: '1+0x800' };
