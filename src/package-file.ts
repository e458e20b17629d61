import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';

const MANIFEST = findPackageJSON(import.meta.url);

/**
 * Where a file of this package lies, by its path from the package's root. What imports this may be a module in src or
 * part of a bundle in dist, so that its own place tells nothing.
 */
export function packageFile(path: string): string {
  if (MANIFEST === undefined) throw new Error(`${import.meta.url} belongs to no package`);
  return join(dirname(MANIFEST), path);
}
