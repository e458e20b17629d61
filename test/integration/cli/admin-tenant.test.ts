import { CoreV1Api, KubeConfig, type V1PolicyRule, type V1Secret } from '@kubernetes/client-node';
import { sql } from 'slonik';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { z } from 'zod';
import { parseApiKey } from '../../../src/store/api-key.ts';
import { createDatabase, type Database } from '../../../src/store/database.ts';
import { findPrincipal } from '../../../src/store/find-principal.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { serviceAccountKubeconfig } from '../../fixtures/service-account.ts';
import { type CliOptions, type CliResult, runCli } from './run-cli.ts';

const API_URL = 'http://phaserun-api.phaserun-system:8088';

const { url } = await freshDatabase();
let database: Database;
let core: CoreV1Api;

beforeAll(async () => {
  const logger = { info: () => undefined, warn: () => undefined };
  database = await createDatabase({ url, poolMax: 2, applicationName: 'test', logger });
  const kubeconfig = new KubeConfig();
  kubeconfig.loadFromFile(inject('kubeconfigPath'));
  core = kubeconfig.makeApiClient(CoreV1Api);
});
afterAll(() => database.close());

describe('admin tenant create', () => {
  it('sets up a customer with these rights, and changes nothing the second time', async () => {
    const namespace = await freshNamespace();
    const KUBECONFIG = await serviceAccountKubeconfig({ namespace, rules: rightsIn(namespace) });
    const args = `acme --forge-account github/Acme@4217 gitlab/acme/sub --namespace ${namespace} ${inSecret(namespace)}`;

    const first = await tenant(args, { KUBECONFIG });
    expect(first).toMatchObject({ code: 0 });
    expect(changesIn(first.stdout)).toEqual({
      'customer/acme': 'created',
      'forge-account/github/acme': 'created',
      'forge-account/gitlab/acme/sub': 'created',
      [`namespace/${namespace}`]: 'changed',
      [`key/${await keyIdIn(namespace)}`]: 'created',
    });
    const secret = await readSecret(namespace);
    expect(first.stdout + first.stderr).not.toContain(parseSecretPart(secret.apiKey));
    expect(secret.apiUrl).toBe(API_URL);
    const { id } = await customerOf('acme');
    expect(await principalOf(secret.apiKey)).toEqual({
      known: true,
      customerId: id,
      scopes: ['phases:read', 'phases:write'],
    });
    const bound = await core.readNamespace({ name: namespace });
    expect(bound.metadata?.annotations).toMatchObject({ 'phases.rsolv.dev/customer-id': id });
    const audited = await eventsOf(id);
    expect(audited).toEqual([
      'api_key.created',
      'customer.created',
      'forge_account.added',
      'forge_account.added',
      'forge_account.verified',
      'forge_account.verified',
      'namespace.bound',
    ]);

    const second = await tenant(args, { KUBECONFIG });
    expect(second).toMatchObject({ code: 0 });
    expect(new Set(Object.values(changesIn(second.stdout)))).toEqual(new Set(['unchanged']));
    expect(await readSecret(namespace)).toEqual(secret);
    expect(await eventsOf(id)).toEqual(audited);
  });

  it('pins an owner and opens an account that was claimed before', async () => {
    await admin('customer create claims');
    await admin('forge-account add claims --customer claims');
    const { stdout } = await tenant('claims --forge-account github/claims@77 -o json');
    expect(JSON.parse(stdout)).toMatchObject({
      forgeAccounts: [{ namespace: 'claims', ownerId: '77', verifiedAt: expect.any(String) }],
      changes: [
        { object: 'customer/claims', change: 'unchanged' },
        { object: 'forge-account/github/claims', change: 'changed' },
        { change: 'created' },
      ],
    });
  });
});

describe('the key without a Secret', () => {
  it('is shown the first time alone', async () => {
    const first = await tenant('shown --forge-account github/shown');
    const apiKey = first.stdout.trimEnd().split('\n').at(-1) ?? '';
    expect(await principalOf(apiKey)).toMatchObject({ known: true });
    expect(first.stderr).toMatch(/shown this once/);
    const second = await tenant('shown --forge-account github/shown');
    expect(second).toMatchObject({ code: 0, stderr: expect.stringMatching(/cannot be shown again/) });
    expect(second.stdout).not.toContain('rsolv_');
    expect(await keysOf('shown')).toHaveLength(1);
  });

  it('is a member of a document', async () => {
    const { stdout } = await tenant('document --scope sessions --key-name agents -o json');
    const { apiKey, key } = JSON.parse(stdout);
    expect(key).toMatchObject({ name: 'agents', scopes: ['sessions'] });
    expect(await principalOf(apiKey)).toMatchObject({ known: true, scopes: ['sessions'] });
  });

  it.each([
    { name: 'was revoked', spoil: (id: string) => admin(`key revoke ${id} --customer spoilt`) },
    { name: 'is over', spoil: (id: string) => expire(id) },
  ])('is another when the first $name', async ({ spoil }) => {
    await tenant('spoilt');
    for (const { id } of await keysOf('spoilt')) await spoil(id);
    const { stdout } = await tenant('spoilt -o json');
    expect(await principalOf(JSON.parse(stdout).apiKey)).toMatchObject({ known: true });
  });
});

describe('the key in a Secret', () => {
  it.each<{ name: string; spoil: (namespace: string, keyId: string) => Promise<unknown> }>([
    { name: 'was revoked', spoil: (_, keyId) => admin(`key revoke ${keyId} --customer held`) },
    { name: 'is over', spoil: (_, keyId) => expire(keyId) },
    { name: 'is no key', spoil: (namespace) => writeSecret(namespace, { 'api-key': 'hunter2' }) },
    {
      name: 'has another secret',
      spoil: (namespace, keyId) => writeSecret(namespace, { 'api-key': `rsolv_${keyId}_0` }),
    },
    { name: 'is gone', spoil: (namespace) => writeSecret(namespace, {}) },
    { name: 'went with it', spoil: (namespace) => core.deleteNamespacedSecret({ name: 'ci', namespace }) },
  ])('is replaced when it $name', async ({ spoil }) => {
    const namespace = await freshNamespace();
    await tenant(`held ${inSecret(namespace)}`);
    const before = await readSecret(namespace);
    await spoil(namespace, parseApiKey(before.apiKey)?.keyId ?? '');
    expect(await tenant(`held ${inSecret(namespace)}`)).toMatchObject({ code: 0 });
    const after = await readSecret(namespace);
    expect(after.apiKey).not.toBe(before.apiKey);
    expect(await principalOf(after.apiKey)).toMatchObject({ known: true });
  });

  it('is replaced and revoked when it is for other scopes', async () => {
    const namespace = await freshNamespace();
    await tenant(`narrowed ${inSecret(namespace)}`);
    const before = await readSecret(namespace);
    await tenant(`narrowed --scope phases:read ${inSecret(namespace)}`);
    expect(await principalOf(before.apiKey)).toEqual({ known: false, reason: 'revoked' });
    const after = await readSecret(namespace);
    expect(await principalOf(after.apiKey)).toMatchObject({ scopes: ['phases:read'] });
  });

  it('stays beside what else is there, and follows the address', async () => {
    const namespace = await freshNamespace();
    await core.createNamespacedSecret({
      namespace,
      body: { metadata: { name: 'ci' }, stringData: { token: 'theirs' } },
    });
    await tenant(`moved ${inSecret(namespace)}`);
    const { apiKey } = await readSecret(namespace);
    await tenant(`moved --key-secret ${namespace}/ci --api-url https://phaserun.example.com`);
    const after = await readSecret(namespace);
    expect(after).toMatchObject({ apiKey, apiUrl: 'https://phaserun.example.com' });
    expect(after.secret.data).toMatchObject({ token: btoa('theirs') });
  });

  it("is left alone when it is another customer's", async () => {
    const namespace = await freshNamespace();
    await tenant(`first ${inSecret(namespace)}`);
    const before = await readSecret(namespace);
    expect(await tenant(`second ${inSecret(namespace)}`)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/belongs to customer .*\nName another Secret/),
    });
    expect(await readSecret(namespace)).toEqual(before);
    expect(await keysOf('second')).toEqual([]);
  });

  it('is no good key that nobody has when the command dies between Secret and database', async () => {
    const namespace = await freshNamespace();
    await tenant(`crashed --key-name before`);
    await database.pool.transaction(async (transaction) => {
      // Lets it look for keys and make none.
      await transaction.query(sql.type(z.object({}))`LOCK TABLE api_keys IN EXCLUSIVE MODE`);
      const killWhen = untilSecret(namespace);
      const died = await tenant(`crashed ${inSecret(namespace)}`, {}, { killWhen });
      expect(died.code).toBeNull();
    });
    const dead = await readSecret(namespace);
    expect(await principalOf(dead.apiKey)).toEqual({ known: false, reason: 'no_such_key' });

    expect(await tenant(`crashed ${inSecret(namespace)}`)).toMatchObject({ code: 0 });
    const { apiKey } = await readSecret(namespace);
    expect(await principalOf(apiKey)).toMatchObject({ known: true });
    expect((await keysOf('crashed')).map(({ name }) => name)).toEqual(['default', 'before']);
  });

  it('is one when the command runs twice at once', async () => {
    const namespace = await freshNamespace();
    const results = await Promise.all([1, 2].map(() => tenant(`raced ${inSecret(namespace)}`)));
    expect(results.map(({ code }) => code)).toEqual([0, 0]);
    const { apiKey } = await readSecret(namespace);
    expect((await keysOf('raced')).map(({ id }) => id)).toEqual([parseApiKey(apiKey)?.keyId]);
  });
});

describe('what cannot be done', () => {
  it.each([
    { args: '', want: /missing required argument 'name'/ },
    { args: 'x --forge-account acme', want: /github or gitlab, a slash/ },
    { args: 'x --forge-account bitbucket/acme', want: /github or gitlab, a slash/ },
    { args: 'x --forge-account github/a/b', want: /github or gitlab, a slash/ },
    { args: 'x --forge-account github/acme@acme', want: /owner id is the number/ },
    { args: 'x --forge-account gitlab/acme@4217', want: /owner id is the number/ },
    { args: 'x --namespace Acme', want: /name of a Kubernetes namespace/ },
    { args: 'x --scope everything', want: /phases:read/ },
    { args: 'x --key-secret ci', want: /namespace of a Secret, a slash/ },
    { args: 'x --key-secret a/b/c --api-url http://a', want: /namespace of a Secret, a slash/ },
    { args: 'x --key-secret a/b', want: /--key-secret and --api-url go together/ },
    { args: 'x --api-url http://a', want: /--key-secret and --api-url go together/ },
    { args: 'x --key-secret a/b --api-url phaserun', want: /http:\/\/ or https:\/\// },
  ])('is refused with 2: $args', async ({ args, want }) => {
    expect(await tenant(args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(want) });
    expect(await admin('customer get x')).toMatchObject({ code: 1 });
  });

  it('leaves nothing behind when an account is verified for another customer', async () => {
    await tenant('owner --forge-account github/owned');
    expect(await tenant('taker --forge-account github/free github/owned')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/owned is verified for another customer\n.*remove it/),
    });
    expect(await admin('customer get taker')).toMatchObject({ code: 1 });
  });

  it.each([
    { args: inSecret('nowhere'), want: /no Kubernetes namespace nowhere\n/ },
    { args: '--namespace nowhere', want: /no Kubernetes namespace nowhere\n/ },
  ])('says so of $args, and makes no key', async ({ args, want }) => {
    expect(await tenant(`lost ${args}`)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(want),
    });
    expect(await keysOf('lost')).toEqual([]);
  });

  it('says which right is missing', async () => {
    const namespace = await freshNamespace();
    const KUBECONFIG = await serviceAccountKubeconfig({ namespace });
    const { code, stderr } = await tenant(`rightless ${inSecret(namespace)}`, { KUBECONFIG });
    expect(code).toBe(1);
    expect(stderr).toMatch(/cannot get resource "secrets".*\n.*right that is named/);
    expect(await keysOf('rightless')).toEqual([]);
  });
});

/** What the help promises to need, and no more. */
function rightsIn(namespace: string): V1PolicyRule[] {
  return [
    { apiGroups: [''], resources: ['secrets'], resourceNames: ['ci'], verbs: ['get', 'patch'] },
    { apiGroups: [''], resources: ['secrets'], verbs: ['create'] },
    { apiGroups: [''], resources: ['namespaces'], resourceNames: [namespace], verbs: ['get', 'patch'] },
  ];
}

function inSecret(namespace: string): string {
  return `--key-secret ${namespace}/ci --api-url ${API_URL}`;
}

function tenant(
  args: string,
  env: Record<string, string> = {},
  options: CliOptions = {},
): Promise<CliResult> {
  return admin(`tenant create ${args}`, env, options);
}

function admin(args: string, env: Record<string, string> = {}, options: CliOptions = {}): Promise<CliResult> {
  return runCli(['admin', ...args.trim().split(' ')], {
    ...options,
    env: { DATABASE_URL: url, KUBECONFIG: inject('kubeconfigPath'), ...env },
  });
}

function changesIn(table: string): Record<string, string> {
  const [, ...lines] = table.trimEnd().split('\n');
  return Object.fromEntries(lines.map((line) => line.split(/ +/)));
}

async function readSecret(namespace: string) {
  const secret: V1Secret = await core.readNamespacedSecret({ name: 'ci', namespace });
  const { 'api-key': apiKey = '', 'api-url': apiUrl = '' } = secret.data ?? {};
  return { secret, apiKey: atob(apiKey), apiUrl: atob(apiUrl) };
}

async function keyIdIn(namespace: string): Promise<string | undefined> {
  return parseApiKey((await readSecret(namespace)).apiKey)?.keyId;
}

function parseSecretPart(apiKey: string): string {
  const secret = apiKey.split('_')[2];
  if (!secret) throw new Error('there is no key');
  return secret;
}

/** Puts this in place of what the Secret holds. */
async function writeSecret(namespace: string, data: Record<string, string>): Promise<void> {
  const { secret } = await readSecret(namespace);
  const { data: _, ...rest } = secret;
  await core.replaceNamespacedSecret({ name: 'ci', namespace, body: { ...rest, stringData: data } });
}

async function untilSecret(namespace: string): Promise<void> {
  for (;;) {
    const { items } = await core.listNamespacedSecret({ namespace });
    if (items.length > 0) return;
  }
}

async function customerOf(name: string): Promise<{ readonly id: string }> {
  return JSON.parse((await admin(`customer get ${name} -o json`)).stdout);
}

async function keysOf(name: string): Promise<readonly { readonly id: string; readonly name: string }[]> {
  return JSON.parse((await admin(`key list --customer ${name} -o json`)).stdout);
}

function principalOf(apiKey: string) {
  const credentials = parseApiKey(apiKey);
  if (credentials === undefined) throw new Error('this is no key');
  return findPrincipal(database.pool, credentials);
}

async function expire(keyId: string): Promise<void> {
  await database.pool.query(sql.type(z.object({}))`
    UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE id = ${keyId}
  `);
}

async function eventsOf(customerId: string): Promise<string[]> {
  const rows = await database.pool.any(sql.type(z.object({ type: z.string() }))`
    SELECT event_type AS type FROM audit_events WHERE customer_id = ${customerId} ORDER BY event_type
  `);
  return rows.map(({ type }) => type);
}
