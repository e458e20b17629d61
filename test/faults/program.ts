import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A piece of the source, and what stands in its place. */
export interface Mutation {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/**
 * Copies the program, so that processes which start late run what those that started early do, whatever happens to the
 * working copy meanwhile; and changes it where a plant says so.
 * @returns the path of its main file
 * @throws {Error} when a mutation does not find its text exactly once: it would prove nothing
 */
export async function copyProgram(directory: string, mutations: readonly Mutation[]): Promise<string> {
  await mkdir(directory, { recursive: true });
  for (const name of ['src', 'crds', 'manifests', 'package.json']) {
    await cp(join(ROOT, name), join(directory, name), { recursive: true });
  }
  await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  for (const mutation of mutations) await mutate(directory, mutation);
  return join(directory, 'src', 'main.ts');
}

async function mutate(directory: string, { file, find, replace }: Mutation): Promise<void> {
  const path = join(directory, file);
  const pieces = (await readFile(path, 'utf8')).split(find);
  if (pieces.length !== 2)
    throw new Error(
      `${file} holds the text to be replaced ${pieces.length - 1} times, not once; mend test/faults/plants.ts:\n${find}`,
    );
  await writeFile(path, pieces.join(replace));
}
