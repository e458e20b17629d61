import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { packageFile } from '../package-file.ts';
import { type Listing, type OutputFormat, outputOption, print, render } from './output.ts';

/** The version of the package that this program belongs to. */
export function readVersion(): string {
  const manifest: { readonly version: string } = JSON.parse(
    readFileSync(packageFile('package.json'), 'utf8'),
  );
  return manifest.version;
}

/** `version`: what to say in a report. */
export function versionCommand(): Command {
  return new Command('version')
    .summary('print versions')
    .description('Prints the versions of this program and of the Node that runs it.')
    .addOption(outputOption())
    .action(({ output }: { output: OutputFormat }) => {
      const versions = {
        phaserun: readVersion(),
        node: process.versions.node,
        platform: `${process.platform}-${process.arch}`,
      };
      print(render(output, LISTING, [versions], versions));
    });
}

interface Versions {
  readonly phaserun: string;
  readonly node: string;
  readonly platform: string;
}

const LISTING: Listing<Versions> = {
  name: ({ phaserun }) => `phaserun/${phaserun}`,
  columns: [
    { header: 'PHASERUN', value: ({ phaserun }) => phaserun },
    { header: 'NODE', value: ({ node }) => node },
    { header: 'PLATFORM', value: ({ platform }) => platform },
  ],
};
