import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const MIGRATIONS = 'src/store/migrations';

/** The last version whose schema was another one, unpacked beside this one. */
export interface VersionBefore {
  /** Its program. */
  readonly main: string;
  remove(): Promise<void>;
}

/** Schemas looked back through for a commit that is whole enough to start. */
const LOOK_BACK = 5;

/** Finds and unpacks it; a sentence that says why not, where there is no history to look in. */
export async function unpackVersionBefore(): Promise<VersionBefore | string> {
  for (const commit of await listCandidates()) {
    const version = await unpack(commit);
    if (await starts(version)) return version;
    await version.remove();
  }
  return 'there is no git history with a schema before this one';
}

async function unpack(commit: string): Promise<VersionBefore> {
  const directory = await mkdtemp(join(tmpdir(), 'phaserun-before-'));
  await run('sh', ['-c', 'git archive "$0" | tar -x -C "$1"', commit, directory], { cwd: ROOT });
  await provideModules(commit, directory);
  return { main: join(directory, 'src/main.ts'), remove: () => rm(directory, { recursive: true }) };
}

const LOAD_ROLES = `for (const role of ['api', 'controller']) await import(process.argv[1] + '/cli/' + role + '-process.ts')`;

/** A commit between two that belong together may not even load; such a one never ran anywhere. */
const starts = ({ main }: VersionBefore) =>
  run(process.execPath, ['--input-type=module', '-e', LOAD_ROLES, dirname(main)]).then(
    () => true,
    () => false,
  );

/** What the source imports: the same packages, where nothing has changed about them since. */
async function provideModules(commit: string, directory: string): Promise<void> {
  const isSame = await git('diff', '--quiet', commit, '--', 'package-lock.json').then(
    () => true,
    () => false,
  );
  if (isSame) await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  else await run('npm', ['ci', '--omit=dev', '--no-audit', '--no-fund'], { cwd: directory });
}

/** The newest commit of each schema that is not today's, the newest first; none in a shallow clone. */
async function listCandidates(): Promise<readonly string[]> {
  try {
    const now = (await readdir(join(ROOT, MIGRATIONS))).toSorted();
    const head = (await listMigrations('HEAD')).join() === now.join() ? [] : ['HEAD'];
    const changes = await git('log', '--diff-filter=AD', '--no-renames', '--format=%H^', '--', MIGRATIONS);
    const parents = changes.trim().split('\n').slice(0, LOOK_BACK);
    const known = await Promise.all([...head, ...parents].map(resolveWithSchema));
    return known.filter((commit) => commit !== undefined);
  } catch {
    return [];
  }
}

async function resolveWithSchema(revision: string): Promise<string | undefined> {
  try {
    const commit = (await git('rev-parse', '--verify', `${revision}^{commit}`)).trim();
    return (await listMigrations(commit)).length > 0 ? commit : undefined;
  } catch {
    return undefined;
  }
}

async function listMigrations(commit: string): Promise<readonly string[]> {
  const names = await git('ls-tree', '--name-only', commit, `${MIGRATIONS}/`);
  return names
    .trim()
    .split('\n')
    .filter((name) => name !== '')
    .map((name) => name.slice(MIGRATIONS.length + 1))
    .toSorted();
}

async function git(...args: readonly string[]): Promise<string> {
  return (await run('git', args, { cwd: ROOT })).stdout;
}
