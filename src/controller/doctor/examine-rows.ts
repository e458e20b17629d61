import { digestOf } from '../../domain/digest.ts';
import { PHASES } from '../../domain/phase.ts';
import { undefinedIfGone } from '../../kube/kube-error.ts';
import type { KubeResource } from '../../kube/resource.ts';
import type { PhaseRun } from '../../resources/phase-run.ts';
import type { Connection } from '../../store/database.ts';
import { findStoredPayload } from '../../store/payloads.ts';
import {
  findRowContent,
  listRowContents,
  type RowContent,
  restoreRowContent,
} from '../../store/row-contents.ts';
import type { Discrepancy } from './discrepancy.ts';
import { interpret } from './examine-phase-run.ts';

interface Sources {
  readonly pool: Connection;
  readonly phaseRuns: Pick<KubeResource<PhaseRun>, 'get'>;
}

/** All rows with what they hold, a few megabytes at a time. */
export async function* rowPages(pool: Connection): AsyncGenerator<readonly RowContent[]> {
  for (const phase of PHASES) {
    for (let after: string | undefined; ; ) {
      const rows = await listRowContents(pool, { phase, after });
      const last = rows.at(-1);
      if (last === undefined) break;
      yield rows;
      after = last.id;
    }
  }
}

/** Computes the digests of rows anew, and looks for what those held that hold something else now. */
export async function examineRows(
  sources: Sources,
  rows: readonly RowContent[],
): Promise<readonly Discrepancy[]> {
  const damaged = rows.filter(({ data, sha256 }) => digestOf(data).sha256 !== sha256);
  return Promise.all(
    damaged.map(async (row) => {
      const isFound = (await findIntact(sources, row)) !== undefined;
      const { namespace, name } = row.phaseRun;
      return {
        kind: 'RowDamaged' as const,
        phaseRun: `${namespace}/${name}`,
        id: row.id,
        customerId: row.customerId,
        message: `the ${row.phase} does not hold what its digest sha256:${row.sha256.slice(0, 12)} says`,
        ...(isFound && { repair: { kind: 'restore-content' as const, phase: row.phase } }),
      };
    }),
  );
}

/** Puts back what the digest of a row says that it held. @returns whether that was found */
export async function restoreContent(
  sources: Sources,
  row: Pick<RowContent, 'phase' | 'id'>,
): Promise<boolean> {
  const found = await findRowContent(sources.pool, row);
  const json = found === null ? undefined : await findIntact(sources, found);
  return found !== null && json !== undefined && restoreRowContent(sources.pool, { ...found, json });
}

/** The payload with the row's digest, as JSON: kept apart, or carried by the PhaseRun that brought it. */
async function findIntact({ pool, phaseRuns }: Sources, row: RowContent): Promise<string | undefined> {
  const stored = await findStoredPayload(pool, row);
  if (stored !== undefined) {
    const { sha256, canonical } = digestOf(stored);
    if (sha256 === row.sha256) return canonical;
  }
  const phaseRun = await phaseRuns.get(row.phaseRun).catch(undefinedIfGone);
  const run = phaseRun === undefined ? undefined : interpret(phaseRun);
  return run?.data !== undefined && run.sha256 === row.sha256 ? digestOf(run.data).canonical : undefined;
}
