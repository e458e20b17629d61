import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { run } from './program.ts';

let stdout: string;
let stderr: string;

beforeEach(() => {
  stdout = '';
  stderr = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += String(text);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
  for (const name of ['DATABASE_URL', 'RSOLV_API_URL', 'RSOLV_API_KEY', 'USE_PLATFORM_STORAGE'])
    vi.stubEnv(name, '');
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

function phaserun(args: string) {
  return run(['node', 'phaserun', ...args.split(' ').filter(Boolean)]);
}

describe('a command line that is wrong', () => {
  const validation = 'store validation --repo acme/app --commit c1 --issue 7';

  it.each([
    { args: '', want: /Usage: phaserun/ },
    { args: 'stroe', want: /Did you mean store\?/ },
    { args: 'toString', want: /unknown command 'toString'/ },
    { args: 'store', want: /missing required argument|required option/ },
    { args: 'store deploy --repo a/b --commit c', want: /Allowed choices are scan, validation/ },
    { args: 'store scan --commit c', want: /required option '--repo[^]*Try "phaserun store --help"/ },
    {
      args: `${validation}x --data -`,
      want: /'--issue <number>' argument '7x' is invalid.*whole number from 1/,
    },
    {
      args: `${validation} --data - --status done`,
      want: /Allowed choices are pending, running, completed, failed/,
    },
    {
      args: 'retrieve --repo a/b --commit c -o xml',
      want: /Allowed choices are table, wide, json, yaml, name/,
    },
    { args: 'retrieve --repo a/b --commit c --issue 0', want: /whole number from 1/ },
    { args: 'admin', want: /Usage: phaserun admin/ },
    { args: 'admin key', want: /Usage: phaserun admin key/ },
    { args: 'admin key create', want: /required option '--customer <name\|id>'/ },
    { args: 'admin key create --customer acme --scope root', want: /Allowed choices are phases:read/ },
    { args: 'admin key create --customer acme --expires-in-days 99999999', want: /from 1 to 36500/ },
    {
      args: `admin key create --customer acme --name ${'n'.repeat(101)}`,
      want: /between 1 and 100 characters/,
    },
    {
      args: 'admin forge-account add acme --customer acme --forge svn',
      want: /Allowed choices are github, gitlab/,
    },
    { args: 'admin forge-account add a/b --customer acme', want: /"a\/b" is no github namespace/ },
    { args: 'admin namespace bind acme', want: /required option '--customer/ },
    { args: 'version --all', want: /unknown option '--all'/ },
  ])('ends with 2, prints no data and says what to change: $args', async ({ args, want }) => {
    expect(await phaserun(args)).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(want);
  });
});

describe('an environment that is wrong', () => {
  it.each([
    { args: 'retrieve --repo a/b --commit c', want: /set RSOLV_API_URL/ },
    { args: 'admin customer list', want: /DATABASE_URL is not set[^]*export DATABASE_URL=/ },
    { args: 'migrate', want: /DATABASE_URL is not set/ },
  ])('ends with 2 and names the variable: $args', async ({ args, want }) => {
    expect(await phaserun(args)).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(want);
  });

  it('names a variable that cannot be used', async () => {
    vi.stubEnv('DATABASE_URL', 'mysql://localhost/phaserun');
    expect(await phaserun('admin customer list')).toBe(2);
    expect(stderr).toMatch(/DATABASE_URL must be a URL that starts with postgres/);
  });
});

describe('--help', () => {
  it.each([
    'dev',
    'api',
    'controller',
    'migrate',
    'store',
    'retrieve',
    'admin customer create',
    'admin customer list',
    'admin customer get',
    'admin key create',
    'admin key list',
    'admin key revoke',
    'admin key rotate',
    'admin forge-account add',
    'admin forge-account verify',
    'admin forge-account list',
    'admin forge-account remove',
    'admin namespace bind',
    'admin namespace unbind',
    'admin namespace list',
  ])('of %s teaches: what it does, examples to paste, the variables that it reads', async (command) => {
    expect(await phaserun(`${command} --help`)).toBe(0);
    expect(stderr).toBe('');
    expect(stdout).toMatch(new RegExp(`^Usage: phaserun ${command}.*\n\n[A-Z][^]+?\\.\n`));
    expect(stdout).toMatch(new RegExp(`\nExamples:\n  phaserun ${command}`));
    expect(stdout).toMatch(/\nEnvironment:\n {2}[A-Z_]+ {2}/);
  });

  it('of the program lists every command', async () => {
    expect(await phaserun('--help')).toBe(0);
    const listed = [...stdout.matchAll(/^ {2}([a-z]+)\b/gm)].map(([, name]) => name);
    const commands = ['dev', 'api', 'controller', 'migrate', 'admin', 'store', 'retrieve', 'version'];
    expect(listed).toEqual(expect.arrayContaining(commands));
  });
});

describe('version', () => {
  it.each(['--version', '-V', 'version'])('answers to %s', async (args) => {
    expect(await phaserun(args)).toBe(0);
    expect(stdout).toMatch(/\d+\.\d+\.\d+/);
  });
});
