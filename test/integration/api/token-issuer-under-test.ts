import { createHmac, randomUUID } from 'node:crypto';
import { exportSPKI, importJWK, type JWK, type JWTPayload, SignJWT } from 'jose';
import { OAuth2Server } from 'oauth2-mock-server';
import { afterAll } from 'vitest';
import { runLog } from '../../fixtures/run-log/of-test.ts';

/** What a token says, over what a good one would; null leaves a claim out. */
export type ClaimChanges = Readonly<Record<string, unknown>>;

export interface TokenIssuerUnderTest {
  /** What it calls itself, unless a token says otherwise. */
  readonly url: string;
  readonly jwksUrl: string;
  /** A signed token, good for an hour but for what is changed. */
  sign(claims: ClaimChanges, header?: { readonly kid?: string | undefined }): Promise<string>;
  /** Claims under another algorithm: `none`, or an HMAC whose secret is the public key. */
  forge(algorithm: 'none' | 'HS256', claims: ClaimChanges): Promise<string>;
  /** Signs with a new key from now on; the old one is gone. */
  rotate(): Promise<void>;
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** A real OIDC server with discovery and a key set, stopped at the end of the file. */
export async function startTokenIssuer(algorithm = 'RS256'): Promise<TokenIssuerUnderTest> {
  let key = await generateKey(algorithm);
  let server = await serve(key, 0);
  const { port } = server.address();
  afterAll(() => (server.listening ? server.stop() : undefined));
  const url = `http://localhost:${port}`;
  const claimsOf = (changes: ClaimChanges): JWTPayload => {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: url, sub: 'agent-7', iat: now, exp: now + 3_600, ...changes };
    return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== null));
  };
  return {
    url,
    jwksUrl: `${url}/jwks`,
    async sign(changes, header = { kid: key.kid }) {
      const { kid } = header;
      const token = await new SignJWT(claimsOf(changes))
        .setProtectedHeader({ alg: algorithm, ...(kid !== undefined && { kid }) })
        .sign(await importJWK(key, algorithm));
      runLog().addSecret({ kind: 'JWT', secret: token });
      runLog().addSecret({ kind: 'signature of a JWT', secret: token.slice(token.lastIndexOf('.') + 1) });
      return token;
    },
    async forge(forged, changes) {
      const input = [{ alg: forged, kid: key.kid }, claimsOf(changes)].map(encode).join('.');
      const secret = await publicPem(key, algorithm);
      return `${input}.${forged === 'none' ? '' : createHmac('sha256', secret).update(input).digest('base64url')}`;
    },
    async rotate() {
      key = await generateKey(algorithm);
      await server.stop();
      server = await serve(key, port);
    },
    stop: () => server.stop(),
    async start() {
      server = await serve(key, port);
    },
  };
}

async function generateKey(algorithm: string): Promise<JWK & { kid: string }> {
  const { issuer } = new OAuth2Server();
  return issuer.keys.generate(algorithm, { kid: randomUUID() });
}

async function serve(key: JWK, port: number): Promise<OAuth2Server> {
  const server = new OAuth2Server();
  await server.issuer.keys.add({ ...key });
  await server.start(port, 'localhost');
  return server;
}

async function publicPem({ d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...key }: JWK, algorithm: string) {
  const imported = await importJWK(key, algorithm, { extractable: true });
  if (imported instanceof Uint8Array) throw new Error('a symmetric key');
  return exportSPKI(imported);
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
