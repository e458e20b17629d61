import { sql } from 'slonik';
import { z } from 'zod';
import { createInformer } from '../../src/kube/informer.ts';
import { PHASE_RUNS, type PhaseRun } from '../../src/resources/phase-run.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { count, type History } from './history.ts';
import type { World } from './world.ts';

/** What is kept of a PhaseRun. */
interface Seen {
  readonly metadata: PhaseRun['metadata'];
  readonly settled: boolean;
  readonly rejected: string | undefined;
  /** The row that its receipt names. */
  readonly executionId: string | undefined;
}

/** A watch of our own over all PhaseRuns. */
export interface Observer {
  /** PhaseRuns that are neither archived nor rejected, and how long the eldest has waited. */
  unsettled(): readonly Seen[];
  list(): readonly Seen[];
  /** Asks again about receipts whose rows could not be looked for at the time. */
  finish(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Whenever an object says Archived, its row is looked for at that moment: a status that is written before its row is
 * committed is a promise that a crash breaks.
 */
export function startObserver({ kube, pool }: Pick<World, 'kube' | 'pool'>, history: History): Observer {
  const asked = new Set<string>();
  const later = new Set<string>();
  const asking = new Set<Promise<void>>();

  const isRow = async (id: string) => (await pool.one(rowOf(id))).found;

  async function ask(id: string, name: string): Promise<void> {
    try {
      if (await isRow(id)) count(history, 'receipts proven at once');
      else
        history.violations.push({
          kind: 'receipt',
          message: `${name} said Archived while row ${id} was not there`,
        });
    } catch {
      later.add(id);
    }
  }

  const informer = createInformer<PhaseRun, Seen>({
    resource: kube.resource<PhaseRun>(PHASE_RUNS),
    transform: summarise,
    logger: createLogger({ name: 'observer', level: 'silent' }),
    onEvent(event) {
      const { executionId, metadata, settled } = event.object;
      if (event.type === 'deleted') {
        if (!settled && !event.initial)
          history.violations.push({
            kind: 'deleted',
            message: `${event.key} was deleted before it was archived`,
          });
        return;
      }
      const proof = `${metadata.uid}/${metadata.generation}/${executionId}`;
      if (executionId === undefined || !settled || asked.has(proof)) return;
      asked.add(proof);
      const answer = ask(executionId, event.key).finally(() => asking.delete(answer));
      asking.add(answer);
    },
  });
  informer.start();
  return {
    unsettled: () => informer.list().filter(({ settled }) => !settled),
    list: () => informer.list(),
    async finish() {
      await Promise.all(asking);
      for (const id of later) {
        if (!(await isRow(id)))
          history.violations.push({
            kind: 'receipt',
            message: `a receipt names row ${id}, which is not there`,
          });
      }
      later.clear();
    },
    stop: () => informer.stop(),
  };
}

/** What a PhaseRun says of itself. */
export function summarise({ metadata, status }: PhaseRun): Seen {
  const current = (type: string) =>
    status?.conditions?.find(
      (condition) => condition.type === type && condition.observedGeneration === metadata.generation,
    );
  const accepted = current('Accepted');
  const rejected = accepted?.status === 'False' ? accepted.reason : undefined;
  const archived = current('Archived')?.status === 'True';
  return {
    metadata,
    settled: archived || rejected !== undefined,
    rejected,
    executionId: archived ? status?.archive?.executionId : undefined,
  };
}

const found = z.object({ found: z.boolean() });

function rowOf(id: string) {
  return sql.type(found)`
    SELECT EXISTS (
      SELECT FROM scan_executions WHERE id = ${id}::uuid
      UNION ALL SELECT FROM validation_executions WHERE id = ${id}::uuid
      UNION ALL SELECT FROM mitigation_executions WHERE id = ${id}::uuid
    ) AS found`;
}
