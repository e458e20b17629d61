import type { Phase } from './phase.ts';

/** Instead of a number of days. */
export const FOREVER = 0;

/** Longest time in days that can be asked for. */
const MOST_DAYS = 36_500;

/** How long a PhaseRun may live after it was archived: `spec.ttlSecondsAfterArchived` at most. */
const GREATEST_TTL_DAYS = 7;

/** How long the results of runs are kept, in whole days; {@link FOREVER} where they are. */
export interface RetentionPolicy {
  /** From the last change of the row, or the last run that repeated it. */
  readonly executionDays: number;
  /** The data alone, for as long; for ever is as long as the row. */
  readonly payloadDays: number;
}

/** How long what grows is kept, in whole days; {@link FOREVER} where it is. */
export interface RetentionSettings extends RetentionPolicy {
  /** Closed sessions, of which no execution is left. */
  readonly sessionDays: number;
  readonly taskDays: number;
  readonly approvalDays: number;
  /** Runs whose content Postgres refused. */
  readonly quarantineDays: number;
  /** What keeps runs that were purged or deleted from coming back. */
  readonly tombstoneDays: number;
}

/** Where a customer departs from the settings: for one phase, or for all that have nothing of their own. */
export interface RetentionOverride {
  readonly phase: Phase | null;
  /** Null: as elsewhere. */
  readonly executionDays: number | null;
  readonly payloadDays: number | null;
}

/** What else keeps things for a time. */
export interface OtherLifetimes {
  readonly sessionRetentionDays: number;
  /** Undefined: keys are not heeded. */
  readonly idempotencyTtlSeconds: number | undefined;
}

/** Reads a whole number of days, of which 0 is for ever, or the word `forever`; undefined for anything else. */
export function parseRetentionDays(text: string): number | undefined {
  if (text === 'forever') return FOREVER;
  const days = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  return days <= MOST_DAYS ? days : undefined;
}

/** What {@link parseRetentionDays} takes, after the name of what it is for. */
export const RETENTION_DAYS_RULE = `must be a whole number of days up to ${MOST_DAYS}, or forever`;

export function describeRetention(days: number): string {
  return days === FOREVER ? 'forever' : `${days}d`;
}

/** What holds for the runs of a phase: its own override, else that for all phases, else the settings. */
export function effectivePolicy(
  phase: Phase,
  overrides: readonly RetentionOverride[],
  defaults: RetentionPolicy,
): RetentionPolicy {
  const layers = [
    overrides.find((override) => override.phase === phase),
    overrides.find((override) => override.phase === null),
  ];
  const first = (field: keyof RetentionPolicy) =>
    layers.map((layer) => layer?.[field]).find((days) => days !== undefined && days !== null) ??
    defaults[field];
  return { executionDays: first('executionDays'), payloadDays: first('payloadDays') };
}

/** What a rule calls the two values that it compares. */
export interface PolicyNames {
  readonly executionDays: string;
  readonly payloadDays: string;
}

/**
 * Finds where a policy goes against itself, or against what else is set: each in a sentence that names both and what to do.
 */
export function findPolicyContradictions(
  { executionDays, payloadDays }: RetentionPolicy,
  names: PolicyNames,
  { sessionRetentionDays, idempotencyTtlSeconds }: OtherLifetimes,
): string[] {
  const rows = { name: names.executionDays, days: executionDays };
  return [
    atLeast(rows, {
      name: 'the greatest spec.ttlSecondsAfterArchived',
      days: GREATEST_TTL_DAYS,
      why: 'a PhaseRun would outlive the row that it names',
    }),
    atLeast(rows, {
      name: 'SESSION_RETENTION_DAYS',
      days: sessionRetentionDays,
      why: 'a session that is still open would lose its runs',
    }),
    atLeast(rows, idempotencyTtl(idempotencyTtlSeconds, 'a retry would be answered with a run that is gone')),
    atLeast(rows, {
      name: names.payloadDays,
      days: payloadDays,
      why: 'data goes with its row at the latest',
    }),
  ].flat();
}

/** The same for all settings, by the names of their variables. */
export function findContradictions(settings: RetentionSettings, others: OtherLifetimes): string[] {
  const { idempotencyTtlSeconds, sessionRetentionDays } = others;
  const tasks = { name: 'TASK_RETENTION_DAYS', days: settings.taskDays };
  return [
    findPolicyContradictions(
      settings,
      { executionDays: 'EXECUTION_RETENTION_DAYS', payloadDays: 'PAYLOAD_RETENTION_DAYS' },
      others,
    ),
    atLeast(tasks, {
      name: 'SESSION_RETENTION_DAYS',
      days: sessionRetentionDays,
      why: 'a session that is still open would lose its task',
    }),
    atLeast(
      tasks,
      idempotencyTtl(idempotencyTtlSeconds, 'a retry would be answered with a task that is gone'),
    ),
    atLeast(
      { name: 'TOMBSTONE_RETENTION_DAYS', days: settings.tombstoneDays },
      idempotencyTtl(idempotencyTtlSeconds, 'a retry would bring back what was purged'),
    ),
  ].flat();
}

interface Lifetime {
  readonly name: string;
  readonly days: number;
}

interface Floor extends Lifetime {
  /** How its value is shown; absent: in days. */
  readonly shown?: string;
  readonly why: string;
}

function idempotencyTtl(seconds = 0, why: string): Floor {
  return {
    name: 'IDEMPOTENCY_TTL_SECONDS',
    days: Math.ceil(seconds / 86_400),
    shown: `${seconds} seconds`,
    why,
  };
}

function atLeast({ name, days }: Lifetime, floor: Floor): string[] {
  if (days === FOREVER || days >= floor.days) return [];
  const shown = floor.shown ?? `${floor.days} days`;
  return [
    `${name} is ${days} days, which is less than ${floor.name} (${shown}): ${floor.why}. ` +
      `Set ${name} to at least ${floor.days}, or forever` +
      (floor.name.startsWith('the ') ? '' : `, or lower ${floor.name}`),
  ];
}
