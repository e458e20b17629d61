import { setTimeout as sleep } from 'node:timers/promises';
import { digestOf } from '../../src/domain/digest.ts';
import type { JsonObject } from '../../src/domain/run.ts';
import { count, type History, type Series, type Store } from './history.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

/** A store as it goes over the wire. */
export interface WireStore {
  readonly store: Store;
  readonly body: string;
  readonly idempotencyKey: string | undefined;
}

const ANSWER_WITHIN_MS = 12_000;
const TRIES = 12;
const LONGEST_PAUSE_MS = 3_000;
const GIVE_UP_AFTER_MS = 60_000;

export const now = (): number => performance.now();

/** Calls the API over HTTP as runners do, now this replica, now that, and notes what it is told. */
export class Runner {
  readonly #world: Pick<World, 'apiUrls'>;
  readonly #history: History;
  readonly #random: Random;
  readonly #signal: AbortSignal;

  constructor(world: Pick<World, 'apiUrls'>, history: History, random: Random, signal: AbortSignal) {
    this.#world = world;
    this.#history = history;
    this.#random = random;
    this.#signal = signal;
  }

  /** Tries until it is acknowledged, or patience or the run is over; without a key, once. */
  async store({ store, body, idempotencyKey }: WireStore): Promise<void> {
    this.#history.stores.push(store);
    const giveUpAt = now() + GIVE_UP_AFTER_MS;
    for (let pauseMs = 200; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      const again = await this.#try(store, body, idempotencyKey);
      if (again === undefined || idempotencyKey === undefined) return;
      if (store.tries >= TRIES || now() > giveUpAt || this.#signal.aborted) break;
      await sleep(Math.max(again, pauseMs * (0.5 + this.#random.next() / 2)));
    }
    count(this.#history, 'given up');
  }

  /** Sends it once more under the same key, as a runner does that never saw the answer. */
  async repeat({ store, body, idempotencyKey }: WireStore): Promise<void> {
    if (idempotencyKey !== undefined) await this.#try(store, body, idempotencyKey);
  }

  /** @returns undefined when there is nothing more to try, else milliseconds that the server wants to be left alone */
  async #try(store: Store, body: string, key: string | undefined): Promise<number | undefined> {
    store.tries += 1;
    const answer = await this.#ask(store.series, 'POST', '/api/v1/phases/store', { body, key });
    if (answer === undefined) return 0;
    const { status, retryAfterMs, json, text } = answer;
    if (status === 200 || status === 202) {
      if (!isJson(json) || json['success'] !== true || typeof json['id'] !== 'string') {
        this.#complain('answer', store.series, `${store.id} was answered ${status} without an id: ${text}`);
        return undefined;
      }
      store.acks.push({ id: json['id'], persisted: status === 200, at: now() });
      count(this.#history, `acknowledged ${status}`);
      return undefined;
    }
    const code = isJson(json) && typeof json['code'] === 'string' ? ` ${json['code']}` : '';
    count(this.#history, `answered ${status}${code}`);
    if (status === 429 || status >= 500 || (status === 409 && retryAfterMs !== undefined))
      return retryAfterMs ?? 0;
    this.#complain('refused', store.series, `${store.id} was refused with ${status}: ${text.slice(0, 300)}`);
    return undefined;
  }

  /** Reads a series at any replica; an answer that is no 200 says nothing. */
  async read(series: Series): Promise<void> {
    const { repo, issueNumber, commitSha, phase } = series;
    const query = new URLSearchParams({ repo, commit: commitSha });
    if (issueNumber !== undefined) query.set('issue', String(issueNumber));
    const begunAt = now();
    const answer = await this.#ask(series, 'GET', `/api/v1/phases/retrieve?${query.toString()}`, {});
    if (answer === undefined || answer.status >= 500) return count(this.#history, 'reads unanswered');
    const { status, json, text, by } = answer;
    if (status !== 200 || !isJson(json)) {
      return this.#complain(
        'refused',
        series,
        `a retrieve was refused with ${status}: ${text.slice(0, 300)}`,
      );
    }
    const found = phase === 'scan' ? json['scan'] : (json[phase] as JsonObject)?.[`issue-${issueNumber}`];
    const sha256 = isJson(found) ? digestOf(found).sha256 : undefined;
    this.#history.reads.push({ series, begunAt, by, sha256 });
  }

  async #ask(
    { tenant }: Series,
    method: 'GET' | 'POST',
    path: string,
    { body, key }: { readonly body?: string; readonly key?: string | undefined },
  ): Promise<Answer | undefined> {
    const index = this.#random.integer(0, this.#world.apiUrls.length - 1);
    try {
      const response = await fetch(`${this.#world.apiUrls[index]}${path}`, {
        method,
        headers: {
          'x-api-key': tenant.apiKey,
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(key !== undefined && { 'idempotency-key': key }),
        },
        ...(body !== undefined && { body }),
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      });
      const text = await response.text();
      const retryAfter = response.headers.get('retry-after');
      const retryAfterMs = retryAfter === null ? undefined : 1_000 * Number(retryAfter);
      return { status: response.status, retryAfterMs, json: parse(text), text, by: `api-${index + 1}` };
    } catch {
      count(this.#history, 'unanswered');
      return undefined;
    }
  }

  #complain(kind: string, series: Series, message: string): void {
    this.#history.violations.push({ kind, series: series.name, message });
  }
}

interface Answer {
  readonly status: number;
  readonly retryAfterMs: number | undefined;
  readonly json: unknown;
  readonly text: string;
  readonly by: string;
}

function isJson(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
