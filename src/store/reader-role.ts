import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { toDatabaseError } from './errors.ts';

/** What the role sees: no payload, and the customer on every row. */
export const ANALYTICS_VIEWS = [
  'analytics_customers',
  'analytics_executions',
  'analytics_funnel',
  'analytics_sessions',
] as const;

/** A login for dashboards. */
export interface ReaderRole {
  readonly name: string;
  /** Printable ASCII; the server is never told it, and so cannot log it. */
  readonly password: string;
}

/** The role cannot be made what it should be; the message says why and what to do. */
export class ReaderRoleError extends Error {
  override readonly name = 'ReaderRoleError';
}

/** A query of a dashboard that takes longer does harm. */
const STATEMENT_TIMEOUT = '30s';

const FIND_ROLE = `
  SELECT
    rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls OR rolname = current_user
      OR EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid)
      OR EXISTS (SELECT FROM pg_class WHERE relowner = r.oid)
      OR EXISTS (SELECT FROM pg_database WHERE datdba = r.oid) AS "doesMore"
  FROM pg_roles r WHERE rolname = $1`;

/**
 * Makes sure of a login that can read the views for dashboards and nothing else. What it was granted besides on tables is
 * taken away; a role that is more than a reader is refused and stays as it is.
 * @throws ReaderRoleError, DatabaseError
 */
export async function ensureReaderRole(databaseUrl: string, role: ReaderRole): Promise<void> {
  const client = new Client({ connectionString: databaseUrl, application_name: 'phaserun-migrate' });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('BEGIN');
    await client.query(`SELECT pg_advisory_xact_lock(hashtext('phaserun reader role'))`);
    await createUnlessThere(client, role.name);
    for (const statement of statementsFor(client, role)) await client.query(statement);
    await client.query('COMMIT');
  } catch (error) {
    throw explain(error, role.name);
  } finally {
    await client.end();
  }
}

async function createUnlessThere(client: Client, name: string): Promise<void> {
  const { rows } = await client.query<{ doesMore: boolean }>(FIND_ROLE, [name]);
  const [found] = rows;
  if (found === undefined) await client.query(`CREATE ROLE ${client.escapeIdentifier(name)} LOGIN`);
  if (found?.doesMore === true) {
    throw new ReaderRoleError(
      `the role ${name} may do more than read, or is a member of other roles: name another in DATABASE_READER_ROLE`,
    );
  }
}

function statementsFor(client: Client, { name, password }: ReaderRole): string[] {
  const role = client.escapeIdentifier(name);
  const database = client.escapeIdentifier(client.database ?? '');
  return [
    `ALTER ROLE ${role} LOGIN PASSWORD ${client.escapeLiteral(makeVerifier(password))}`,
    `ALTER ROLE ${role} SET default_transaction_read_only TO on`,
    `ALTER ROLE ${role} SET statement_timeout TO '${STATEMENT_TIMEOUT}'`,
    `REVOKE ALL ON ALL TABLES IN SCHEMA public FROM ${role}`,
    `REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM ${role}`,
    `REVOKE CREATE ON SCHEMA public FROM ${role}`,
    `GRANT CONNECT ON DATABASE ${database} TO ${role}`,
    `GRANT USAGE ON SCHEMA public TO ${role}`,
    `GRANT SELECT ON ${ANALYTICS_VIEWS.join(', ')} TO ${role}`,
  ];
}

const ITERATIONS = 4096;

/** What Postgres keeps of a password (RFC 5802 and 7677), in the form in which it takes it instead of one. */
function makeVerifier(password: string): string {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256');
  const keyed = (label: string) => createHmac('sha256', salted).update(label).digest();
  const stored = createHash('sha256').update(keyed('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${stored}:${keyed('Server Key').toString('base64')}`;
}

function explain(error: unknown, name: string): Error {
  if (error instanceof ReaderRoleError) return error;
  const failure = toDatabaseError(error);
  if (failure.sqlstate !== '42501') return failure;
  return new ReaderRoleError(
    `the role ${name} cannot be set up (${failure.message}): let the user of DATABASE_URL make roles (CREATEROLE)`,
    { cause: failure },
  );
}
