import { dirname, join, relative, resolve } from 'node:path';
import { defineConfig } from 'rolldown';
import { findPackageDirectory, packageNameOf } from './hack/bundle/bundled-package.ts';
import { ownPlace } from './hack/bundle/own-place.ts';
import { thirdParty } from './hack/bundle/third-party.ts';

/**
 * What a release runs: src with every package that it imports, in dist. A command loads what its own imports reach, and no
 * more. Nothing is minified, so that stack traces name functions, and lines that can be read.
 */
export default defineConfig({
  input: { main: 'src/main.ts', 'client/phase-data-client': 'src/client/phase-data-client.ts' },
  platform: 'node',
  treeshake: {
    // Hardly any of its thousand generated classes is used; it does not say itself that the others can go.
    moduleSideEffects: [{ test: /\/node_modules\/@kubernetes\/client-node\//, sideEffects: false }],
  },
  plugins: [ownPlace(), thirdParty()],
  // What the bundler warns of here would fail where it is run.
  onLog(level, log, handle) {
    handle(level === 'warn' ? 'error' : level, log);
  },
  output: {
    dir: 'dist',
    cleanDir: true,
    comments: { legal: true, annotation: false, jsdoc: false },
    sourcemap: true,
    sourcemapExcludeSources: true,
    // As they lie in a checkout, wherever the output goes.
    sourcemapPathTransform: (source, map) =>
      join('..', relative(import.meta.dirname, resolve(dirname(map), source))),
    chunkFileNames: ({ name, moduleIds, facadeModuleId }) =>
      `${nameOfPackages(facadeModuleId ? [facadeModuleId] : moduleIds) ?? name}.js`,
    codeSplitting: {
      // Apart from src, so that a release can have the source maps of src alone: those of all take 56 MB when they are used.
      groups: [{ name: 'npm', test: /\/node_modules\//, entriesAware: true }],
    },
  },
});

/** Chunks of packages are named after the one that most of their modules belong to. */
function nameOfPackages(moduleIds: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const directory of moduleIds.map(findPackageDirectory)) {
    if (directory === undefined) continue;
    const name = packageNameOf(directory);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const [most] = [...counts].toSorted(([, a], [, b]) => b - a).map(([name]) => name);
  return most && `npm/${most.replace('@', '').replace('/', '-')}`;
}
