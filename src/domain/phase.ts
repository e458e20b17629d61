/** The three phases of a security run, in the order in which they follow each other. */
export const PHASES = ['scan', 'validation', 'mitigation'] as const;
export type Phase = (typeof PHASES)[number];

/** Where repositories live. */
export const FORGES = ['github', 'gitlab'] as const;
export type Forge = (typeof FORGES)[number];

/** How far a run has come; {@link isForward} says which moves are allowed. */
export const RUN_STATUSES = ['pending', 'running', 'completed', 'failed'] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** What clients send as `phase`, oldest spellings included, and what each means. */
export const PHASE_SPELLINGS: Readonly<Record<string, Phase>> = {
  scan: 'scan',
  validation: 'validation',
  validate: 'validation',
  mitigation: 'mitigation',
  mitigate: 'mitigation',
};

const RANK: Readonly<Record<RunStatus, number>> = { pending: 0, running: 1, completed: 2, failed: 2 };

/** Whether a run in `from` may go on to `to`; staying where it is counts as forward, leaving an end does not. */
export function isForward(from: RunStatus, to: RunStatus): boolean {
  return from === to || RANK[to] > RANK[from];
}

/** Whether nothing can follow: the run has ended, well or badly. */
export function isFinished(status: RunStatus): boolean {
  return status === 'completed' || status === 'failed';
}

/** The phase that a client means, by any of its spellings; undefined for anything else. */
export function parsePhase(spelling: string): Phase | undefined {
  return Object.hasOwn(PHASE_SPELLINGS, spelling) ? PHASE_SPELLINGS[spelling] : undefined;
}
