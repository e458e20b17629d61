import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findFreePort } from '../../src/embedded/free-port.ts';
import { startServer } from '../../src/embedded/server-process.ts';
import { SCOPES, type Scope } from '../../src/store/principal.ts';

const DISTRIBUTION = 'org.keycloak:keycloak-quarkus-dist:26.0.4:zip';
const FOLDER = 'keycloak-26.0.4';
const DOWNLOAD_MS = 300_000;
const REALM = 'phaserun';

export interface Keycloak {
  /** What it calls itself in tokens. */
  readonly issuer: string;
  /** Makes a confidential client whose tokens say this, and gets one of its tokens. */
  tokenOf(client: ClientOptions): Promise<string>;
  stop(): Promise<void>;
}

export interface ClientOptions {
  readonly clientId: string;
  readonly audience: string;
  readonly customer: string;
  readonly scopes: readonly Scope[];
}

/** Starts Keycloak from its Maven distribution in a folder, with a realm of its own. */
export async function startKeycloak(directory: string, signal: AbortSignal): Promise<Keycloak> {
  const unpack = [`-Dartifact=${DISTRIBUTION}`, `-DoutputDirectory=${directory}`];
  await promisify(execFile)('mvn', ['-B', '-q', 'dependency:unpack', ...unpack], {
    // Maven leaves marks where it is called.
    cwd: directory,
    timeout: DOWNLOAD_MS,
    signal,
  });
  const [http, management] = [await findFreePort(), await findFreePort()];
  const url = `http://localhost:${http}`;
  const password = randomBytes(16).toString('hex');
  const server = await startServer({
    name: 'keycloak',
    directory,
    program: '/usr/bin/env',
    args: [
      'KC_BOOTSTRAP_ADMIN_USERNAME=admin',
      `KC_BOOTSTRAP_ADMIN_PASSWORD=${password}`,
      'bash',
      join(directory, FOLDER, 'bin', 'kc.sh'),
      'start-dev',
      `--http-port=${http}`,
      `--http-management-port=${management}`,
    ],
    orphanSignal: 'KILL',
    isReady: () => answers(`${url}/realms/master`),
  });
  const admin = createAdmin(url, password);
  await admin('/realms', { realm: REALM, enabled: true });
  for (const name of SCOPES) await admin(`/realms/${REALM}/client-scopes`, clientScope(name));
  return {
    issuer: `${url}/realms/${REALM}`,
    tokenOf: (options) => tokenOf(admin, url, options),
    stop: () => server.stop(),
  };
}

type Admin = (path: string, body: object) => Promise<void>;

/** POSTs to Keycloak's admin API; its tokens live for a minute, so each call gets one. */
function createAdmin(url: string, password: string): Admin {
  return async (path, body) => {
    const token = await requestToken(`${url}/realms/master`, {
      grant_type: 'password',
      client_id: 'admin-cli',
      username: 'admin',
      password,
    });
    const response = await fetch(`${url}/admin${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`POST ${path} answered ${response.status}: ${await response.text()}`);
  };
}

async function tokenOf(admin: Admin, url: string, options: ClientOptions): Promise<string> {
  const { clientId, audience, customer, scopes } = options;
  const secret = randomBytes(16).toString('hex');
  await admin(`/realms/${REALM}/clients`, {
    clientId,
    secret,
    serviceAccountsEnabled: true,
    publicClient: false,
    defaultClientScopes: ['basic', ...scopes],
    protocolMappers: [
      mapper('audience', 'oidc-audience-mapper', { 'included.custom.audience': audience }),
      mapper('customer', 'oidc-hardcoded-claim-mapper', {
        'claim.name': 'customer_id',
        'claim.value': customer,
        'jsonType.label': 'String',
      }),
    ],
  });
  return requestToken(`${url}/realms/${REALM}`, {
    grant_type: 'client_credentials',
    client_id: clientId,
    client_secret: secret,
  });
}

function clientScope(name: string): object {
  return { name, protocol: 'openid-connect', attributes: { 'include.in.token.scope': 'true' } };
}

function mapper(name: string, protocolMapper: string, config: object): object {
  const shown = { 'access.token.claim': 'true' };
  return { name, protocol: 'openid-connect', protocolMapper, config: { ...config, ...shown } };
}

async function requestToken(realm: string, form: Record<string, string>): Promise<string> {
  const response = await fetch(`${realm}/protocol/openid-connect/token`, {
    method: 'POST',
    body: new URLSearchParams(form),
  });
  const body: unknown = await response.json();
  if (typeof body === 'object' && body !== null && 'access_token' in body) return String(body.access_token);
  throw new Error(`${realm} gave no token: ${response.status} ${JSON.stringify(body)}`);
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
}
