import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PhaseDataClient } from '../../src/client/phase-data-client.ts';
import { digestOf } from '../../src/domain/digest.ts';
import { count, type History, type Series, type Store } from './history.ts';
import { makePayload } from './payload.ts';
import type { Random } from './random.ts';
import { now, Runner, type WireStore } from './runner.ts';
import type { World } from './world.ts';

export interface LoadOptions {
  readonly world: Pick<World, 'tenants' | 'apiUrls'>;
  readonly history: History;
  readonly random: Random;
  /** For what clients keep. */
  readonly directory: string;
  /** Series that one runner writes, one store after another. */
  readonly inTurn: number;
  /** Series that three runners write at once. */
  readonly atOnce: number;
  /** Series that the published client writes. */
  readonly clients: number;
  /** Longest pause between two stores of a runner. */
  readonly pauseMs: number;
}

export interface Load {
  readonly series: readonly Series[];
  /** Ends it: what is under way gets its answer, and what clients kept is delivered. */
  stop(): Promise<void>;
}

const WRITERS_AT_ONCE = 3;

export function startLoad(options: LoadOptions): Load {
  const { random, world } = options;
  const stopping = new AbortController();
  const series: Series[] = [];
  const working: Promise<void>[] = [];
  const make = (writing: Series['writing']) => {
    const made = makeSeries(series.length, writing, world.tenants);
    series.push(made);
    return made;
  };
  const write = (series: Series, name: string) => {
    working.push(
      writeSeries({ ...options, random: random.fork(name), signal: stopping.signal }, series, name),
    );
  };
  for (let index = 0; index < options.inTurn; index += 1) write(make('in turn'), `w${index}`);
  for (let index = 0; index < options.atOnce; index += 1) {
    const shared = make('at once');
    for (let writer = 0; writer < WRITERS_AT_ONCE; writer += 1) write(shared, `c${index}.${writer}`);
  }
  for (let index = 0; index < options.clients; index += 1) {
    const name = `p${index}`;
    const own = { ...options, random: random.fork(name), signal: stopping.signal };
    working.push(callClient(own, make('calls'), name));
  }
  return {
    series,
    async stop() {
      stopping.abort();
      await Promise.all(working);
    },
  };
}

/** Phases, tenants and repositories take turns; validation and mitigation of one issue share a session. */
function makeSeries(index: number, writing: Series['writing'], tenants: World['tenants']): Series {
  const tenant = tenants[index % tenants.length];
  const phase = (['validation', 'mitigation', 'scan'] as const)[Math.floor(index / tenants.length) % 3];
  if (tenant === undefined || phase === undefined) throw new RangeError('a load needs a tenant');
  const group = Math.floor(index / tenants.length / 3);
  const repo = `${tenant.forgeNamespace}/app-${group}`;
  const commitSha = (0xabc0000 + index).toString(16);
  const issueNumber = phase === 'scan' ? undefined : 7 + group;
  const name = `${repo} ${phase} ${issueNumber === undefined ? commitSha : `#${issueNumber}`}`;
  return { name, tenant, phase, repo, commitSha, writing, ...(issueNumber !== undefined && { issueNumber }) };
}

interface Writing extends LoadOptions {
  readonly signal: AbortSignal;
}

async function writeSeries(options: Writing, series: Series, name: string): Promise<void> {
  const { world, history, random, signal } = options;
  const runner = new Runner(world, history, random, signal);
  let before: Record<string, unknown> | undefined;
  for (let index = 1; !signal.aborted; index += 1) {
    const id = `${name}-${index}`;
    // Now and then the same again, which must not become a second result.
    const data = before !== undefined && random.chance(0.05) ? before : makePayload(random, id);
    before = data;
    const progresses = series.writing === 'in turn' && random.chance(0.06);
    if (progresses) {
      const begun = makePayload(random.fork(`${id}-running`), `${id}-running`);
      await runner.store(
        makeStore(series, `${id}-running`, begun, { status: 'running', pipelineRunId: id, keyed: true }),
      );
    }
    const last = makeStore(series, id, data, {
      status: 'completed',
      ...(progresses && { pipelineRunId: id }),
      keyed: random.chance(0.85),
    });
    await runner.store(last);
    if (last.store.acks.length > 0 && random.chance(0.5)) await runner.read(series);
    if (random.chance(0.05)) await runner.repeat(last);
    await sleep(random.integer(options.pauseMs / 4, options.pauseMs), undefined, { signal }).catch(
      () => undefined,
    );
  }
}

function makeStore(
  series: Series,
  id: string,
  data: Record<string, unknown>,
  { keyed, ...options }: Pick<Store, 'status' | 'pipelineRunId' | 'keyed'>,
): WireStore {
  const { phase, repo, issueNumber, commitSha } = series;
  const { sha256 } = digestOf(data);
  const store: Store = { id, series, sha256, keyed, begunAt: now(), tries: 0, acks: [], ...options };
  const body = JSON.stringify({ phase, repo, issueNumber, commitSha, data, ...options });
  return { store, body, idempotencyKey: keyed ? `faults-${id}` : undefined };
}

const CLIENT_RETRY = { attempts: 3, baseMs: 200, capMs: 2_000, totalMs: 12_000 };
const FLUSH_WITHIN_MS = 90_000;

/** Stores through the published client, which keeps what it cannot deliver and brings it with a later call. */
async function callClient(options: Writing, series: Series, name: string): Promise<void> {
  const { world, history, random, signal } = options;
  const folder = join(options.directory, name);
  const kept: Store[] = [];
  const call = async (id: string) => {
    const baseUrl = random.pick(world.apiUrls);
    const client = new PhaseDataClient({
      apiKey: series.tenant.apiKey,
      baseUrl,
      folder,
      timeoutMs: 12_000,
      retry: CLIENT_RETRY,
      usePlatform: true,
      warn: () => undefined,
    });
    const { phase, repo, issueNumber, commitSha } = series;
    const data = makePayload(random, id);
    const { sha256 } = digestOf(data);
    const store: Store = {
      id,
      series,
      sha256,
      keyed: true,
      status: 'completed',
      begunAt: now(),
      tries: 1,
      acks: [],
    };
    history.stores.push(store);
    kept.push(store);
    const metadata = { repo, commitSha, ...(issueNumber !== undefined && { issueNumber }) };
    const answer = await client.storePhaseResults(phase, data, metadata);
    if (answer.storage === 'local') return count(history, 'kept by clients');
    // Nothing is sent before all that was kept has been.
    const { id: runId, persisted } = answer;
    const deliveredAt = now();
    for (const late of kept.splice(0).filter((one) => one !== store))
      late.acks.push({ persisted: false, at: deliveredAt });
    store.acks.push({ id: runId, persisted, at: now() + 0.001 });
    return count(history, `acknowledged ${answer.persisted ? 200 : 202}`);
  };
  for (let index = 1; !signal.aborted; index += 1) {
    await call(`${name}-${index}`).catch((error: unknown) =>
      history.violations.push({
        kind: 'refused',
        series: series.name,
        message: `${name}-${index}: ${String(error)}`,
      }),
    );
    await sleep(random.integer(options.pauseMs, 2 * options.pauseMs), undefined, { signal }).catch(
      () => undefined,
    );
  }
  const giveUpAt = now() + FLUSH_WITHIN_MS;
  for (let index = 1; kept.length > 0 && now() < giveUpAt; index += 1) await call(`${name}-last-${index}`);
}
