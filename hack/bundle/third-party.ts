import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'rolldown';
import { findPackageDirectory, type Manifest, readManifest } from './bundled-package.ts';

/** Licences of packages that come without their text, as `name-version.txt`. */
const LICENCES = fileURLToPath(new URL('licences', import.meta.url));
const LICENCE_FILE = /^(?:un)?licen[cs]e|^copying|^notice/i;

/** Packages that contain another one, the version of which is among their devDependencies. */
const CONTAINED: Readonly<Record<string, { readonly name: string; readonly license: string }>> = {
  '@fastify/swagger-ui': { name: 'swagger-ui-dist', license: 'Apache-2.0' },
};

interface ThirdParty {
  readonly name: string;
  readonly version: string;
  /** SPDX expression. */
  readonly license: string;
  /** Licences and notices in full. */
  readonly text: string;
}

/**
 * Writes down whose code the bundle contains: THIRD_PARTY_NOTICES.txt with the licences, which have to go where the code
 * goes, and third-party.cdx.json (CycloneDX) for scanners, which find no node_modules there. A package without a licence,
 * or without its text, fails the build.
 */
export function thirdParty(): Plugin {
  return {
    name: 'third-party',
    async generateBundle(_options, bundle) {
      const moduleIds = Object.values(bundle).flatMap((file) =>
        file.type === 'chunk' ? file.moduleIds : [],
      );
      const directories = new Set(moduleIds.map(findPackageDirectory).filter((found) => found !== undefined));
      const packages = (await Promise.all([...directories].map(describe))).flat();
      const byPurl = new Map(packages.map((each) => [purlOf(each), each]));
      const sorted = [...byPurl.values()].toSorted((a, b) => (purlOf(a) < purlOf(b) ? -1 : 1));
      this.emitFile({ type: 'asset', fileName: 'THIRD_PARTY_NOTICES.txt', source: makeNotices(sorted) });
      this.emitFile({ type: 'asset', fileName: 'third-party.cdx.json', source: makeBill(sorted) });
    },
  };
}

/** The package in a folder, and what it contains. */
async function describe(directory: string): Promise<ThirdParty[]> {
  const manifest = await readManifest(directory);
  const own = await withText(manifest, directory);
  const contained = CONTAINED[manifest.name];
  if (contained === undefined) return [own];
  const version = manifest.devDependencies?.[contained.name] ?? '';
  return [own, await withText({ ...contained, version })];
}

async function withText({ name, version, license }: Manifest, directory?: string): Promise<ThirdParty> {
  if (typeof license !== 'string')
    throw new Error(`${name} ${version} has no licence, and cannot be bundled`);
  const files = directory === undefined ? [] : await readdir(directory);
  const texts = await Promise.all(
    files
      .filter((file) => LICENCE_FILE.test(file))
      .toSorted()
      .map((file) => readFile(join(directory ?? '', file), 'utf8')),
  );
  if (texts.length === 0) texts.push(await readKeptLicence(`${name.replace('/', '-')}-${version}.txt`));
  return { name, version, license, text: texts.map((text) => text.trim()).join('\n\n') };
}

async function readKeptLicence(file: string): Promise<string> {
  try {
    return await readFile(join(LICENCES, file), 'utf8');
  } catch (cause) {
    throw new Error(
      `a package comes without the text of its licence: find it, and put it into ${LICENCES}/${file}`,
      {
        cause,
      },
    );
  }
}

const RULE = '='.repeat(80);

function makeNotices(packages: readonly ThirdParty[]): string {
  const sections = packages.map(
    ({ name, version, license, text }) => `${RULE}\n${name} ${version} (${license})\n${RULE}\n\n${text}\n`,
  );
  return ['PhaseRun contains code of these packages, under their licences.\n', ...sections].join('\n');
}

function makeBill(packages: readonly ThirdParty[]): string {
  const components = packages.map((each) => ({
    type: 'library',
    'bom-ref': purlOf(each),
    name: each.name,
    version: each.version,
    purl: purlOf(each),
    licenses: [{ expression: each.license }],
  }));
  return JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', version: 1, components }, undefined, 2);
}

/** See https://github.com/package-url/purl-spec. */
function purlOf({ name, version }: Pick<ThirdParty, 'name' | 'version'>): string {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`;
}
