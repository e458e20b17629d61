import { BackendTerminatedError } from 'slonik';

/**
 * What a caller may do about a failure:
 * - `unavailable`: the database cannot be reached, is not ready, or has not been migrated yet; later.
 * - `conflict`: another writer was first; at once, from the start.
 * - `stale_leader`: somebody else leads; never, for whoever is told.
 * - `content`: Postgres refuses what is being stored, and always will.
 * - `other`: ours to repair.
 */
export type DatabaseErrorKind = 'unavailable' | 'conflict' | 'stale_leader' | 'content' | 'other';

/** What every function of this folder throws when a statement fails. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
  readonly kind: DatabaseErrorKind;
  /** Absent when no server answered. */
  readonly sqlstate: string | undefined;

  constructor(kind: DatabaseErrorKind, sqlstate: string | undefined, cause: unknown) {
    super(rootOf(cause), { cause });
    this.kind = kind;
    this.sqlstate = sqlstate;
  }
}

/** By SQLSTATE (PostgreSQL manual, appendix A), the five characters before the class of two. */
const KIND_BY_SQLSTATE: Readonly<Record<string, DatabaseErrorKind>> = {
  '08': 'unavailable', // connection exception
  '22': 'content', // data exception: NUL in jsonb, lone surrogate, value too long, number out of range
  '23505': 'conflict', // unique violation
  '23514': 'content', // check violation
  '25006': 'unavailable', // read-only transaction: connected to what is a standby now
  '25P03': 'unavailable', // idle in transaction for too long
  '28': 'unavailable', // login refused: a password is being changed
  '3D000': 'unavailable', // the database does not exist (yet)
  '40': 'conflict', // serialisation failure, deadlock
  '42501': 'unavailable', // privilege not granted (yet)
  '42703': 'unavailable', // undefined column: not migrated yet
  '42883': 'unavailable', // undefined function: not migrated yet
  '42P01': 'unavailable', // undefined table: not migrated yet
  '53': 'unavailable', // insufficient resources: disk, memory, connections
  '54': 'content', // program limit: jsonb too large, index row too large, too deeply nested
  '55P03': 'unavailable', // lock not available
  '57': 'unavailable', // cancelled, shut down, starting up
  '58': 'unavailable', // system error: input/output
};

/** Says in our terms why a statement failed; a {@link DatabaseError} stays as it is. */
export function toDatabaseError(error: unknown): DatabaseError {
  if (error instanceof DatabaseError) return error;
  const causes = [...causesOf(error)];
  if (causes.some((cause) => cause instanceof BackendTerminatedError))
    return new DatabaseError('unavailable', undefined, error);
  const sqlstate = causes.map(sqlstateOf).find((state) => state !== undefined);
  return new DatabaseError(kindOf(sqlstate), sqlstate, error);
}

function kindOf(sqlstate: string | undefined): DatabaseErrorKind {
  if (sqlstate === undefined) return 'other';
  return KIND_BY_SQLSTATE[sqlstate] ?? KIND_BY_SQLSTATE[sqlstate.slice(0, 2)] ?? 'other';
}

/** What was said first; Node leaves the message of several failed attempts empty. */
function rootOf(error: unknown): string {
  const root = [...causesOf(error)].at(-1);
  if (root === undefined) return String(error);
  return root.message || ('code' in root ? String(root.code) : root.name);
}

function* causesOf(error: unknown): Generator<Error> {
  for (let cause = error; cause instanceof Error; cause = cause.cause) yield cause;
}

function sqlstateOf(error: Error): string | undefined {
  const code = 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}
