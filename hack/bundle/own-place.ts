import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { Plugin } from 'rolldown';
import { findPackageDirectory, packageNameOf } from './bundled-package.ts';

/** Reads files of its own, from this folder: they come with the bundle. */
const READS_FILES = { name: '@fastify/swagger-ui', folder: 'static' } as const;

/** Packages that ask where they lie for something that PhaseRun never does. */
const NEVER_ASKED: Readonly<Record<string, string>> = {
  '@colors/colors': 'nothing: it is a message',
  '@fastify/swagger': 'what an API is called that has no name',
  commander: 'nothing: these are comments',
  ioredis: 'stack traces with showFriendlyErrorStack',
  'node-pg-migrate': 'making a migration, and running one in TypeScript',
  jiti: 'the same',
  pino: 'transports, which run in threads of their own',
  'thread-stream': 'the same',
  undici: 'stack traces of mocks',
};

/** Module that tells where the files of a package are, in the bundle; behind the package's folder. */
const ITS_FILES = '/its-files';

/**
 * Modules that ask where they lie (`__dirname` and the like) are told another place once they are bundled. The files that
 * one package reads that way are copied into the bundle, and it is told to look there. Any other package that asks fails
 * the build, until somebody has looked at what it asks for.
 */
export function ownPlace(): Plugin {
  return {
    name: 'own-place',
    transform: {
      filter: {
        id: /\/node_modules\//,
        code: /\b__(?:dir|file)name\b|\bimport\.meta\.(?:url|dirname|filename)\b|\brequire\.resolve\b/,
      },
      handler(code, id) {
        const directory = findPackageDirectory(id);
        if (directory === undefined || packageNameOf(directory) in NEVER_ASKED) return null;
        if (packageNameOf(directory) !== READS_FILES.name)
          this.error(`${id} asks where it lies, and a bundle lies elsewhere: see hack/bundle/own-place.ts`);
        const files = `require(${JSON.stringify(directory + ITS_FILES)}).directory`;
        const place = `require('node:path').join(${files}, ${JSON.stringify(relative(directory, dirname(id)))})`;
        return { code: code.replaceAll('__dirname', place), map: null };
      },
    },
    resolveId: { filter: { id: new RegExp(`${ITS_FILES}$`) }, handler: (id) => `\0${id}` },
    load: {
      filter: { id: new RegExp(`^\0.*${ITS_FILES}$`) },
      async handler(id) {
        const source = join(id.slice(1, -ITS_FILES.length), READS_FILES.folder);
        let reference = '';
        for (const file of await readdir(source))
          reference = this.emitFile({
            type: 'asset',
            fileName: `npm/${READS_FILES.name}/${READS_FILES.folder}/${file}`,
            source: await readFile(join(source, file)),
          });
        return `import { fileURLToPath } from 'node:url';
          export const directory = fileURLToPath(new URL('..', import.meta.ROLLDOWN_FILE_URL_${reference}));`;
      },
    },
  };
}
