import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What is read of a package's own package.json. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** The folder of the package that a module belongs to; undefined for ours and for what the bundler adds. */
export function findPackageDirectory(moduleId: string): string | undefined {
  return /^\/.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(moduleId)?.[0];
}

/** Name of the package in a folder that {@link findPackageDirectory} found. */
export function packageNameOf(directory: string): string {
  return directory.slice(directory.lastIndexOf('/node_modules/') + '/node_modules/'.length);
}

export async function readManifest(directory: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(directory, 'package.json'), 'utf8'));
}
