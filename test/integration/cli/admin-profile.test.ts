import { Client } from 'pg';
import { afterAll, expect, it } from 'vitest';
import { freshDatabase } from '../../fixtures/database.ts';
import { type CliResult, runCli } from './run-cli.ts';

const { url } = await freshDatabase();
const client = new Client({ connectionString: url });
await client.connect();
afterAll(() => client.end());

function profile(...args: string[]): Promise<CliResult> {
  return runCli(['admin', 'profile', ...args], { env: { DATABASE_URL: url } });
}

async function profileJson(...args: string[]) {
  const { stdout, ...rest } = await profile(...args, '-o', 'json');
  expect(rest).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

it('lists those that every installation begins with', async () => {
  expect((await profile('list', '-o', 'name')).stdout).toBe(
    'profile/engineering\nprofile/finance\nprofile/manager\nprofile/marketing\nprofile/support\n',
  );
  expect((await profile('list')).stdout).toMatch(/^ROLE +CAPABILITIES\nengineering +code_review,/);
});

it('changes what is named, leaves the rest, and audits it', async () => {
  const before = await profileJson('get', 'finance');
  const changed = await profileJson('set', 'finance', '--capability', 'billing', '--capability', 'billing');
  expect(changed).toMatchObject({ role: 'finance', capabilities: ['billing'], metadata: before.metadata });
  const described = await profileJson('set', 'finance', '--metadata', '{"tier": 2}');
  expect(described).toMatchObject({ capabilities: ['billing'], metadata: { tier: 2 } });
  expect(await profileJson('get', 'finance')).toEqual(described);
  const { rows } = await client.query('SELECT customer_id, event_type, role FROM audit_events');
  expect(rows).toEqual([
    { customer_id: null, event_type: 'profile.set', role: 'finance' },
    { customer_id: null, event_type: 'profile.set', role: 'finance' },
  ]);
});

it('makes one that is new', async () => {
  const made = await profileJson('set', 'legal', '--capability', 'contract_review', 'licensing');
  expect(made).toMatchObject({
    role: 'legal',
    capabilities: ['contract_review', 'licensing'],
    metadata: {},
  });
});

it.each([
  { args: ['get', 'astronaut'], code: 1, want: /no profile "astronaut"\n.*admin profile list/ },
  { args: ['set', 'x'.repeat(51)], code: 2, want: /between 1 and 50 characters/ },
  { args: ['set', 'a', '--metadata', '[1]'], code: 2, want: /must hold a JSON object/ },
  { args: ['set', 'a', '--metadata', '{'], code: 2, want: /not JSON: line 1, column 2/ },
  { args: ['set', 'a', '--metadata', '{"a":"\\u0000"}'], code: 2, want: /--metadata\.a must not hold NUL/ },
])('refuses $args', async ({ args, code, want }) => {
  expect(await profile(...args)).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(want) });
});
