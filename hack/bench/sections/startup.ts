import type { Figure } from '../figure.ts';
import { hearCommittedRows } from '../committed-rows.ts';
import { makeHistory } from '../history.ts';
import { median } from '../measure.ts';
import { createPhaseRuns, createRuns } from '../phase-runs.ts';
import { createRunner } from '../runner.ts';
import type { Section } from '../section.ts';
import type { BenchStack } from '../stack.ts';

/** How long each process takes from its spawn until it does its work. */
export const startupSection: Section = {
  name: 'startup',
  help: 'from spawn until the API has answered a retrieve, the controller has made a row, and migrate has found nothing to do',
  async measure(stack, { quick, onProgress }) {
    const rounds = quick ? 1 : 5;
    const nextRuns = createRuns(stack);
    const [query] = await makeHistory(stack, { repository: 'startup', rows: 3, payloadBytes: 1_000 });
    if (query === undefined) throw new Error('there is nothing to ask for');
    const times: Record<'api' | 'controller' | 'migrate', number[]> = {
      api: [],
      controller: [],
      migrate: [],
    };
    for (let round = 1; round <= rounds; round += 1) {
      onProgress(`round ${round} of ${rounds}`);
      times.api.push(await startApi(stack, query));
      times.controller.push(await startController(stack, nextRuns));
      times.migrate.push(await elapsed(() => stack.run(['migrate'])));
    }
    return {
      figures: [
        figure('api, to its first retrieve', times.api),
        figure('controller, to its first row', times.controller),
        figure('migrate, nothing to do', times.migrate),
      ],
    };
  },
};

async function startApi(stack: BenchStack, query: URLSearchParams): Promise<number> {
  const startedAt = performance.now();
  const api = await stack.start('api');
  await using runner = createRunner(stack, { url: api.url, connections: 1 });
  await runner.retrieve(query);
  const ms = performance.now() - startedAt;
  await api.stop();
  return ms;
}

/** On a PhaseRun that waits for it. */
async function startController(stack: BenchStack, nextRuns: ReturnType<typeof createRuns>): Promise<number> {
  const runs = nextRuns(1);
  await createPhaseRuns(stack, runs);
  await using rows = await hearCommittedRows(stack.databaseUrl);
  const startedAt = performance.now();
  const controller = await stack.start('controller');
  const runIds = runs.map(({ runId }) => runId);
  await rows.waitFor(runIds, stack.signal);
  await controller.stop();
  return Math.max(...runIds.map((runId) => rows.times.get(runId) ?? Number.NaN)) - startedAt;
}

async function elapsed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

function figure(name: string, times: readonly number[]): Figure {
  return { name, value: median(times), unit: 'ms' };
}
