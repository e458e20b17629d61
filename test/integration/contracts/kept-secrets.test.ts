import { randomUUID } from 'node:crypto';
import { sql } from 'slonik';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { agentOf } from '../api/agent.ts';
import { makeTenant } from '../api/api-under-test.ts';
import { createContractWorlds, textInRedis } from './contract-worlds.ts';

describe.each(await createContractWorlds({ withController: false }))('$world', ({ api, redisUrl }) => {
  /** Everything that is kept of answers, wherever it is kept. */
  async function keptText(): Promise<readonly string[]> {
    const rows = await api.pool.any(sql.type(z.object({ text: z.string() }))`
      SELECT to_jsonb(idempotency_keys)::text AS text FROM idempotency_keys
    `);
    const inPostgres = rows.map(({ text }) => text).join('\n');
    return redisUrl === undefined ? [inPostgres] : [inPostgres, await textInRedis(redisUrl)];
  }

  test('the secret of a webhook is shown once, and kept nowhere among the answers', async () => {
    const agent = agentOf(api, await makeTenant(api.pool, { scopes: ['admin'] }));
    const key = { 'idempotency-key': randomUUID() };
    const create = () => agent.post('/api/v1/webhooks', { url: 'https://hooks.example.com/x' }, key);
    const first = await create();
    expect(first).toMatchObject({ status: 201, body: { secret: expect.stringMatching(/^whsec_.{44}$/) } });
    const { secret, ...webhook } = first.body;

    const replays = [await create(), await create()];
    for (const { status, headers, body } of replays) {
      expect({ status, replayed: headers.get('idempotency-replayed'), body }).toEqual({
        status: 201,
        replayed: 'true',
        body: {
          ...webhook,
          secret: null,
          notice: expect.stringContaining('delete this webhook and make another'),
        },
      });
    }
    expect((await agent.get('/api/v1/webhooks')).body.webhooks).toEqual([webhook]);

    for (const text of await keptText()) {
      expect(text).toContain(webhook.id);
      const bytes = Buffer.from(secret.slice('whsec_'.length), 'base64');
      for (const spelling of ['base64', 'base64url', 'hex'] as const)
        expect(text).not.toContain(bytes.toString(spelling).replace(/=+$/, ''));
      expect(text).not.toContain(agent.tenant.apiKey);
    }
  });
});
