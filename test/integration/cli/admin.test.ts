import { sql } from 'slonik';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createDatabase, type Database } from '../../../src/store/database.ts';
import { findForgeOwner } from '../../../src/store/forge-accounts.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { type CliResult, runCli } from './run-cli.ts';

const { url } = await freshDatabase();
let database: Database;
let acmeId: string;

beforeAll(async () => {
  const logger = { info: () => undefined, warn: () => undefined };
  database = await createDatabase({ url, poolMax: 1, applicationName: 'test', logger });
  acmeId = (await adminJson('customer create acme')).id;
  await admin('customer create globex');
});
afterAll(() => database.close());

describe('admin customer', () => {
  it('lists customers by name, in every format', async () => {
    const { stdout: names } = await admin('customer list -o name');
    expect(names).toBe('customer/acme\ncustomer/globex\n');
    const { stdout: table } = await admin('customer list');
    expect(table).toMatch(/^NAME {5}ID\nacme {5}[0-9a-f-]{36}\nglobex {3}[0-9a-f-]{36}\n$/);
    expect(await adminJson('customer list')).toMatchObject([
      { id: acmeId, name: 'acme' },
      { name: 'globex' },
    ]);
  });

  it.each(['name', 'id'])('gets one by %s', async (by) => {
    expect(await adminJson(`customer get ${by === 'id' ? acmeId : 'acme'}`)).toMatchObject({
      id: acmeId,
      name: 'acme',
    });
  });

  it('takes a name that looks like an id for a name', async () => {
    const name = '11111111-2222-4333-8444-555555555555';
    const { id } = await adminJson(`customer create ${name}`);
    expect(await adminJson(`customer get ${name}`)).toMatchObject({ id, name });
    await database.pool.query(sql.unsafe`DELETE FROM customers WHERE id = ${id}`);
  });

  it('refuses a name that is taken', async () => {
    expect(await admin('customer create acme')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'error: there is a customer "acme" already\nSee it with: phaserun admin customer get acme\n',
    });
  });

  it('says how to find those that are there', async () => {
    expect(await admin('customer get nobody')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'error: there is no customer "nobody"\nList them with: phaserun admin customer list\n',
    });
  });
});

describe('admin key', () => {
  it('prints a new key alone to stdout, and all the rest beside it', async () => {
    const { code, stdout, stderr } = await admin('key create --customer acme');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^rsolv_[0-9A-Za-z]+_[0-9A-Za-z]{43}\n$/);
    expect(stderr).toMatch(
      /^Key [0-9A-Za-z]+ for phases:read, phases:write\. This is the only time it is shown/,
    );
  });

  it('gives it as a field of a document, with what was asked for', async () => {
    const options = `--customer ${acmeId} --name nightly --scope phases:read --scope sessions --expires-in-days 90`;
    const key = await adminJson(`key create ${options}`);
    expect(key).toMatchObject({ name: 'nightly', scopes: ['phases:read', 'sessions'], revokedAt: null });
    expect(key.apiKey).toMatch(new RegExp(`^rsolv_${key.id}_`));
    const days = (Date.parse(key.expiresAt) - Date.parse(key.createdAt)) / 86_400_000;
    expect(Math.round(days)).toBe(90);
  });

  it('shows no secret again', async () => {
    const { apiKey } = await adminJson('key create --customer globex');
    const secret = apiKey.split('_')[2];
    for (const format of ['wide', 'json', 'yaml', 'name']) {
      const { stdout, stderr } = await admin(`key list --customer globex -o ${format}`);
      expect(stdout).not.toBe('');
      expect(stdout + stderr).not.toContain(secret);
    }
  });

  it('revokes a key of this customer, and of no other', async () => {
    const { id } = await adminJson('key create --customer acme --name leaked');
    expect(await admin(`key revoke ${id} --customer globex`)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/customer globex has no key .*\n.*admin key list --customer globex/),
    });
    expect((await adminJson(`key revoke ${id} --customer acme`)).revokedAt).not.toBeNull();
    const { stdout } = await admin('key list --customer acme');
    expect(stdout).toMatch(new RegExp(`^${id} +leaked +phases:read,phases:write +revoked +never$`, 'm'));
  });

  it('rotates a key: the new one is like it, the old one ends after the overlap', async () => {
    const old = await adminJson('key create --customer acme --name weekly --scope phases:read');
    const { stdout, stderr } = await admin(`key rotate ${old.id} --customer acme --overlap-hours 2`);
    expect(stdout).toMatch(/^rsolv_.*\n$/);
    expect(stderr).toContain(`Key ${old.id} ends in 2 hours.\n`);
    const keys: readonly KeyRow[] = await adminJson('key list --customer acme');
    const [fresh, stale] = keys.filter(({ name }) => name === 'weekly');
    expect(fresh).toMatchObject({ scopes: ['phases:read'], expiresAt: null });
    expect(stale).toMatchObject({ id: old.id });
    expect(Date.parse(stale?.expiresAt ?? '')).toBeGreaterThan(Date.now());
    expect(Date.parse(stale?.expiresAt ?? '')).toBeLessThanOrEqual(Date.now() + 2 * 3_600_000);
  });

  it('rotates no key that is over', async () => {
    const { id } = await adminJson('key create --customer acme');
    await admin(`key revoke ${id} --customer acme`);
    expect(await admin(`key rotate ${id} --customer acme`)).toMatchObject({ code: 1, stdout: '' });
  });
});

describe('admin forge-account', () => {
  it('opens a namespace once it is verified, and not before', async () => {
    const added = await admin('forge-account add Acme-Corp --customer acme');
    expect(added).toMatchObject({ code: 0, stderr: expect.stringMatching(/opens nothing yet.*verify/) });
    expect(added.stdout).toMatch(
      /^FORGE +NAMESPACE +VERIFIED +OWNER-ID\ngithub +acme-corp +no +not pinned\n$/,
    );
    expect(await ownerOf('acme-corp')).toBeUndefined();
    expect((await adminJson('forge-account verify acme-corp --customer acme')).verifiedAt).not.toBeNull();
    expect(await ownerOf('acme-corp')).toBe(acmeId);
  });

  it('leaves a verified namespace with its owner until it is removed', async () => {
    await admin('forge-account add shared --customer acme');
    await admin('forge-account verify shared --customer acme');
    await admin('forge-account add shared --customer globex');
    expect(await admin('forge-account verify shared --customer globex')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/github namespace shared is verified for another customer\n.*remove it/),
    });
    expect(await admin('forge-account remove shared --customer acme')).toMatchObject({ code: 0, stdout: '' });
    expect(await ownerOf('shared')).toBeUndefined();
    expect(await admin('forge-account verify shared --customer globex')).toMatchObject({ code: 0 });
  });

  it('pins the owner of a namespace by its id, which another verification keeps', async () => {
    await admin('forge-account add pinned --customer acme');
    const verified = await adminJson('forge-account verify pinned --customer acme --owner-id 4217');
    expect(verified.ownerId).toBe('4217');
    await admin('forge-account verify pinned --customer acme');
    const { stdout } = await admin('forge-account list --customer acme');
    expect(stdout).toMatch(/^github +pinned +\S+ +4217$/m);
  });

  it.each([
    { id: 'acme', forge: 'github', want: /owner-id.*number/ },
    { id: '4217', forge: 'gitlab', want: /--owner-id is for github/ },
  ])('refuses the owner id $id on $forge', async ({ id, forge, want }) => {
    const verify = `forge-account verify pinned --customer acme --forge ${forge} --owner-id ${id}`;
    expect(await admin(verify)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(want) });
  });

  it('keeps nested groups of GitLab', async () => {
    await admin('forge-account add Group/Sub --customer acme --forge gitlab');
    const accounts = await adminJson('forge-account list --customer acme');
    expect(accounts).toContainEqual(expect.objectContaining({ forge: 'gitlab', namespace: 'group/sub' }));
  });

  it.each([
    {
      args: 'forge-account verify nothing --customer acme',
      want: /has not claimed github namespace nothing/,
    },
    { args: 'forge-account remove nothing --customer acme', want: /has not claimed/ },
    { args: 'forge-account add acme --customer nobody', want: /admin customer list/ },
  ])('refuses $args', async ({ args, want }) => {
    expect(await admin(args)).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(want) });
  });
});

describe('with a database that is away', () => {
  it('says that nobody answers, and never the password', async () => {
    const env = { DATABASE_URL: 'postgres://phaserun:hunter2@127.0.0.1:9/phaserun' };
    const { code, stdout, stderr } = await runCli(['admin', 'customer', 'list'], { env });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/Check DATABASE_URL/);
    expect(stderr).not.toContain('hunter2');
  });
});

describe('migrate', () => {
  it('does nothing to a database that is up to date', async () => {
    const { code, stdout, stderr } = await runCli(['migrate'], { env: { DATABASE_URL: url } });
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: '',
      stderr: 'The database is up to date.\n',
    });
  });

  it('makes an empty database usable', async () => {
    const name = `migrate_${process.pid}`;
    const empty = new URL(url);
    empty.pathname = `/${name}`;
    await database.pool.query(sql.type(z.object({}))`CREATE DATABASE ${sql.identifier([name])}`);
    try {
      const env = { DATABASE_URL: empty.href };
      const before = await runCli(['admin', 'customer', 'list'], { env });
      expect(before).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/Do so with: phaserun migrate/),
      });
      const migrated = await runCli(['migrate', '-o', 'name'], { env });
      expect(migrated).toMatchObject({ code: 0, stdout: expect.stringMatching(/^migration\/0001_spine\n/) });
      expect(await runCli(['admin', 'customer', 'list', '-o', 'json'], { env })).toMatchObject({
        code: 0,
        stdout: '[]\n',
      });
    } finally {
      await database.pool.query(sql.type(z.object({}))`DROP DATABASE ${sql.identifier([name])} WITH (FORCE)`);
    }
  });
});

interface KeyRow {
  readonly id: string;
  readonly name: string;
  readonly expiresAt: string | null;
}

function admin(args: string): Promise<CliResult> {
  return runCli(['admin', ...args.split(' ')], { env: { DATABASE_URL: url } });
}

async function adminJson(args: string) {
  const { stdout, ...rest } = await admin(`${args} -o json`);
  expect(rest).toMatchObject({ code: 0 });
  return JSON.parse(stdout);
}

function ownerOf(namespace: string): Promise<string | undefined> {
  return findForgeOwner(database.pool, 'github', [namespace]);
}
