import { setImmediate } from 'node:timers/promises';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { makeArchivedStatus, makePhaseRun } from '../../test/fixtures/phase-run.ts';
import { type ExpiryDependencies, expireArchivedRuns } from './archived-run-expiry.ts';
import { type CachedPhaseRun, leanPhaseRun } from './phase-run-cache.ts';

// makeArchivedStatus: committed 1.5 s after nine o'clock.
const NOW = Date.parse('2026-02-11T09:10:00Z');

/** So many archived runs; the first has the least time left. */
function makeRuns(count: number, ttlSecondsAfterArchived: number): readonly CachedPhaseRun[] {
  return Array.from({ length: count }, (_, n) =>
    leanPhaseRun(
      makePhaseRun({
        metadata: { uid: `run-${n}`, name: `run-${n}` },
        spec: { ttlSecondsAfterArchived: ttlSecondsAfterArchived + n },
        status: makeArchivedStatus('here'),
      }),
    ),
  );
}

const nameOf = ({ metadata }: CachedPhaseRun) => metadata.name;

/** Expires, and tells what became of the runs. */
async function expire(phaseRuns: readonly CachedPhaseRun[], changes: Partial<ExpiryDependencies> = {}) {
  const removed: string[] = [];
  const missing: string[] = [];
  const warnings: object[] = [];
  let counted = 0;
  const count = await expireArchivedRuns(
    {
      phaseRuns: () => phaseRuns,
      incarnation: () => 'here',
      verify: (receipts) => Promise.resolve(new Set(receipts.map(({ runId }) => runId))),
      remove: (phaseRun) => Promise.resolve(void removed.push(nameOf(phaseRun))),
      onMissing: (phaseRun) => missing.push(nameOf(phaseRun)),
      onRemoved: (some) => {
        counted += some;
      },
      logger: pino({}, { write: (line: string) => warnings.push(JSON.parse(line)) }),
      now: () => NOW,
      maxArchived: 5_000,
      ...changes,
    },
    AbortSignal.any([]),
  );
  expect(counted).toBe(count);
  return { count, removed: removed.toSorted(), missing, warnings };
}

describe('expireArchivedRuns', () => {
  test('removes what has outlived its TTL', async () => {
    const { removed } = await expire([...makeRuns(2, 0), ...makeRuns(3, 3_600).slice(2)]);
    expect(removed).toEqual(['run-0', 'run-1']);
  });

  test('removes the oldest of too many', async () => {
    const { removed } = await expire(makeRuns(5, 3_600), { maxArchived: 3 });
    expect(removed).toEqual(['run-0', 'run-1']);
  });

  test('removes nothing while the database is not known', async () => {
    expect(await expire(makeRuns(3, 0), { incarnation: () => undefined, maxArchived: 0 })).toMatchObject({
      count: 0,
    });
  });

  test('hands back what has no row, and removes the rest', async () => {
    const verify = () => Promise.resolve(new Set(['run-0', 'run-2']));
    expect(await expire(makeRuns(3, 0), { verify })).toMatchObject({
      removed: ['run-0', 'run-2'],
      missing: ['run-1'],
    });
  });

  test('removes nothing when the rows cannot be looked for', async () => {
    const removed: CachedPhaseRun[] = [];
    const expiring = expire(makeRuns(3, 0), {
      verify: () => Promise.reject(new Error('away')),
      remove: (phaseRun) => Promise.resolve(void removed.push(phaseRun)),
    });
    await expect(expiring).rejects.toThrow('away');
    expect(removed).toEqual([]);
  });

  test('goes on past what cannot be removed, over batches', async () => {
    const refused = (phaseRun: CachedPhaseRun) => Number(nameOf(phaseRun).slice('run-'.length)) % 2 === 1;
    const { count, warnings } = await expire(makeRuns(450, 0), {
      remove: (phaseRun) => (refused(phaseRun) ? Promise.reject(new Error('refused')) : Promise.resolve()),
    });
    expect(count).toBe(225);
    expect(warnings).toMatchObject([{ count: 100 }, { count: 100 }, { count: 25 }]);
  });

  test.each([
    { waiting: 100, atOnce: 4 },
    { waiting: 400, atOnce: 8 },
    { waiting: 3_000, atOnce: 32 },
  ])('removes $atOnce at once where $waiting wait', async ({ waiting, atOnce }) => {
    let underWay = 0;
    let most = 0;
    const { count } = await expire(makeRuns(waiting, 0), {
      now: () => NOW + 3_600_000,
      async remove() {
        underWay += 1;
        most = Math.max(most, underWay);
        await setImmediate();
        underWay -= 1;
      },
    });
    expect({ count, most }).toEqual({ count: waiting, most: atOnce });
  });
});
