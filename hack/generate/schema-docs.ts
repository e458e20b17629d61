import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { z } from 'zod';
import { startPostgres } from '../../src/embedded/postgres.ts';
import { migrate } from '../../src/store/migrate.ts';
import type { GeneratedFile } from './generated-file.ts';

/** docs/schema.md, from the catalogue of a database of its own that has just been migrated. */
export const schemaDocs: GeneratedFile = { path: 'docs/schema.md', make: generateSchemaDocs };

async function generateSchemaDocs(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'phaserun-schema-'));
  // Postgres may run as another user, who has to get in.
  await chmod(directory, 0o711);
  const postgres = await startPostgres({ directory: join(directory, 'postgres'), durable: false });
  try {
    await migrate(postgres.url);
    return await describeDatabase(postgres.url);
  } finally {
    await postgres.stop();
    await rm(directory, { recursive: true });
  }
}

const table = z.object({
  name: z.string(),
  comment: z.string().nullable(),
  columns: z.array(
    z.object({
      name: z.string(),
      type: z.string(),
      required: z.boolean(),
      default: z.string().nullable(),
      comment: z.string().nullable(),
    }),
  ),
  constraints: z.array(z.string()),
  indexes: z.array(z.string()),
});

const other = z.object({ name: z.string(), comment: z.string().nullable() });

const TABLES = `
  SELECT
    c.relname AS name,
    obj_description(c.oid, 'pg_class') AS comment,
    (
      SELECT json_agg(json_build_object(
        'name', a.attname,
        'type', format_type(a.atttypid, a.atttypmod),
        'required', a.attnotnull,
        'default', pg_get_expr(d.adbin, d.adrelid),
        'comment', col_description(c.oid, a.attnum)
      ) ORDER BY a.attnum)
      FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    ) AS columns,
    (
      SELECT coalesce(json_agg(pg_get_constraintdef(k.oid) ORDER BY k.contype DESC, k.conname), '[]')
      FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype <> 'n'
    ) AS constraints,
    (
      SELECT coalesce(json_agg(pg_get_indexdef(i.indexrelid) ORDER BY i.indexrelid::regclass::text), '[]')
      FROM pg_index i
      WHERE i.indrelid = c.oid AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
    ) AS indexes
  FROM pg_class c
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v') AND c.relname <> 'schema_migrations'
  ORDER BY c.relname`;

const OTHERS = `
  SELECT 'sequence ' || relname AS name, obj_description(oid, 'pg_class') AS comment
  FROM pg_class
  WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype IN ('a', 'i'))
  UNION ALL
  SELECT 'function ' || proname || '()', obj_description(oid, 'pg_proc')
  FROM pg_proc WHERE pronamespace = 'public'::regnamespace
  ORDER BY 1`;

async function describeDatabase(url: string): Promise<string> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const tables = z.array(table).parse((await client.query(TABLES)).rows);
    const others = z.array(other).parse((await client.query(OTHERS)).rows);
    return [
      '# Database schema',
      'Generated from the migrations by `npm run generate`; do not edit.',
      ...tables.map(describeTable),
      '## Besides the tables',
      others.map(({ name, comment }) => `- \`${name}\`: ${comment ?? ''}`).join('\n'),
      '',
    ].join('\n\n');
  } finally {
    await client.end();
  }
}

function describeTable({ name, comment, columns, constraints, indexes }: z.infer<typeof table>): string {
  const rows = columns.map((column) =>
    row([
      `\`${column.name}\``,
      column.type,
      column.required ? 'yes' : '',
      code(column.default),
      column.comment ?? '',
    ]),
  );
  return [
    `## ${name}`,
    comment ?? '',
    [
      row(['column', 'type', 'required', 'default', '']),
      row(Array.from({ length: 5 }, () => '---')),
      ...rows,
    ].join('\n'),
    [...constraints, ...indexes.map(shorten)].map((definition) => `- ${code(definition)}`).join('\n'),
  ].join('\n\n');
}

function shorten(index: string): string {
  return index.replace('CREATE ', '').replace(/ ON public\.\S+ USING btree/, '');
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function code(text: string | null): string {
  return text === null ? '' : `\`${text}\``;
}
