import type { RepositoryName } from '../domain/run.ts';
import { actorOf, type Caller, type Scope } from '../store/principal.ts';

/** What a caller was let in for. */
export interface Decided {
  readonly caller: Caller;
  readonly scope: Scope;
  readonly repository: Pick<RepositoryName, 'forge' | 'namespace' | 'name'>;
}

/** As whom, and until when its credentials are good; absent: for ever. */
interface Decision {
  readonly customerId: string;
  readonly validUntil?: Date | undefined;
  /** By the monotonic clock, when Postgres was asked. */
  readonly decidedAt: number;
}

export interface KnownCallersOptions {
  readonly knownForMs?: number;
  readonly maxDecisions?: number;
}

const KNOWN_FOR_MS = 15 * 60_000;
const MAX_DECISIONS = 10_000;

/**
 * Whole decisions of Postgres about callers, for when it cannot be asked: who, for what, in which repository. They are
 * never put together anew. What was used last is kept when there are too many.
 */
export class KnownCallers {
  readonly #knownForMs: number;
  readonly #maxDecisions: number;
  /** The least recently used comes first. */
  readonly #decisions = new Map<string, Decision>();
  /** The names of a caller's decisions. */
  readonly #byCaller = new Map<string, Set<string>>();

  constructor({ knownForMs = KNOWN_FOR_MS, maxDecisions = MAX_DECISIONS }: KnownCallersOptions = {}) {
    this.#knownForMs = knownForMs;
    this.#maxDecisions = maxDecisions;
  }

  /** It was let in. */
  remember(decided: Decided, decision: Decision): void {
    const name = nameOf(decided);
    this.#decisions.delete(name);
    this.#decisions.set(name, decision);
    const caller = nameOfCaller(decided.caller);
    this.#byCaller.set(caller, (this.#byCaller.get(caller) ?? new Set()).add(name));
    const [oldest] = this.#decisions.keys();
    if (this.#decisions.size > this.#maxDecisions && oldest !== undefined) this.#drop(oldest);
  }

  /** It was refused this. */
  forget(decided: Decided): void {
    this.#drop(nameOf(decided));
  }

  /** It was refused as such: its credentials are not good. */
  forgetCaller(caller: Caller): void {
    for (const name of this.#byCaller.get(nameOfCaller(caller)) ?? []) this.#drop(name);
  }

  /** As which customer it was let in lately; undefined when it was not, or may be no more. */
  recall(decided: Decided): string | undefined {
    const name = nameOf(decided);
    const decision = this.#decisions.get(name);
    if (decision === undefined) return undefined;
    const { customerId, decidedAt, validUntil } = decision;
    const isOver =
      performance.now() - decidedAt >= this.#knownForMs || Number(validUntil ?? Infinity) <= Date.now();
    this.#decisions.delete(name);
    if (isOver) {
      this.#drop(name);
      return undefined;
    }
    this.#decisions.set(name, decision);
    return customerId;
  }

  #drop(name: string): void {
    this.#decisions.delete(name);
    const caller = callerIn(name);
    const names = this.#byCaller.get(caller);
    names?.delete(name);
    if (names?.size === 0) this.#byCaller.delete(caller);
  }
}

/** JSON, so that nothing a caller chooses makes two names one. */
function nameOf({ caller, scope, repository }: Decided): string {
  const { forge, namespace, name } = repository;
  return JSON.stringify([nameOfCaller(caller), scope, forge, namespace, name]);
}

function callerIn(name: string): string {
  const [caller] = JSON.parse(name) as [string];
  return caller;
}

/** All that a caller presents: a key with another secret, or a token with other scopes or owner, is another caller. */
function nameOfCaller(caller: Caller): string {
  if (caller.kind === 'key') return JSON.stringify([actorOf(caller), caller.secretSha256]);
  if (caller.kind === 'customer') return JSON.stringify([actorOf(caller), caller.customer, caller.scopes]);
  return JSON.stringify([actorOf(caller), caller.ownerId]);
}
