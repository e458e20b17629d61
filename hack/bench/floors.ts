import type { PhaseRun } from '../../src/resources/phase-run.ts';
import { archiveRun } from '../../src/store/archive.ts';
import { type BenchRun, makeBenchRun } from './bench-run.ts';
import type { Subject } from './measure.ts';
import type { StoreBody } from './payload.ts';
import type { BenchStack } from './stack.ts';
import { TWIN_RUNS } from './twin-kind.ts';

/** The bare calls that a store cannot do without; together they are what it would cost if we added nothing. */
export function storeFloors(stack: BenchStack, nextBody: () => StoreBody): readonly Subject[] {
  const nextRun = () => makeBenchRun(stack, nextBody());
  return [bareCreate(stack, nextRun), bareTransaction(stack, nextRun)];
}

/** The PhaseRun that the API makes of a body, created as its twin kind: no controller takes it up. */
function bareCreate({ kubernetes }: BenchStack, nextRun: () => BenchRun): Subject {
  const twins = kubernetes.resource<PhaseRun>(TWIN_RUNS);
  return {
    name: 'bare create',
    prepare() {
      const { metadata, spec } = nextRun().draft;
      return () => twins.create({ metadata, spec });
    },
  };
}

/** The statements of the controller's transaction, payload included, over a connection of ours. */
function bareTransaction({ database }: BenchStack, nextRun: () => BenchRun): Subject {
  return {
    name: 'bare transaction',
    prepare() {
      const { archivable } = nextRun();
      return async () => {
        const { disposition } = await archiveRun(database.pool, archivable);
        if (disposition !== 'inserted') throw new Error(`not a row: ${disposition}`);
      };
    },
  };
}
