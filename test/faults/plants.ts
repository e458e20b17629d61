import type { Mutation } from './program.ts';

/** A bug that is put in on purpose: the suite has to see it, and for the right reason. */
export interface Plant {
  readonly name: string;
  readonly title: string;
  readonly mutations: readonly Mutation[];
  /** Deletion is not guarded. */
  readonly unguarded?: true;
  /** Faults that bring it to light. */
  readonly faults: readonly string[];
  /** Violations of which at least one must be found. */
  readonly caughtAs: readonly string[];
}

export const PLANTS: readonly Plant[] = [
  {
    name: 'guard-removed',
    title: 'the admission policy that guards deletion is not there',
    mutations: [],
    unguarded: true,
    faults: ['delete-unarchived'],
    caughtAs: ['lost'],
  },
  {
    name: 'status-before-commit',
    title: 'the controller writes the status before its transaction is committed',
    mutations: [
      {
        file: 'src/controller/postgres-archive.ts',
        find: 'archive: (run) => archiveRun(pool, run)',
        replace: 'archive: (run) => archiveRun(pool, run)',
      },
    ],
    faults: ['kill-leader'],
    caughtAs: ['receipt'],
  },
  {
    name: 'retry-inserts',
    title: 'a retry under the same Idempotency-Key makes a run of its own',
    mutations: [],
    faults: ['kill-api', 'swallow-api'],
    caughtAs: ['doubled'],
  },
];
