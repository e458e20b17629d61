import type { Connection } from '../store/database.ts';
import { findPrincipal } from '../store/find-principal.ts';
import { actorOf, type Caller } from '../store/principal.ts';
import type { DatabaseGate } from './database-gate.ts';

/** A forge account may change hands, and a key be revoked. */
const KNOWN_FOR_MS = 5 * 60_000;
const MAX_CALLERS = 10_000;
/** For a database that hangs. */
const LEARN_MS = 3_000;

/**
 * Remembers whose the callers of the last minutes are, so that a request can be counted before anything is done for
 * it. It opens nothing: what a caller may do is decided anew by the statement that serves it.
 */
export class CallerCustomers {
  readonly #pool: Connection;
  readonly #gate: Pick<DatabaseGate, 'ask'>;
  readonly #known = new Map<string, { readonly customerId: string; readonly until: number }>();

  constructor(pool: Connection, gate: Pick<DatabaseGate, 'ask'>) {
    this.#pool = pool;
    this.#gate = gate;
  }

  /** The customer as it is remembered. */
  recall(caller: Caller): string | undefined {
    const found = this.#known.get(nameOf(caller));
    return found !== undefined && found.until > performance.now() ? found.customerId : undefined;
  }

  /** Asks the database; while it is away what was known last counts. Undefined for a caller that is not known. */
  async learn(caller: Caller): Promise<string | undefined> {
    const asking = this.#gate.ask(LEARN_MS, () => findPrincipal(this.#pool, caller));
    const principal = await asking.catch(() => undefined);
    if (principal === undefined) return this.#known.get(nameOf(caller))?.customerId;
    if (!principal.known) return undefined;
    const { customerId } = principal;
    if (this.#known.size >= MAX_CALLERS) this.#known.clear();
    this.#known.set(nameOf(caller), { customerId, until: performance.now() + KNOWN_FOR_MS });
    return customerId;
  }
}

/** A key with another secret is another caller, and so is a job of another owner. */
function nameOf(caller: Caller): string {
  if (caller.kind === 'key') return `${actorOf(caller)}:${caller.secretSha256}`;
  if (caller.kind === 'customer') return `customer:${caller.customer}`;
  return `${actorOf(caller)}:${caller.ownerId ?? ''}`;
}
