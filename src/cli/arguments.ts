import { InvalidArgumentError, Option } from 'commander';
import { FORGES } from '../domain/phase.ts';

/** Parses the whole number of an option. */
export function integerBetween(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= low && value <= high) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${low} to ${high}.`);
  };
}

/** Issue numbers, as `--issue` takes them. */
export const issueNumber = integerBetween(1, Number.MAX_SAFE_INTEGER);

/** Ports to listen on; 0 lets the system choose. */
export const portNumber = integerBetween(0, 65_535);

/** Longest name of a customer or a key, as the columns have it. */
const NAME_LIMIT = 100;

/** Parses a name that people give. */
export function parseName(text: string): string {
  const name = text.trim();
  if (name !== '' && name.length <= NAME_LIMIT) return name;
  throw new InvalidArgumentError(`A name has between 1 and ${NAME_LIMIT} characters.`);
}

/** Writes text as one word of a command line to paste. */
export function shellWord(text: string): string {
  return /^[\w.@/:-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
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
