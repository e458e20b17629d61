import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, expect, test } from 'vitest';
import { runCli } from './run-cli.ts';

const occupant = createServer().listen(0, '127.0.0.1');
await once(occupant, 'listening');
afterAll(() => occupant.close());

test.each<{ name: string; env: Record<string, string>; code: number; says: string }>([
  {
    name: 'a file of token issuers that is not there',
    env: { OIDC_ISSUERS_FILE: '/nowhere/issuers.yaml' },
    code: 2,
    says: 'OIDC_ISSUERS_FILE /nowhere/issuers.yaml cannot be read',
  },
  {
    name: 'a port that another program has',
    env: { HOST: '127.0.0.1', PORT: String((occupant.address() as AddressInfo).port) },
    code: 1,
    says: 'EADDRINUSE',
  },
])('an API that cannot start for $name says so, and fails', async ({ env, code, says }) => {
  const result = await runCli(['api'], { env });
  expect(result.stderr).toContain(says);
  expect(result.code).toBe(code);
});
