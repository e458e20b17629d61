import { type FragmentSqlToken, sql } from 'slonik';
import type { Phase } from '../domain/phase.ts';
import type { RunSubject } from '../domain/slot.ts';

/** The table that holds the runs of a phase. */
export function executionsOf(phase: Phase): FragmentSqlToken {
  return TABLES[phase];
}

const TABLES: Readonly<Record<Phase, FragmentSqlToken>> = {
  scan: sql.fragment`scan_executions`,
  validation: sql.fragment`validation_executions`,
  mitigation: sql.fragment`mitigation_executions`,
};

/** Whether row `e` is in the slot of this run, its customer and repository aside. */
export function inSlot(run: RunSubject): FragmentSqlToken {
  if (run.phase !== 'scan') return sql.fragment`e.issue_number = ${run.issueNumber ?? null}::bigint`;
  if (run.commitSha !== undefined) return sql.fragment`e.commit_sha = ${run.commitSha}`;
  return sql.fragment`e.commit_sha IS NULL AND e.issue_number = ${run.issueNumber ?? null}::bigint`;
}

/** What a slot is known by, and so by which index it is read. */
export type SlotKind = Phase | 'scan_by_issue';

export function slotKindOf({ phase, commitSha }: RunSubject): SlotKind {
  return phase === 'scan' && commitSha === undefined ? 'scan_by_issue' : phase;
}

/** As {@link inSlot}, of a run that is a row `r` with its columns under the same names. */
export const IN_SLOT_OF_ROW: Readonly<Record<SlotKind, FragmentSqlToken>> = {
  scan: sql.fragment`e.commit_sha = r.commit_sha`,
  scan_by_issue: sql.fragment`e.commit_sha IS NULL AND e.issue_number = r.issue_number`,
  validation: sql.fragment`e.issue_number = r.issue_number`,
  mitigation: sql.fragment`e.issue_number = r.issue_number`,
};
