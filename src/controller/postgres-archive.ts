import { archiveRun, archiveTogether } from '../store/archive.ts';
import type { Database } from '../store/database.ts';
import { findCustomerOfRun } from '../store/executions.ts';
import { findForgeOwner } from '../store/forge-accounts.ts';
import { currentIncarnation } from '../store/incarnation.ts';
import type { Leadership } from '../store/leadership.ts';
import { deleteUnusedPayloads, findReading } from '../store/payloads.ts';
import { verifyReceipts } from '../store/receipts.ts';
import { raiseRunOrder } from '../store/slots.ts';
import type { ControllerArchive } from './controller.ts';
import { RunGroups } from './run-groups.ts';

/** Payloads deleted by one statement: each may be megabytes. */
const SWEEP_BATCH = 100;

/** The archive that the controller works on: Postgres. */
export function createPostgresArchive(
  { pool, reach }: Pick<Database, 'pool' | 'reach'>,
  leadership: Leadership,
): ControllerArchive {
  const groups = new RunGroups({
    one: (run) => leadership.during((term) => archiveRun(pool, run, term)),
    together: (runs) => leadership.during((term) => archiveTogether(pool, runs, term)),
  });
  return {
    reach,
    beginTerm: (signal) => leadership.begin(signal),
    archive: (run) => groups.archive(run),
    findReading: (reference) => findReading(pool, reference),
    findOwner: (forge, prefixes) => findForgeOwner(pool, forge, prefixes),
    findCustomerOfRun: (runId) => findCustomerOfRun(pool, runId),
    raiseOrder: (above) => raiseRunOrder(pool, above),
    async checkTerm() {
      await currentIncarnation(leadership.connection);
    },
    async sweepPayloads(inUse, signal) {
      while (
        !signal.aborted &&
        (await deleteUnusedPayloads(leadership.connection, { inUse, limit: SWEEP_BATCH })) === SWEEP_BATCH
      );
    },
    verifyReceipts: (receipts) => verifyReceipts(pool, receipts),
  };
}
