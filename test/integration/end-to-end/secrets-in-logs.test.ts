import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { freshDatabase } from '../../fixtures/database.ts';
import { ownKubernetes } from '../../fixtures/kubernetes.ts';
import { createWorld } from './world.ts';

const { url: databaseUrl } = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const world = await createWorld({ kubeconfigPath, databaseUrl });

/** What a bearer of these could do harm with; none of them may be in a log, whole or its telling half. */
const TOKEN = [
  'eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ',
  'eyJzdWIiOiJzZWNyZXRzIn0',
  'c2VjcmV0LXNpZ25hdHVyZQ',
].join('.');
const WRONG_KEY = `rsolv_0123456789abcdef_${'S'.repeat(43)}`;

function secretHalf(apiKey: string): string {
  return apiKey.split('_')[2] ?? apiKey;
}

function linesWith(log: string, secret: string): string[] {
  return log.split('\n').filter((line) => line.includes(secret));
}

test('keys, tokens and passwords that were used are in no line of the logs, whatever became of the requests', async () => {
  const tenant = await world.makeTenant();
  const api = await world.startApi({ LOG_LEVEL: 'trace' });
  const controller = await world.startController({ LOG_LEVEL: 'trace' });
  const scan = { phase: 'scan', repo: `${tenant.owner}/shop`, commitSha: 'c0ffee', data: { n: 1 } };
  const post = (headers: Record<string, string>, body: string) =>
    fetch(`${api.url}/api/v1/phases/store`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    });

  const statuses = [
    (await post({ 'x-api-key': tenant.apiKey }, JSON.stringify(scan))).status,
    (
      await post(
        { authorization: `Bearer ${tenant.apiKey}` },
        JSON.stringify({ ...scan, repo: 'nobody/else' }),
      )
    ).status,
    (await post({ 'x-api-key': tenant.apiKey }, '{"phase":')).status,
    (await post({ 'x-api-key': WRONG_KEY }, JSON.stringify(scan))).status,
    (await post({ authorization: `Bearer ${TOKEN}` }, JSON.stringify(scan))).status,
    (await fetch(`${api.url}/sessions`, { headers: { authorization: `Bearer ${TOKEN}` } })).status,
  ];
  expect(statuses).toEqual([200, 403, 400, 401, 401, 401]);
  await Promise.all([api.end('SIGTERM'), controller.end('SIGTERM')]);

  const log = `${api.log()}\n${controller.log()}`;
  const clientKey = /client-key-data: (\S+)/.exec(await readFile(kubeconfigPath, 'utf8'))?.[1];
  const kubeToken = /token: (\S+)/.exec(await readFile(kubeconfigPath, 'utf8'))?.[1];
  const secrets = [
    secretHalf(tenant.apiKey),
    secretHalf(WRONG_KEY),
    ...TOKEN.split('.'),
    new URL(databaseUrl).password,
  ];
  const used = [...secrets, clientKey, kubeToken].filter((secret) => secret !== undefined);
  expect(used.filter((secret) => linesWith(log, secret).length > 0)).toEqual([]);
});

test('the search finds a secret where there is one', async () => {
  const tenant = await world.makeTenant();
  const api = await world.startApi({ LOG_LEVEL: 'trace' });
  // The id of a request is free text of the client's, and logged.
  const planted = secretHalf(tenant.apiKey).slice(0, 32);
  await fetch(`${api.url}/sessions`, { headers: { 'x-api-key': tenant.apiKey, 'x-request-id': planted } });
  await api.end('SIGTERM');
  expect(linesWith(api.log(), planted)).not.toEqual([]);
});
