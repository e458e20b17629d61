import { readdirSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { adminCommand } from '../../../src/cli/admin.ts';
import { doctorCommand } from '../../../src/cli/doctor.ts';
import { migrateCommand } from '../../../src/cli/migrate.ts';
import { storeCommand } from '../../../src/cli/store.ts';
import { FOREIGN_METRICS } from '../../../src/observability/metric.ts';
import { METRIC_FAMILIES } from '../../../src/observability/metric-families.ts';
import { makeRuleGroups } from '../../../src/observability/rules.ts';
import { hasPromtool, testRules } from './promtool.ts';

const ROOT = new URL('../../../', import.meta.url);
const FOLDER = new URL('docs/runbooks/', ROOT);
const RULES = makeRuleGroups().flatMap(({ rules }) => rules);
const PAGES = readdirSync(FOLDER)
  .filter((file) => file !== 'README.md')
  .map((file) => ({ file, text: readFileSync(new URL(file, FOLDER), 'utf8') }));

const SERIES = new Set<string>(FOREIGN_METRICS);
for (const [name, { type }] of Object.entries(METRIC_FAMILIES)) {
  for (const suffix of type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']) SERIES.add(name + suffix);
}
const PREFIXES = new Set([...SERIES].map((name) => name.split('_')[0]));

test.each(RULES)('the runbook of $alert is there and says so', ({ alert, annotations }) => {
  const [, path] = /^https:\/\/[^/]+\/(docs\/runbooks\/\w+\.md)$/.exec(annotations.runbook_url) ?? [];
  const page = readFileSync(new URL(path ?? 'no path', ROOT), 'utf8');
  expect(page.split('\n')[0]).toBe(`# ${alert}`);
  for (const heading of ['## What it means', '## How to see it', '## What to do'])
    expect(page).toContain(`\n${heading}\n`);
  const severities = RULES.filter((rule) => rule.alert === alert).map(({ labels }) => labels.severity);
  for (const severity of severities) expect(page.split('\n')[2]?.toLowerCase()).toContain(severity);
});

test('every page is of an alert, and in the table of contents', () => {
  const alerts = [...new Set(RULES.map(({ alert }) => `${alert}.md`))].toSorted();
  expect(PAGES.map(({ file }) => file).toSorted()).toEqual(alerts);
  const contents = readFileSync(new URL('README.md', FOLDER), 'utf8');
  expect(alerts.filter((file) => !contents.includes(`(${file})`))).toEqual([]);
});

test('every metric that a rule names is declared', () => {
  expect(RULES.flatMap(({ expr }) => unknownMetrics(expr))).toEqual([]);
});

describe.each(PAGES)('$file', ({ text }) => {
  test('names metrics that are declared', () => {
    expect([...blocks(text, 'promql'), ...codes(text)].flatMap(unknownMetrics)).toEqual([]);
  });

  test('names commands that there are', () => {
    expect([...blocks(text, 'sh'), ...codes(text)].flatMap(unknownCommands)).toEqual([]);
  });

  test('leads to pages that there are', () => {
    const links = [...text.matchAll(/\]\(([^)#]+)/g)].map(([, link = '']) => link);
    for (const link of links) expect(readFileSync(new URL(link, FOLDER), 'utf8')).not.toBe('');
  });
});

test.skipIf(!(await hasPromtool()))('every query of a page is PromQL', async () => {
  const queries = PAGES.flatMap(({ text }) => blocks(text, 'promql'));
  const rules = queries.map((expr, index) => ({ record: `query:${index}`, expr }));
  const { ok, output } = await testRules([{ name: 'pages', rules }], { interval: '1m' });
  expect({ ok, output }).toEqual({ ok: true, output: expect.stringContaining('SUCCESS') });
});

/** The lines of the fenced blocks in a language. */
function blocks(text: string, language: string): string[] {
  const fenced = [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))];
  return fenced.flatMap(([, block = '']) => block.trim().split('\n'));
}

/** What is set as code in the text. */
function codes(text: string): string[] {
  return [...text.replaceAll(/^```.*?^```$/gms, '').matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}

function unknownMetrics(query: string): string[] {
  const names = query.replaceAll(/"[^"]*"/g, '').match(/\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b/g) ?? [];
  return names.filter((name) => PREFIXES.has(name.split('_')[0]) && !SERIES.has(name) && !isTable(name));
}

/** Tables that begin as metrics do. */
function isTable(name: string): boolean {
  return name === 'inbox_runs';
}

function unknownCommands(line: string): string[] {
  return line
    .split(/\s*[|;]\s*/)
    .filter((command) => command.startsWith('phaserun '))
    .filter((command) => !isCommand(command.split(/\s+/).slice(1)));
}

/** Whether the words lead to a command, and all options are its own. */
function isCommand(words: readonly string[]): boolean {
  let commands: readonly Command[] = [adminCommand(), doctorCommand(), migrateCommand(), storeCommand()];
  let found: Command | undefined;
  const rest = [...words];
  while (commands.length > 0 && rest.length > 0) {
    const name = rest.shift();
    found = commands.find((command) => command.name() === name);
    if (found === undefined) return false;
    commands = found.commands;
  }
  if (found === undefined || commands.length > 0) return false;
  const options = new Set(found.options.flatMap(({ long, short }) => [long, short]));
  return rest.filter((word) => word.startsWith('-')).every((option) => options.has(option));
}
