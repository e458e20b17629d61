import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { afterAll, describe, expect, it } from 'vitest';
import { readEntryPoint } from '../../../hack/entry-point.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { ownKubernetes } from '../../fixtures/kubernetes.ts';
import { retrieve, store } from '../end-to-end/runner.ts';
import { createWorld } from '../end-to-end/world.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const run = promisify(execFile);

// What the image holds, without an image: its program over real servers.
const app = await mkdtemp(join(tmpdir(), 'phaserun-image-'));
afterAll(() => rm(app, { recursive: true }));
await run(join(ROOT, 'hack/image'), ['--out', app]);
const main = join(app, 'dist/main.js');
const { url: databaseUrl } = await freshDatabase();
const empty = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const world = await createWorld({ kubeconfigPath, databaseUrl, main });

describe('the image', () => {
  it('has the packages in the program, with their licences', async () => {
    expect((await readdir(app)).toSorted()).toEqual(['LICENSE', 'crds', 'dist', 'package.json', 'src']);
    const notices = await readFile(join(app, 'dist/THIRD_PARTY_NOTICES.txt'), 'utf8');
    const { components } = JSON.parse(await readFile(join(app, 'dist/third-party.cdx.json'), 'utf8'));
    expect(components).toContainEqual(
      expect.objectContaining({ name: 'fastify', licenses: [{ expression: 'MIT' }] }),
    );
    for (const { name, version } of components) expect(notices).toContain(`\n${name} ${version} (`);
    expect(notices).toContain('Copyright (c) 2016-present The Fastify team');
  });

  it('starts as its Dockerfile says', async () => {
    const [, ...args] = readEntryPoint(app);
    const { stdout } = await run(process.execPath, [...args, 'version', '-o', 'name']);
    expect(stdout).toMatch(/^phaserun\/\d/);
  });

  it('loads in each of its parts', async () => {
    const parts = await readdir(join(app, 'dist'), { recursive: true });
    const modules = parts.filter((part) => /^(npm\/)?[\w-]+\.js$/.test(part) && part !== 'main.js');
    expect(modules.length).toBeGreaterThan(40);
    const program = modules
      .map((part) => `await import(${JSON.stringify(join(app, 'dist', part))});`)
      .join('\n');
    await run(process.execPath, ['--input-type=module', '--eval', program]);
  });

  it('makes the schema', async () => {
    const client = new Client({ connectionString: empty.url });
    await client.connect();
    await client.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    const { stdout } = await run(process.execPath, [main, 'migrate', '-o', 'json'], {
      env: { DATABASE_URL: empty.url },
    });
    expect(stdout).toContain('0001_spine');
    const { rowCount } = await client.query('SELECT FROM schema_migrations');
    await client.end();
    expect(rowCount).toBe((await readdir(join(ROOT, 'src/store/migrations'))).length);
  });

  it('makes a row of a result, and tells of it', async () => {
    const tenant = await world.makeTenant();
    await world.startController();
    const api = await world.startApi();
    const result = { vulnerabilities: [{ type: 'xss' }] };
    const scan = { phase: 'scan', repo: `${tenant.owner}/shop`, commitSha: '7776c71', data: result };
    expect((await store(api, tenant, scan)).status).toBe(200);
    const known = await retrieve(api, tenant, { repo: scan.repo, commit: scan.commitSha });
    expect(known.body).toEqual({ scan: result });
  });

  it('describes its API on a page', async () => {
    const api = await world.startApi();
    expect(await (await fetch(`${api.url}/docs`)).text()).toContain('swagger-ui-bundle.js');
    for (const file of ['swagger-ui-bundle.js', 'swagger-ui.css', 'logo.svg'])
      expect((await fetch(`${api.url}/docs/static/${file}`)).status).toBe(200);
  });
});
