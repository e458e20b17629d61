import { createHash } from 'node:crypto';
import type { Phase } from './phase.ts';
import type { RepositoryName } from './run.ts';

/** What of a run decides where it belongs. */
export interface RunSubject {
  readonly phase: Phase;
  readonly issueNumber?: number | undefined;
  readonly commitSha?: string | undefined;
}

/**
 * What retrieve reads, and what is therefore taken one run at a time, in order: a scan by commit (by
 * issue when it has no commit), validation and mitigation by issue, sharing one slot.
 *
 * No two subjects share a spelling: a repository name holds none of `@`, `#` and `?`, so the first
 * of them ends it, and all that follows is the commit or the issue.
 * @throws {Error} when the run has neither, which parsing and the PhaseRun's own rules exclude
 */
export function slotOf(run: RunSubject & { readonly repository: RepositoryName }): string {
  const { forge, namespace, name } = run.repository;
  return `${forge}/${namespace}/${name}${slotKey(run)}`;
}

/** The session that a run drives, within its repository: `issue/1204`, `commit/7776c71` or `scan-issue/1204`. */
export function sessionSubject(run: RunSubject): string {
  if (run.phase !== 'scan') return `issue/${requireIssue(run)}`;
  return run.commitSha === undefined ? `scan-issue/${requireIssue(run)}` : `commit/${run.commitSha}`;
}

/** A slot as the value of a label: 160 bits of its SHA-256, in hex. */
export function slotLabel(slot: string): string {
  return createHash('sha256').update(slot).digest('hex').slice(0, 40);
}

/**
 * Name of the PhaseRun at this place of this slot: `nodegoat-1204-9a9bcb0cac23-48211`. The same place gives
 * the same name, whatever the phase, so that the second to claim it is told AlreadyExists. What
 * comes before the digest is for people.
 */
export function phaseRunName(slot: string, order: number): string {
  const [, name = '', subject = ''] = READABLE.exec(slot) ?? [];
  const readable = [name.slice(0, 40), subject.slice(0, 12), slotLabel(slot).slice(0, 12), order].join('-');
  return readable
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replace(/^-/, '');
}

/** The repository's own name, and the commit or issue. */
const READABLE = /^[^@#?]*\/([^@#?/]+)(?:[@#]|\?issue=)(.*)/s;

function slotKey(run: RunSubject): string {
  if (run.phase !== 'scan') return `#${requireIssue(run)}`;
  return run.commitSha === undefined ? `?issue=${requireIssue(run)}` : `@${run.commitSha}`;
}

function requireIssue(run: RunSubject): number {
  if (run.issueNumber === undefined)
    throw new Error(`a ${run.phase} run without commit needs an issue number`);
  return run.issueNumber;
}
