import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

const run = promisify(execFile);
const SAMPLE = fileURLToPath(new URL('../../../manifests/samples/alertmanager.yaml', import.meta.url));
const RULES = new URL('../../../manifests/prometheus/rules.yaml', import.meta.url);

const available = await run('amtool', ['--version']).then(
  () => true,
  () => false,
);

test('amtool is there in CI', ({ skip }) => {
  const { CI, AMTOOL } = process.env;
  skip(CI === undefined || AMTOOL === 'optional', 'amtool may be missing here');
  expect(available).toBe(true);
});

const WANT: Readonly<Record<string, string>> = {
  critical: 'phaserun-pagerduty,phaserun-slack',
  warning: 'phaserun-slack',
  info: 'phaserun-slack',
};

test('every severity of the alerts has a route', () => {
  const rules = z.object({
    groups: z.array(
      z.object({ rules: z.array(z.object({ labels: z.object({ severity: z.string() }).optional() })) }),
    ),
  });
  const { groups } = rules.parse(parse(readFileSync(RULES, 'utf8')));
  const severities = groups.flatMap((group) => group.rules.flatMap(({ labels }) => labels?.severity ?? []));
  expect([...new Set(severities)].toSorted()).toEqual(Object.keys(WANT).toSorted());
});

describe.skipIf(!available)('amtool', () => {
  it('takes the sample', async () => {
    const { stdout } = await run('amtool', ['check-config', SAMPLE]);
    expect(stdout).toContain('SUCCESS');
  });

  it.each(Object.entries({ ...WANT, other: 'null' }))('sends what is %s to %s', async (severity, want) => {
    const args = ['config', 'routes', 'test', `--config.file=${SAMPLE}`, `severity=${severity}`];
    const { stdout } = await run('amtool', args);
    expect(stdout.trim()).toBe(want);
  });
});
