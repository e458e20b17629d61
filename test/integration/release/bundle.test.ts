import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { describe, expect, it } from 'vitest';
import { ownPlace } from '../../../hack/bundle/own-place.ts';
import { thirdParty } from '../../../hack/bundle/third-party.ts';
import { temporaryDirectory } from '../../fixtures/temporary-directory.ts';

interface Package {
  readonly license?: string;
  readonly text?: string;
  readonly code: string;
}

describe('a bundle', () => {
  it('says whose code it contains, with the licence', async () => {
    const files = await bundle({ license: 'ISC', text: 'Permission is granted', code: 'exports.one = 1;' });
    expect(files['THIRD_PARTY_NOTICES.txt']).toMatch(
      /\nits-name 1\.2\.3 \(ISC\)\n=+\n\nPermission is granted\n/,
    );
    expect(JSON.parse(files['third-party.cdx.json'] ?? '')).toMatchObject({
      components: [{ purl: 'pkg:npm/its-name@1.2.3', licenses: [{ expression: 'ISC' }] }],
    });
  });

  it.each<Package & { readonly title: string; readonly told: string }>([
    {
      title: 'has no licence',
      text: 'Permission is granted',
      code: 'exports.one = 1;',
      told: 'its-name 1.2.3 has no licence',
    },
    {
      title: 'comes without the text of its licence',
      license: 'ISC',
      code: 'exports.one = 1;',
      told: 'licences/its-name-1.2.3.txt',
    },
    {
      title: 'asks where it lies',
      license: 'ISC',
      text: 'Permission is granted',
      code: 'exports.one = require("node:fs").readFileSync(__dirname + "/one");',
      told: 'asks where it lies',
    },
  ])('is not made of a package that $title', async ({ told, ...contents }) => {
    await expect(bundle(contents)).rejects.toThrow(told);
  });
});

/** Bundles a program that imports one package, and answers the files by name. */
async function bundle({ license, text, code }: Package): Promise<Record<string, string>> {
  const root = await temporaryDirectory();
  const directory = join(root, 'node_modules/its-name');
  await mkdir(directory, { recursive: true });
  await writeFile(join(root, 'main.js'), "import { one } from 'its-name'; console.log(one);");
  await writeFile(
    join(directory, 'package.json'),
    JSON.stringify({ name: 'its-name', version: '1.2.3', license }),
  );
  await writeFile(join(directory, 'index.js'), code);
  if (text !== undefined) await writeFile(join(directory, 'LICENSE'), text);
  const input = join(root, 'main.js');
  await using made = await rolldown({ input, platform: 'node', plugins: [ownPlace(), thirdParty()] });
  const { output } = await made.generate();
  return Object.fromEntries(
    output.map((file) => [file.fileName, String(file.type === 'chunk' ? file.code : file.source)]),
  );
}
