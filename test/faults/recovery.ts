import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'slonik';
import { z } from 'zod';
import type { Observer } from './observer.ts';
import type { World } from './world.ts';

/** Undoes whatever is left of faults: every link passes, every part runs. */
export async function heal(world: World): Promise<void> {
  for (const link of world.links) link.mend();
  for (const part of world.parts) part.thaw();
  // In their order: the later ones need the earlier ones.
  for (const part of world.parts) await part.start();
}

/**
 * Waits until all that was on its way when this was called has become rows.
 * @returns what has not, in words; undefined when all has
 */
export async function untilDrained(
  { pool }: Pick<World, 'pool'>,
  observer: Observer,
  withinMs: number,
): Promise<string | undefined> {
  const keyOf = ({ metadata }: ReturnType<Observer['unsettled']>[number]) =>
    `${metadata.uid}/${metadata.generation}`;
  const waiting = new Set(observer.unsettled().map(keyOf));
  let inbox = await countInbox(pool);
  const began = new Date();
  for (const deadline = Date.now() + withinMs; ; await sleep(100)) {
    const left = observer.unsettled().filter((run) => waiting.has(keyOf(run)));
    inbox = inbox === 0 ? 0 : await countInbox(pool, began);
    if (left.length === 0 && inbox === 0) return undefined;
    if (Date.now() > deadline) {
      const names = left.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
      return `${left.length} PhaseRuns (${names.slice(0, 5).join(', ')}) and ${inbox} inbox rows`;
    }
  }
}

const counted = z.object({ n: z.number() });

/** Rows of the inbox that came before; -1 while nobody can say. */
async function countInbox({ one }: World['pool'], before = new Date(Date.now() + 60_000)): Promise<number> {
  try {
    const { n } = await one(
      sql.type(counted)`SELECT count(*) AS n FROM pg_tables WHERE tablename = 'inbox_runs'`,
    );
    if (n === 0) return 0;
    const rows = await one(sql.type(counted)`
      SELECT count(*) AS n FROM inbox_runs WHERE created_at <= ${before.toISOString()}::timestamptz
    `);
    return rows.n;
  } catch {
    return -1;
  }
}
