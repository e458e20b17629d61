/**
 * `node hack/keycloak/main.ts`: tokens of a real Keycloak, against everything that `dev` runs. Needs Java 17 and Maven, which
 * downloads Keycloak once. Takes a minute, leaves nothing behind, and exits 1 when an answer is not the one wanted.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DevFile } from '../../src/cli/dev-file.ts';
import { startDevProcess } from '../dev-process.ts';
import { type ClientOptions, startKeycloak } from './keycloak.ts';

const AUDIENCE = 'phaserun';
const LIMIT_MS = 420_000;

interface Case {
  readonly name: string;
  readonly client: Partial<ClientOptions>;
  readonly want: string;
}

const CASES: readonly Case[] = [
  { name: 'its own customer', client: {}, want: '200' },
  { name: 'another customer', client: { customer: 'globex' }, want: '403 NAMESPACE_FORBIDDEN' },
  { name: 'a customer nobody knows', client: { customer: 'nobody' }, want: '401 INVALID_TOKEN' },
  { name: 'another audience', client: { audience: 'elsewhere' }, want: '401 INVALID_TOKEN' },
  { name: 'no scope', client: { scopes: [] }, want: '403 INSUFFICIENT_SCOPE' },
];

async function main(signal: AbortSignal): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'phaserun-keycloak-'));
  opened.defer(() => rm(directory, { recursive: true, force: true }));

  note('starting Keycloak');
  const keycloak = await startKeycloak(directory, signal);
  opened.defer(() => keycloak.stop());
  signal.throwIfAborted();
  note(`${keycloak.issuer} is ready; starting dev`);
  const dev = await startDevProcess(directory, {
    OIDC_ISSUER_URL: keycloak.issuer,
    OIDC_AUDIENCE: AUDIENCE,
  });
  opened.defer(() => dev.stop());
  signal.throwIfAborted();

  for (const [index, { name, client, want }] of CASES.entries()) {
    const scopes = ['phases:read'] as const;
    const good = {
      clientId: `client-${index}`,
      audience: AUDIENCE,
      customer: dev.file.forgeNamespace,
      scopes,
    };
    const token = await keycloak.tokenOf({ ...good, ...client });
    const got = await read(dev.file, token);
    process.stdout.write(
      `${got === want ? 'ok    ' : 'FAILED'}  ${name}: ${got}${got === want ? '' : `, not ${want}`}\n`,
    );
    if (got !== want) process.exitCode = 1;
  }
}

/** Asks for the results of a repository: the status, and the code of a problem. */
async function read({ apiUrl, forgeNamespace }: DevFile, token: string): Promise<string> {
  const response = await fetch(`${apiUrl}/api/v1/phases/retrieve?repo=${forgeNamespace}/app`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const body: unknown = await response.json();
  const code = typeof body === 'object' && body !== null && 'code' in body ? ` ${String(body.code)}` : '';
  return `${response.status}${code}`;
}

function note(message: string): void {
  process.stderr.write(`${message}\n`);
}

const stopping = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.once(name, () => stopping.abort(`stopped by ${name}`));
await main(AbortSignal.any([stopping.signal, AbortSignal.timeout(LIMIT_MS)]));
