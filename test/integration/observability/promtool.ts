import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';

const run = promisify(execFile);

/** Whether this machine has promtool; CI installs it, and fails without. */
export async function hasPromtool(): Promise<boolean> {
  return run('promtool', ['--version']).then(
    () => true,
    () => false,
  );
}

/** What promtool says, and whether it is content. */
export interface Verdict {
  readonly ok: boolean;
  readonly output: string;
}

export async function promtool(...args: readonly string[]): Promise<Verdict> {
  try {
    const { stdout, stderr } = await run('promtool', args);
    return { ok: true, output: stdout + stderr };
  } catch (error) {
    if (!(error instanceof Error && 'stdout' in error && 'stderr' in error)) throw error;
    return { ok: false, output: `${String(error.stdout)}${String(error.stderr)}` };
  }
}

/** Runs a unit test of rules, both given as promtool's files hold them; the rules are looked at once an interval. */
export async function testRules(
  groups: readonly object[],
  unitTest: { readonly interval: string },
): Promise<Verdict> {
  const folder = await mkdtemp(join(tmpdir(), 'phaserun-rules-'));
  try {
    await writeFile(join(folder, 'rules.yaml'), stringify({ groups }));
    const file = join(folder, 'tests.yaml');
    await writeFile(
      file,
      stringify({ rule_files: ['rules.yaml'], evaluation_interval: unitTest.interval, tests: [unitTest] }),
    );
    return await promtool('test', 'rules', file);
  } finally {
    await rm(folder, { recursive: true });
  }
}
