import type { DevTenant } from '../../src/cli/dev-tenants.ts';

/** What `retrieve` reads at one place: one phase of one issue, or the scan of one commit. */
export interface Series {
  /** `tenant-1/app-2 validation #7`. */
  readonly name: string;
  readonly tenant: DevTenant;
  readonly phase: 'scan' | 'validation' | 'mitigation';
  /** `owner/name`. */
  readonly repo: string;
  readonly issueNumber?: number;
  readonly commitSha: string;
  /** `calls`: each store follows the one before, however that ended, since the client kept it meanwhile. */
  readonly writing: 'in turn' | 'at once' | 'calls';
}

/** One result that a runner wanted to be kept, with all that it was told. Times are milliseconds of one clock. */
export interface Store {
  /** `w3-17`: writer and number; it stands in the payload. */
  readonly id: string;
  readonly series: Series;
  /** Of the payload. */
  readonly sha256: string;
  readonly status: 'running' | 'completed';
  /** Names what a running store and the completed one after it have in common. */
  readonly pipelineRunId?: string;
  /** Whether every try carried the same Idempotency-Key; without one there was a single try. */
  readonly keyed: boolean;
  readonly begunAt: number;
  tries: number;
  /** Every 200 and 202; empty: nobody knows what became of it. */
  readonly acks: Acknowledgement[];
}

export interface Acknowledgement {
  /** Absent where the client carried it there later, and was not told. */
  readonly id?: string;
  /** 200: it is a row. */
  readonly persisted: boolean;
  readonly at: number;
}

/** What `retrieve` answered with 200. */
export interface Read {
  readonly series: Series;
  readonly begunAt: number;
  readonly by: string;
  /** Of what it found; undefined when it found nothing. */
  readonly sha256: string | undefined;
}

/** A promise that was not kept. */
export interface Violation {
  readonly kind: string;
  readonly series?: string;
  /** What was acknowledged, and what is there. */
  readonly message: string;
}

/** All that happened, as those outside saw it. */
export interface History {
  readonly stores: Store[];
  readonly reads: Read[];
  /** Found under way: by the observer, by faults, by runners. */
  readonly violations: Violation[];
  /** Spans with opposite outages in a row, in which server time decides the order of stores. */
  readonly exempt: { from: number; to: number }[];
  readonly counts: Record<string, number>;
}

export function createHistory(): History {
  return { stores: [], reads: [], violations: [], exempt: [], counts: {} };
}

export function count(history: History, what: string): void {
  history.counts[what] = (history.counts[what] ?? 0) + 1;
}

/** When it was first acknowledged; later than everything when it never was. */
export function acknowledgedAt({ acks }: Store): number {
  return acks[0]?.at ?? Infinity;
}
