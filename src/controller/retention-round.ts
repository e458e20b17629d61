import { PHASES, type Phase } from '../domain/phase.ts';
import { FOREVER, type RetentionPolicy } from '../domain/retention.ts';
import type { Connection } from '../store/database.ts';
import type { ExecutionLoss, ExecutionScope, Removed } from '../store/retention-due.ts';
import {
  BEGINNING,
  listOverdueCustomers,
  measureDueExecutions,
  purgeExecutions,
  type RetentionPosition,
} from '../store/retention-executions.ts';
import { type SweptBatch, type SweptKind, sweepOld } from '../store/retention-sweeps.ts';

/** What went, or would go, of one customer's runs of one phase. */
export interface ExecutionsRemoved extends Removed {
  readonly customerId: string;
  readonly phase: Phase;
  readonly loss: ExecutionLoss;
}

export interface RoundOptions {
  readonly signal: AbortSignal;
  /** Rows of one transaction. */
  readonly batchSize: number;
  /** Batches of one round; what is left is for the next. */
  readonly maxBatches: number;
}

/** A batch takes a lock for each slot of its rows; a round takes more than can come in until the next. */
export const RETENTION_ROUND = { batchSize: 500, maxBatches: 2_000 } as const;

/**
 * Takes away what is too old of all customers' runs, batch by batch, each customer in turn: one with a mountain of old runs
 * holds up nobody. It may be stopped after any batch; the next round goes on with what is left.
 */
export async function purgeOldExecutions(
  connection: Connection,
  loss: ExecutionLoss,
  { defaults, signal, batchSize, maxBatches }: RoundOptions & { readonly defaults: RetentionPolicy },
): Promise<readonly ExecutionsRemoved[]> {
  const waiting = await listScopes(connection, loss, defaults);
  const removed = new Map<ExecutionScope, Removed>();
  for (let batches = 0; batches < maxBatches && !signal.aborted; batches += 1) {
    const turn = waiting.shift();
    if (turn === undefined) break;
    const { scope, after } = turn;
    const batch = await purgeExecutions(connection, scope, { after, limit: batchSize });
    removed.set(scope, add(removed.get(scope), batch));
    if (batch.next !== undefined) waiting.push({ scope, after: batch.next });
  }
  return [...removed].map(([scope, sum]) => describe(scope, sum)).filter(({ rows }) => rows > 0);
}

/**
 * Takes away what is older than so many days of a kind that has no policies, batch by batch.
 * @returns how many rows
 */
export async function sweepAllOld(
  connection: Connection,
  kind: SweptKind,
  { days, signal, batchSize, maxBatches }: RoundOptions & { readonly days: number },
): Promise<number> {
  let rows = 0;
  let after: RetentionPosition | undefined = days === FOREVER ? undefined : BEGINNING;
  for (let batches = 0; after !== undefined && batches < maxBatches && !signal.aborted; batches += 1) {
    const batch: SweptBatch = await sweepOld(connection, kind, { days, after, limit: batchSize });
    rows += batch.rows;
    after = batch.next;
  }
  return rows;
}

/** What {@link purgeOldExecutions} would take away, were it not bounded. */
export async function measureOldExecutions(
  connection: Connection,
  loss: ExecutionLoss,
  defaults: RetentionPolicy,
): Promise<readonly ExecutionsRemoved[]> {
  const due: ExecutionsRemoved[] = [];
  for (const { scope } of await listScopes(connection, loss, defaults))
    due.push(describe(scope, await measureDueExecutions(connection, scope)));
  return due.filter(({ rows }) => rows > 0);
}

interface Turn {
  readonly scope: ExecutionScope;
  readonly after: RetentionPosition;
}

async function listScopes(
  connection: Connection,
  loss: ExecutionLoss,
  defaults: RetentionPolicy,
): Promise<Turn[]> {
  const turns: Turn[] = [];
  for (const phase of PHASES) {
    for (const customerId of await listOverdueCustomers(connection, { phase, loss, defaults }))
      turns.push({ scope: { customerId, phase, loss, defaults }, after: BEGINNING });
  }
  return turns;
}

function add(sum: Removed = { rows: 0, bytes: 0 }, { rows, bytes }: Removed): Removed {
  return { rows: sum.rows + rows, bytes: sum.bytes + bytes };
}

function describe({ customerId, phase, loss }: ExecutionScope, { rows, bytes }: Removed): ExecutionsRemoved {
  return { customerId, phase, loss, rows, bytes };
}
