import type { Access } from '../store/audit-accesses.ts';
import { actorOf } from '../store/principal.ts';

/**
 * Different ones that are kept apart until they are written. What comes beyond that loses what it can be made up of: a
 * stranger its name, a customer what it asked for; so that nobody can fill the memory, and all are counted.
 */
const MAX_FAILURES = 500;
const MAX_OTHERS = 5_000;

/** Gathers accesses, those that are alike as one. */
export class AccessLog {
  readonly #failures = new Map<string, Access>();
  readonly #others = new Map<string, Access>();

  get isEmpty(): boolean {
    return this.#failures.size === 0 && this.#others.size === 0;
  }

  add(access: Access): void {
    if (access.event === 'authentication.failed')
      put(this.#failures, access, MAX_FAILURES, { ...access, caller: null });
    else put(this.#others, access, MAX_OTHERS, { ...access, target: undefined });
  }

  /** All of them; the log is empty afterwards. */
  drain(): readonly Access[] {
    const drained = [...this.#failures.values(), ...this.#others.values()];
    this.#failures.clear();
    this.#others.clear();
    return drained;
  }
}

function put(log: Map<string, Access>, access: Access, limit: number, coarse: Access): void {
  const isRoom = log.size < limit || log.has(keyOf(access));
  const kept = isRoom ? access : coarse;
  const before = log.get(keyOf(kept));
  log.set(keyOf(kept), before === undefined ? kept : joined(before, kept));
}

function joined(before: Access, access: Access): Access {
  const firstAt = before.firstAt < access.firstAt ? before.firstAt : access.firstAt;
  const lastAt = before.lastAt > access.lastAt ? before.lastAt : access.lastAt;
  return { ...before, count: before.count + access.count, firstAt, lastAt };
}

function keyOf({ event, caller, method, route, outcome, reason, target }: Access): string {
  const actor = caller === null ? null : actorOf(caller);
  return JSON.stringify([event, actor, method, route, outcome, reason, target]);
}
