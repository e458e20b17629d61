import type { Connection } from '../store/database.ts';
import { BEGINNING } from '../store/retention-executions.ts';
import {
  deleteRunTombstones,
  deleteSlotTombstones,
  listOldRunTombstones,
  listOldSlotTombstones,
  type OldSlot,
  type RunTombstoneKind,
} from '../store/retention-tombstones.ts';

/** What still lives in the cluster, and would come back without its tombstone. */
export interface LiveRuns {
  readonly runIds: ReadonlySet<string>;
  readonly slots: ReadonlySet<string>;
}

export interface TombstoneSweepOptions {
  readonly live: LiveRuns;
  readonly days: number;
  readonly signal: AbortSignal;
  readonly batchSize: number;
  readonly maxBatches: number;
}

/**
 * Deletes tombstones of runs that are old enough, but for those of runs that have a PhaseRun still: it may be
 * archived again at any time, and would be found new. Only who watches all PhaseRuns can do this.
 * @returns how many
 */
export async function sweepRunTombstones(
  connection: Connection,
  kind: RunTombstoneKind,
  { live, days, signal, batchSize: limit, maxBatches }: TombstoneSweepOptions,
): Promise<number> {
  let deleted = 0;
  let after = BEGINNING;
  for (let batches = 0; batches < maxBatches && !signal.aborted; batches += 1) {
    const old = await listOldRunTombstones(connection, kind, { days, after, limit });
    const gone = old.filter(({ id }) => !live.runIds.has(id)).map(({ id }) => id);
    if (gone.length > 0) deleted += await deleteRunTombstones(connection, kind, gone);
    const last = old.at(-1);
    if (old.length < limit || last === undefined) break;
    after = last;
  }
  return deleted;
}

/** The same for slots in which something was deleted: what was ordered before that may have a PhaseRun still. */
export async function sweepSlotTombstones(
  connection: Connection,
  { live, days, signal, batchSize: limit, maxBatches }: TombstoneSweepOptions,
): Promise<number> {
  let deleted = 0;
  let after: OldSlot | undefined;
  for (let batches = 0; batches < maxBatches && !signal.aborted; batches += 1) {
    const old = await listOldSlotTombstones(connection, { days, after, limit });
    const gone = old.filter(({ slot }) => !live.slots.has(slot));
    if (gone.length > 0) deleted += await deleteSlotTombstones(connection, gone, days);
    after = old.at(-1);
    if (old.length < limit || after === undefined) break;
  }
  return deleted;
}
