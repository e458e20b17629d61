import { stringify } from 'yaml';

/** A file that is tracked, and made from its source alone. */
export interface GeneratedFile {
  /** From the root of the repository. */
  readonly path: string;
  readonly make: () => string | Promise<string>;
}

/** Kubernetes objects as one YAML stream, under a header that says what made it. */
export function toManifest(
  source: string,
  objects: readonly object[],
  { lineWidth = 80 }: { /** 0: lines are not folded. */ readonly lineWidth?: number } = {},
): string {
  const header = `# Generated from ${source} by \`npm run generate\`: change it there.\n`;
  // Aliases are YAML that not every tool of the trade resolves.
  return (
    header +
    objects.map((object) => stringify(object, { aliasDuplicateObjects: false, lineWidth })).join('---\n')
  );
}
