import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../config.ts';
import { readTokenIssuers } from './token-issuers.ts';

const folder = await mkdtemp(join(tmpdir(), 'token-issuers-'));
afterAll(() => rm(folder, { recursive: true }));

const FILE = `
issuers:
  - issuer: https://id.example/realms/acme
    audience: phaserun
    customer: acme
    defaultScopes: [sessions]
  - kind: github-actions
    audience: https://phaserun.example
`;

async function read(content: string, oidc?: { issuer: string; audience: string; jwksUrl: undefined }) {
  const path = join(folder, 'issuers.yaml');
  await writeFile(path, content);
  return readTokenIssuers({ oidc, oidcIssuersFile: path });
}

describe('readTokenIssuers', () => {
  it('knows of none unless told', async () => {
    expect(await readTokenIssuers({ oidc: undefined, oidcIssuersFile: undefined })).toEqual([]);
  });

  it('adds the file to the environment', async () => {
    const oidc = { issuer: 'https://id.example/realms/all', audience: 'phaserun', jwksUrl: undefined };
    expect(await read(FILE, oidc)).toMatchObject([
      { issuer: 'https://id.example/realms/all', scopesClaim: 'scope', defaultScopes: [] },
      { issuer: 'https://id.example/realms/acme', customer: 'acme', defaultScopes: ['sessions'] },
      { kind: 'github-actions', issuer: 'https://token.actions.githubusercontent.com' },
    ]);
  });

  it('reads JSON as well', async () => {
    const issuer = { issuer: 'https://id.example', audience: ['a', 'b'], customerClaim: 'tenant' };
    expect(await read(JSON.stringify({ issuers: [issuer] }))).toMatchObject([issuer]);
  });

  it.each([
    { name: 'YAML that is none', content: 'issuers: [', want: /cannot be read/ },
    { name: 'nothing', content: '', want: /it: / },
    {
      name: 'an issuer without an audience',
      content: file({ audience: undefined }),
      want: /issuers\[0\]\.audience: /,
    },
    {
      name: 'an address that is none',
      content: file({ jwksUrl: 'keys' }),
      want: /issuers\[0\]\.jwksUrl: must be a URL/,
    },
    {
      name: 'a scope nobody has',
      content: file({ defaultScopes: ['root'] }),
      want: /issuers\[0\]\.defaultScopes\[0\]: /,
    },
    { name: 'a kind nobody has', content: file({ kind: 'saml' }), want: /issuers\[0\]\.kind: / },
    { name: 'a misspelt field', content: file({ custommer: 'acme' }), want: /custommer/ },
    {
      name: 'a customer and a claim for it',
      content: file({ customer: 'acme', customerClaim: 'tenant' }),
      want: /issuers\[0\]\.customerClaim: must be left out/,
    },
    {
      name: 'an issuer twice',
      content: JSON.stringify({ issuers: [issuer({}), issuer({})] }),
      want: /https:\/\/id\.example is given twice/,
    },
  ])('refuses $name, and says where', async ({ content, want }) => {
    const reading = read(content);
    await expect(reading).rejects.toThrow(ConfigError);
    await expect(reading).rejects.toThrow(want);
  });

  it('names a file that is not there', async () => {
    const oidcIssuersFile = join(folder, 'missing.yaml');
    await expect(readTokenIssuers({ oidc: undefined, oidcIssuersFile })).rejects.toThrow(oidcIssuersFile);
  });
});

function issuer(changes: object): object {
  return { issuer: 'https://id.example', audience: 'phaserun', ...changes };
}

function file(changes: object): string {
  return JSON.stringify({ issuers: [issuer(changes)] });
}
