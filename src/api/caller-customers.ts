import type { Connection } from '../store/database.ts';
import { findPrincipal } from '../store/find-principal.ts';
import { actorOf, type Caller } from '../store/principal.ts';

/** A forge account may change hands, and a key be revoked. */
const KNOWN_FOR_MS = 5 * 60_000;
const MAX_CALLERS = 10_000;

/**
 * Remembers whose the callers of the last minutes are, so that a request can be counted before anything is done for
 * it. It opens nothing: what a caller may do is decided anew by the statement that serves it.
 */
export class CallerCustomers {
  readonly #pool: Connection;
  readonly #known = new Map<string, { readonly customerId: string; readonly until: number }>();

  constructor(pool: Connection) {
    this.#pool = pool;
  }

  /** The customer as it is remembered. */
  recall(caller: Caller): string | undefined {
    const found = this.#known.get(nameOf(caller));
    return found !== undefined && found.until > performance.now() ? found.customerId : undefined;
  }

  /** Asks the database; undefined for a caller that it does not know, or while it is away. */
  async learn(caller: Caller): Promise<string | undefined> {
    const principal = await findPrincipal(this.#pool, caller).catch(() => undefined);
    if (principal?.known !== true) return undefined;
    const { customerId } = principal;
    if (this.#known.size >= MAX_CALLERS) this.#known.clear();
    this.#known.set(nameOf(caller), { customerId, until: performance.now() + KNOWN_FOR_MS });
    return customerId;
  }
}

/** A key with another secret is another caller. */
function nameOf(caller: Caller): string {
  if (caller.kind === 'key') return `${actorOf(caller)}:${caller.secretSha256}`;
  return caller.kind === 'customer' ? `customer:${caller.customer}` : actorOf(caller);
}
