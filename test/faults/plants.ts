import type { Mutation } from './program.ts';

/** A bug that is put in on purpose: the suite has to see it, and for the right reason. */
export interface Plant {
  readonly name: string;
  readonly title: string;
  readonly mutations: readonly Mutation[];
  /** Deletion is not guarded. */
  readonly unguarded?: true;
  /** Faults that bring it to light: all of them together, each a little after the one before. */
  readonly faults: readonly string[];
  /** Kinds of violation, one of which must be found. */
  readonly caughtAs: readonly string[];
}

const BEFORE_COMMIT = `
function beforeCommit(pool: any, work: (transaction: any) => Promise<any>): Promise<any> {
  return new Promise((resolve, reject) => {
    pool.transaction(async (transaction: any) => {
      const outcome = await work(transaction);
      resolve(outcome);
      await new Promise((done) => setTimeout(done, 300));
      return outcome;
    }).catch(reject);
  });
}
`;

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
    title: 'the controller writes a status before the transaction is committed',
    mutations: [
      {
        file: 'src/store/archive.ts',
        find: 'return await pool.transaction((transaction) => archiveUnlocked(',
        replace: 'return await beforeCommit(pool, (transaction) => archiveUnlocked(',
      },
      {
        file: 'src/store/archive.ts',
        find: 'async function archiveUnlocked(',
        replace: `${BEFORE_COMMIT}\nasync function archiveUnlocked(`,
      },
    ],
    faults: ['reset-postgres'],
    caughtAs: ['receipt'],
  },
  {
    name: 'retry-inserts',
    title: 'a retry under the same Idempotency-Key makes a run of its own',
    mutations: [
      {
        file: 'src/api/store-once.ts',
        find: 'keyedRunId({ customerId, key, fingerprint: once.fingerprint })',
        replace: 'keyedRunId({ customerId, key, fingerprint: `${once.fingerprint}${Math.random()}` })',
      },
      // Two equal neighbours would become one row all the same.
      {
        file: 'src/store/archive-decision.ts',
        find: '.find((neighbour) => neighbour?.equal === true)',
        replace: '.find(() => false)',
      },
      // Or a retry after a crash would come too late for a short run.
      { file: 'src/api/store-once.ts', find: 'LEASE_SECONDS = 15', replace: 'LEASE_SECONDS = 1' },
    ],
    faults: ['freeze-leader', 'kill-api'],
    caughtAs: ['doubled'],
  },
  {
    name: 'inbox-row-dropped',
    title: 'what the inbox holds is deleted without being published',
    mutations: [
      {
        file: 'src/controller/inbox-publisher.ts',
        find: 'await publishStore(options, claim, { namespace, isRow });',
        replace: '',
      },
    ],
    faults: ['kill-kube-apiserver'],
    caughtAs: ['lost'],
  },
  {
    name: 'answer-before-row',
    title: 'a result that is not a row yet is answered with 200',
    mutations: [
      {
        file: 'src/api/store-settle.ts',
        find: 'return { id: runId, persisted: false, phaseRun, session: undefined };',
        replace: 'return { id: runId, persisted: true, phaseRun, session: undefined };',
      },
      // Or no short fault would outlast the wait for a row.
      { file: 'src/api/store-run.ts', find: 'const WAIT_MS = 5_000;', replace: 'const WAIT_MS = 500;' },
    ],
    faults: ['freeze-leader'],
    caughtAs: ['read'],
  },
  {
    name: 'order-reversed',
    title: 'the newest run of a slot gets the smallest order',
    mutations: [
      {
        file: 'src/store/archive.ts',
        find: 'const order = decision.order ?? (await drawRunOrder(transaction));',
        replace: 'const order = 2 ** 40 - (decision.order ?? (await drawRunOrder(transaction)));',
      },
    ],
    faults: ['reset-api'],
    caughtAs: ['order'],
  },
];
