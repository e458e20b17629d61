import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { type EmbeddedPostgres, startPostgres } from '../../../src/embedded/postgres.ts';
import { migrate } from '../../../src/store/migrate.ts';
import { treeOf, untilGone } from '../../fixtures/process-tree.ts';
import { runLog } from '../../fixtures/run-log/of-test.ts';

/** A migrated Postgres for a file that stops and restarts it; gone at its end. */
export async function ownPostgres(): Promise<EmbeddedPostgres> {
  const directory = await mkdtemp(join(tmpdir(), 'phaserun-store-'));
  await chmod(directory, 0o711);
  const postgres = await startPostgres({ directory: join(directory, 'postgres'), durable: false });
  afterAll(async () => {
    await postgres.stop();
    runLog().keepFiles(directory);
    await rm(directory, { recursive: true });
  });
  runLog().addEnvironment({ DATABASE_URL: postgres.url });
  await migrate(postgres.url);
  return {
    ...postgres,
    // Its backends notice a moment later that their postmaster is gone, and answer until then.
    async kill() {
      const processes = await treeOf(postgres.pid());
      await postgres.kill();
      if (!(await untilGone(processes, 20_000))) throw new Error('processes of Postgres outlive it');
    },
  };
}
