import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { DASHBOARDS } from '../../../src/observability/dashboards/dashboards.ts';

const FOLDER = new URL('../../../manifests/grafana/provisioning/', import.meta.url);

/** As Grafana's manual has it (Administration, Provisioning): a member that it does not know is one that it leaves out. */
const dataSources = z.strictObject({
  apiVersion: z.literal(1),
  datasources: z.array(
    z.strictObject({
      name: z.string(),
      uid: z.string().regex(/^[a-zA-Z0-9_-]{1,40}$/),
      type: z.string(),
      access: z.literal('proxy'),
      url: z.string(),
      user: z.string().optional(),
      jsonData: z.record(z.string(), z.union([z.string(), z.number()])),
      secureJsonData: z.record(z.string(), z.string()).optional(),
    }),
  ),
});

const providers = z.strictObject({
  apiVersion: z.literal(1),
  providers: z.array(
    z.strictObject({
      name: z.string(),
      type: z.literal('file'),
      folder: z.string(),
      folderUid: z.string(),
      allowUiUpdates: z.boolean(),
      updateIntervalSeconds: z.number(),
      options: z.strictObject({ path: z.string().startsWith('/') }),
    }),
  ),
});

function read(path: string): { text: string; content: unknown } {
  const text = readFileSync(new URL(path, FOLDER), 'utf8');
  return { text, content: parse(text) };
}

test('there is a data source of each type that a dashboard asks for', () => {
  const { datasources } = dataSources.parse(read('datasources/phaserun.yaml').content);
  const wanted = Object.values(DASHBOARDS).flatMap((make) =>
    (make().build().panels ?? []).map((panel) =>
      'datasource' in panel ? panel.datasource?.type : undefined,
    ),
  );
  expect(new Set(datasources.map(({ type }) => type))).toEqual(new Set(wanted));
});

test('no address and no secret stands in it: each variable that it takes is explained', () => {
  const { text, content } = read('datasources/phaserun.yaml');
  const { datasources } = dataSources.parse(content);
  for (const { url, user = '$', secureJsonData = {} } of datasources)
    for (const value of [url, user, ...Object.values(secureJsonData)]) expect(value).toMatch(/^\$/);
  for (const [, name = ''] of text.matchAll(/: \$(\w+)/g))
    expect(text).toMatch(new RegExp(`^# +${name} `, 'm'));
});

test('the provider reads files', () => {
  expect(providers.parse(read('dashboards/phaserun.yaml').content).providers).toHaveLength(1);
});
