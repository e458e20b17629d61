import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { ANALYTICS_VIEWS, ensureReaderRole, ReaderRoleError } from '../../../src/store/reader-role.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { runCli } from '../cli/run-cli.ts';

const { url } = await freshDatabase();
const owner = await connect(url);
const role = {
  name: `reader_${randomBytes(6).toString('hex')}`,
  password: `${randomBytes(16).toString('hex')}'%`,
};
afterAll(() => owner.query(`DROP OWNED BY ${role.name}; DROP ROLE ${role.name}`));
await ensureReaderRole(url, role);
const reader = await connect(as(role));

test('it reads the views', async () => {
  for (const view of ANALYTICS_VIEWS)
    await expect(reader.query(`SELECT * FROM ${view}`)).resolves.toBeDefined();
});

test('it has no right to anything else of the database', async () => {
  const { rows } = await owner.query<{ relation: string; right: string }>(
    `SELECT c.relname AS relation, r AS "right"
     FROM pg_class c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) r
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p')
       AND (has_table_privilege($1, c.oid, r)
         OR r IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') AND has_any_column_privilege($1, c.oid, r))
     ORDER BY 1, 2`,
    [role.name],
  );
  expect(rows).toEqual(ANALYTICS_VIEWS.map((relation) => ({ relation, right: 'SELECT' })));
});

test.for([
  'SELECT data FROM validation_executions',
  'SELECT count(*) FROM scan_executions',
  'SELECT secret_sha256 FROM api_keys',
  'SELECT metadata FROM sessions',
  'SELECT name FROM customers',
  'SELECT * FROM active_sessions',
  `SELECT nextval('run_order')`,
  'CREATE TABLE mine (id integer)',
  `SET default_transaction_read_only TO off; INSERT INTO customers (name) VALUES ('mine')`,
  'SET ROLE postgres',
])('it is refused: %s', async (statement) => {
  await expect(reader.query(statement)).rejects.toMatchObject({
    code: expect.stringMatching(/^(42501|25006)$/),
  });
});

test('no view has a column of what clients stored, and each row says whose it is', async () => {
  const { rows } = await owner.query<{ view: string; columns: string[]; types: string[] }>(
    `SELECT table_name AS view, array_agg(column_name::text) AS columns, array_agg(DISTINCT data_type::text) AS types
     FROM information_schema.columns WHERE table_name LIKE 'analytics%' GROUP BY 1 ORDER BY 1`,
  );
  expect(rows.map(({ view }) => view)).toEqual(ANALYTICS_VIEWS);
  for (const { columns, types } of rows) {
    expect(columns).toEqual(expect.arrayContaining(['customer_id', 'customer']));
    expect(types.filter((type) => /json|bytea/.test(type))).toEqual([]);
  }
});

test('what it was granted besides is taken away, and a new password is the only one', async () => {
  await owner.query(`GRANT SELECT ON api_keys TO ${role.name}`);
  const changed = { ...role, password: randomBytes(16).toString('hex') };
  await ensureReaderRole(url, changed);
  await expect(reader.query('SELECT id FROM api_keys')).rejects.toMatchObject({ code: '42501' });
  await logIn(changed);
});

describe('a role that is more than a reader', () => {
  const name = `other_${randomBytes(6).toString('hex')}`;
  afterAll(() => owner.query(`DROP ROLE IF EXISTS ${name}`));

  test.for(['CREATEDB', 'CREATEROLE', 'SUPERUSER', 'IN ROLE pg_read_all_data'])(
    'is refused: %s',
    async (right) => {
      await owner.query(`DROP ROLE IF EXISTS ${name}; CREATE ROLE ${name} NOLOGIN ${right}`);
      await expect(ensureReaderRole(url, { ...role, name })).rejects.toThrow(ReaderRoleError);
      const { rows } = await owner.query('SELECT rolcanlogin FROM pg_roles WHERE rolname = $1', [name]);
      expect(rows).toEqual([{ rolcanlogin: false }]);
    },
  );
});

test('migrate makes it where a password is set', async () => {
  const name = `migrated_${randomBytes(6).toString('hex')}`;
  onTestFinished(async () => {
    await owner.query(`DROP OWNED BY ${name}; DROP ROLE ${name}`);
  });
  const env = { DATABASE_URL: url, DATABASE_READER_ROLE: name, DATABASE_READER_PASSWORD: role.password };
  expect(await runCli(['migrate'], { env })).toMatchObject({
    code: 0,
    stderr: expect.stringContaining(name),
  });
  await logIn({ ...role, name });
});

function as({ name, password }: typeof role): string {
  const readerUrl = new URL(url);
  readerUrl.username = name;
  readerUrl.password = encodeURIComponent(password);
  return readerUrl.href;
}

/** @throws when it is not let in */
async function logIn(login: typeof role): Promise<void> {
  const client = new Client({ connectionString: as(login) });
  await client.connect();
  await client.end();
}

/** Closed at the end of the file. */
async function connect(to: string): Promise<Client> {
  const client = new Client({ connectionString: to });
  await client.connect();
  afterAll(() => client.end());
  return client;
}
