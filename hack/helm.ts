import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

export const CHART = root('charts/phaserun');

/** What `hack/chart-tools` has made, under the name that it gives it; CI has it made, and fails without. */
const FOLDER = join(
  process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'),
  'phaserun/chart-tools',
  createHash('sha256')
    .update(
      Buffer.concat(
        ['hack/tools/chart/go.mod', 'hack/tools/chart/go.sum', 'hack/chart-tools'].map((path) =>
          readFileSync(root(path)),
        ),
      ),
    )
    .digest('hex')
    .slice(0, 12),
);

/** Definitions of the kinds of others that the chart can make objects of. */
export const OTHER_KINDS = join(FOLDER, 'kinds');

export const hasChartTools = existsSync(FOLDER);

/** What Helm says, and whether it is content. */
export interface Verdict {
  readonly ok: boolean;
  /** Of stdout. */
  readonly output: string;
  readonly complaint: string;
}

export async function helm(...args: readonly string[]): Promise<Verdict> {
  return run(join(FOLDER, 'helm'), args);
}

/** Runs a program with this text on its standard input. */
export async function run(program: string, args: readonly string[], input = ''): Promise<Verdict> {
  const running = promisify(execFile)(program, args, { maxBuffer: 64 * 1024 * 1024 });
  running.child.stdin?.end(input);
  try {
    const { stdout, stderr } = await running;
    return { ok: true, output: stdout, complaint: stderr };
  } catch (error) {
    if (!(error instanceof Error && 'stdout' in error && 'stderr' in error)) throw error;
    return { ok: false, output: String(error.stdout), complaint: String(error.stderr) };
  }
}

/** Lends a file with these values. */
export async function withValues<T>(values: object, work: (file: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'phaserun-values-'));
  try {
    const file = join(folder, 'values.json');
    await writeFile(file, JSON.stringify(values));
    return await work(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}
