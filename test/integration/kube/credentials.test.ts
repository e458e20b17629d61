import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { KubeConfig } from '@kubernetes/client-node';
import { afterAll, afterEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { createKubeClient, type KubeClient } from '../../../src/kube/client.ts';
import type { KubeSource } from '../../../src/kube/kube-source.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { serviceAccountKubeconfig } from '../../fixtures/service-account.ts';
import { startTcpProxy } from './tcp-proxy.ts';
import { apiserverPort, CONFIG_MAPS, type ConfigMap, logger, testDirectory } from './test-client.ts';

const namespace = await freshNamespace();
const port = await apiserverPort();
/** Credentials are looked at again after 10 s. */
const REREAD = { timeout: 30_000, interval: 250 };

interface Caller {
  readonly token: string;
  /** As the API server names it. */
  readonly username: string;
}

async function makeCaller(): Promise<Caller> {
  const config = new KubeConfig();
  config.loadFromFile(await serviceAccountKubeconfig({ namespace }));
  const user = config.getCurrentUser();
  return { token: user?.token ?? '', username: `system:serviceaccount:${namespace}:${user?.name}` };
}

function certificateAuthority(): string {
  const config = new KubeConfig();
  config.loadFromFile(inject('kubeconfigPath'));
  return Buffer.from(config.getCurrentCluster()?.caData ?? '', 'base64').toString();
}

const [first, second] = await Promise.all([makeCaller(), makeCaller()]);

/** A folder with a CA, a token file and a kubeconfig that names both; `user` replaces the user of the kubeconfig. */
async function makeFiles({ user = '{ tokenFile: token }', serverPort = port } = {}) {
  const directory = await testDirectory();
  const path = (name: string) => join(directory, name);
  await writeFile(path('ca.crt'), certificateAuthority());
  await writeFile(path('token'), `${first.token}\n`);
  await writeFile(
    path('kubeconfig'),
    `
clusters: [{ name: c, cluster: { server: 'https://127.0.0.1:${serverPort}', certificate-authority: ca.crt } }]
users: [{ name: u, user: ${user} }]
contexts: [{ name: x, context: { cluster: c, user: u } }]
current-context: x
`,
  );
  return { directory, path };
}

function openClient(source: KubeSource): KubeClient {
  const client = createKubeClient(source, { logger });
  afterAll(() => client.close());
  return client;
}

const kubeconfig = (path: string): KubeSource => ({ kind: 'kubeconfig', path });

/** Who the API server takes the client for. */
async function whoAmI(client: KubeClient): Promise<string> {
  const review = (await client.request({
    method: 'POST',
    path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
  })) as { readonly status: { readonly userInfo: { readonly username: string } } };
  return review.status.userInfo.username;
}

const statusOf = (client: KubeClient) =>
  whoAmI(client).then(
    () => 200,
    ({ status }: { status: number }) => status,
  );

describe('a token file', () => {
  test('is read again when it is rotated', async () => {
    const { path } = await makeFiles();
    const client = openClient(kubeconfig(path('kubeconfig')));
    expect(await whoAmI(client)).toBe(first.username);
    await writeFile(path('token'), second.token);
    await expect.poll(() => whoAmI(client), REREAD).toBe(second.username);
  });

  test('is read again at once when its token is refused', async () => {
    const { path } = await makeFiles();
    await writeFile(path('token'), 'refused');
    const client = openClient(kubeconfig(path('kubeconfig')));
    expect(await statusOf(client)).toBe(401);
    await writeFile(path('token'), first.token);
    expect(await whoAmI(client)).toBe(first.username);
  });

  test('that is missing for a moment does no harm, even when the connection breaks then', async () => {
    const proxy = await startTcpProxy(port);
    const { path } = await makeFiles({ serverPort: proxy.port });
    const client = openClient(kubeconfig(path('kubeconfig')));
    await whoAmI(client);
    await rm(path('token'));
    proxy.sever();
    expect(await client.probe()).toMatchObject({ reason: 'Unreachable' });
    proxy.mend();
    expect(await whoAmI(client)).toBe(first.username);
  });
});

describe('a certificate authority', () => {
  test('that is wrong is an error of the connection, and read again at once', async () => {
    const { path } = await makeFiles();
    const client = openClient(kubeconfig(path('kubeconfig')));
    await writeFile(path('ca.crt'), rootCertificates[0] ?? '');
    expect(await client.probe()).toMatchObject({ status: 0, reason: 'Unreachable' });
    await writeFile(path('ca.crt'), certificateAuthority());
    expect(await client.probe()).toBeUndefined();
  });

  test('that is rotated leads to a new connection, and cuts no watch', async () => {
    const proxy = await startTcpProxy(port);
    const admin = new KubeConfig();
    admin.loadFromFile(inject('kubeconfigPath'));
    const user = `{ token: '${admin.getCurrentUser()?.token}' }`;
    const { path } = await makeFiles({ user, serverPort: proxy.port });
    const client = openClient(kubeconfig(path('kubeconfig')));
    const configMaps = client.resource<ConfigMap>(CONFIG_MAPS);
    const abort = new AbortController();
    const { resourceVersion } = await configMaps.listPage({ namespace });
    const watch = configMaps.watch({
      namespace,
      resourceVersion,
      timeoutSeconds: 120,
      silenceMs: 120_000,
      signal: abort.signal,
    });
    const next = watch.next();
    expect(proxy.connections).toBe(1);
    await writeFile(path('ca.crt'), `${certificateAuthority()}\n${certificateAuthority()}`);
    await expect.poll(() => configMaps.list({ namespace }).then(() => proxy.connections), REREAD).toBe(2);
    await configMaps.create({ metadata: { namespace, name: 'after-rotation' } });
    expect(await next).toMatchObject({ value: { object: { metadata: { name: 'after-rotation' } } } });
    abort.abort();
  });
});

describe('an exec plugin', () => {
  test('runs once while its credential is taken, and again when it is refused', async () => {
    const { directory, path } = await makeFiles({
      user: `{ exec: { apiVersion: client.authentication.k8s.io/v1, command: sh, args: [PLUGIN] } }`,
    });
    const plugin = path('plugin');
    await writeFile(
      path('kubeconfig'),
      (await readFile(path('kubeconfig'), 'utf8')).replace('PLUGIN', plugin),
    );
    await writeFile(
      plugin,
      `echo run >> '${directory}/runs'
printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}' "$(cat '${directory}/token')"`,
    );
    const client = openClient(kubeconfig(path('kubeconfig')));
    const runs = async () => (await readFile(path('runs'), 'utf8')).trim().split('\n').length;
    await writeFile(path('token'), 'refused');
    expect(await statusOf(client)).toBe(401);
    await writeFile(path('token'), second.token);
    expect(await whoAmI(client)).toBe(second.username);
    await Promise.all([whoAmI(client), whoAmI(client), whoAmI(client)]);
    expect(await runs()).toBe(2);
  });
});

test('an HTTP proxy on the way carries calls', async () => {
  const tunnels: (string | undefined)[] = [];
  const proxy = createServer();
  proxy.on('connect', ({ url }, client) => {
    tunnels.push(url);
    const target = connect(port, '127.0.0.1', () => client.write('HTTP/1.1 200 OK\r\n\r\n'));
    client.pipe(target).pipe(client);
    client.on('error', () => target.destroy());
    target.on('error', () => client.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  onTestFinished(() => proxy.closeAllConnections());
  const { path } = await makeFiles();
  const { port: proxyPort } = proxy.address() as AddressInfo;
  const text = await readFile(path('kubeconfig'), 'utf8');
  await writeFile(
    path('kubeconfig'),
    text.replace('cluster: {', `cluster: { proxy-url: 'http://127.0.0.1:${proxyPort}',`),
  );
  const client = openClient(kubeconfig(path('kubeconfig')));
  expect(await whoAmI(client)).toBe(first.username);
  expect(tunnels).toEqual([`127.0.0.1:${port}`]);
  await client.close();
  proxy.close();
});

describe('where credentials come from', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  async function makePod() {
    const { directory, path } = await makeFiles();
    const secrets = path('var/run/secrets/kubernetes.io/serviceaccount');
    await mkdir(secrets, { recursive: true });
    await writeFile(join(secrets, 'ca.crt'), certificateAuthority());
    await writeFile(join(secrets, 'token'), second.token);
    vi.stubEnv('KUBERNETES_SERVICE_HOST', '127.0.0.1');
    vi.stubEnv('KUBERNETES_SERVICE_PORT', String(port));
    return directory;
  }

  test('in a pod: the service account', async () => {
    const client = openClient({ kind: 'in-cluster', root: await makePod() });
    expect(await whoAmI(client)).toBe(second.username);
  });

  test('by default: the kubeconfig that is named', async () => {
    const { path } = await makeFiles();
    const client = openClient({ kind: 'default', path: path('kubeconfig') });
    expect(await whoAmI(client)).toBe(first.username);
  });

  test('by default: else that of the home folder', async () => {
    const { directory, path } = await makeFiles();
    await mkdir(path('.kube'));
    const text = await readFile(path('kubeconfig'), 'utf8');
    await writeFile(
      path('.kube/config'),
      text.replace('ca.crt', '../ca.crt').replace('token }', '../token }'),
    );
    vi.stubEnv('HOME', directory);
    expect(await whoAmI(openClient({ kind: 'default' }))).toBe(first.username);
  });

  test('several files are one, the first naming the context', async () => {
    const { path } = await makeFiles();
    const { path: other } = await makeFiles();
    const text = await readFile(other('kubeconfig'), 'utf8');
    await writeFile(
      other('kubeconfig'),
      text
        .replaceAll(/(name|cluster|user): ([cux])\b/g, '$1: $22')
        .replace('current-context: x', 'current-context: x2'),
    );
    await writeFile(other('token'), second.token);
    const files = [path('kubeconfig'), other('kubeconfig')].join(delimiter);
    expect(await whoAmI(openClient({ kind: 'kubeconfig', path: files }))).toBe(first.username);
    expect(await whoAmI(openClient({ kind: 'kubeconfig', path: files, context: 'x2' }))).toBe(
      second.username,
    );
  });
});
