import { DatabaseError } from './errors.ts';

/**
 * SQLSTATEs (PostgreSQL manual, appendix A) of a server that cannot be reached, is going or coming, is full, or is none to write
 * to. Those of one that answered and refused, or was not migrated, are not among them.
 */
const AWAY: ReadonlySet<string> = new Set([
  '08', // connection exception
  '25006', // a standby, of which nobody can draw a place
  '28', // login refused: a password is being changed
  '3D000', // the database does not exist (yet)
  '53', // insufficient resources: disk, memory, connections
  '57P01', // shut down
  '57P02', // crashed
  '57P03', // starting up
  '58', // system error: input/output
]);

/** Whether a statement failed because there is no database to ask now, whatever was asked. */
export function isAway(error: unknown): boolean {
  if (!(error instanceof DatabaseError) || error.kind !== 'unavailable') return false;
  const { sqlstate } = error;
  return sqlstate === undefined || AWAY.has(sqlstate) || AWAY.has(sqlstate.slice(0, 2));
}
