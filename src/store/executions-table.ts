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
