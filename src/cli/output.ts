import { styleText } from 'node:util';
import Table from 'cli-table3';
import { Option } from 'commander';
import { stringify as toYaml } from 'yaml';

export const OUTPUT_FORMATS = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

export interface Column<Row> {
  /** Upper case, as kubectl prints them. */
  readonly header: string;
  /** Absent values print as a dash. */
  value(row: Row): string | number | boolean | undefined;
  /** Shown by `-o wide` alone. */
  readonly wide?: true;
}

/** How rows of one kind look. */
export interface Listing<Row> {
  readonly columns: readonly Column<Row>[];
  /** One line of `-o name`, such as `customer/acme`. */
  name(row: Row): string;
}

/** `-o, --output`; commands read it as `output`. */
export function outputOption(defaultFormat: OutputFormat = 'table'): Option {
  return new Option('-o, --output <format>', 'how to print').choices(OUTPUT_FORMATS).default(defaultFormat);
}

/** Prints data to stdout; nothing else goes there. */
export function print(text: string): void {
  process.stdout.write(text);
}

/** Prints what a person should know to stderr, where it does not disturb data. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/**
 * Renders rows as text that ends in a line break, or as nothing when there is nothing to show.
 * `document` is what `json` and `yaml` show; the other formats show the rows.
 */
export function render<Row>(
  format: OutputFormat,
  listing: Listing<Row>,
  rows: readonly Row[],
  document: unknown = rows,
): string {
  switch (format) {
    case 'json':
      return `${JSON.stringify(document, null, 2)}\n`;
    case 'yaml':
      return toYaml(document);
    case 'name':
      return rows.map((row) => `${listing.name(row)}\n`).join('');
    case 'table':
    case 'wide':
      break;
  }
  const columns = listing.columns.filter(({ wide }) => !wide || format === 'wide');
  return renderTable(columns, rows);
}

function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  if (rows.length === 0) return '';
  const table = new Table({
    head: columns.map(({ header }) => styleText('bold', header, { stream: process.stdout })),
    chars: NO_BORDERS,
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 },
  });
  table.push(...rows.map((row) => columns.map((column) => toCell(column.value(row)))));
  const lines = table.toString().split('\n');
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
}

/** One line without control characters: a stored name must not be able to drive a terminal. */
function toCell(value: string | number | boolean | undefined): string {
  if (value === undefined || value === '') return '-';
  return String(value).replaceAll(/\p{Cc}/gu, '\uFFFD');
}

const NO_BORDERS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '   ',
};
