import { InvalidArgumentError, Option } from 'commander';
import { FORGES } from '../domain/phase.ts';

/** Parses a positive integer, for an option. */
export function positiveInteger(text: string): number {
  if (!/^[1-9]\d{0,15}$/.test(text)) throw new InvalidArgumentError('It must be a positive integer.');
  return Number(text);
}

/** `--forge`; commands read it as `forge`. */
export function forgeOption(): Option {
  return new Option('--forge <forge>', 'where the repository lives').choices(FORGES);
}

/** Text for the end of a command's help: what to paste, and which variables it reads. */
export function helpFooter(footer: {
  readonly examples: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}): string {
  const examples = footer.examples.map((line) => `  ${line}`).join('\n');
  const names = Object.keys(footer.environment);
  const width = Math.max(0, ...names.map((name) => name.length));
  const environment = names.map((name) => `  ${name.padEnd(width)}  ${footer.environment[name]}`).join('\n');
  return `\nExamples:\n${examples}\n\nEnvironment:\n${environment}`;
}
