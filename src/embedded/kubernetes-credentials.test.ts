import { createPrivateKey } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { ensureCredentials, makeKubeconfig, servingCertificatePath } from './kubernetes-credentials.ts';

/** Good for a day in November 2026. */
const EXPIRED = `-----BEGIN CERTIFICATE-----
MIIBeDCCAR+gAwIBAgIUdaaH1uPOMcofcFJvRk9Gso36KYgwCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHZXhwaXJlZDAeFw0yNjExMjExMTEwMTdaFw0yNjExMjIxMTEw
MTdaMBIxEDAOBgNVBAMMB2V4cGlyZWQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AAT1pEzkuyZTu7J/zsN5HKq5l70MWw4YqjzU3HD0NJuULWjCWKrf0Wyz44nPwfvy
xUiQhtWBJn7jNE7OTJ84WDFCo1MwUTAdBgNVHQ4EFgQUq27X+MsP2ZVht5KCdm1A
du+SiWAwHwYDVR0jBBgwFoAUq27X+MsP2ZVht5KCdm1Adu+SiWAwDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiA1l4WECR6Apiau8KdGEn7tTqmj1PTB
/1rIN8ibB9y3DwIget2utjvO4FcCt9ti0QJz3MlXAYg4PwAHX+Saq9uAOsU=
-----END CERTIFICATE-----
`;

test('credentials are made once, and are for their owner alone', async () => {
  const directory = await temporaryDirectory();
  const made = await ensureCredentials(directory);
  expect(await ensureCredentials(directory)).toEqual(made);

  expect(await readFile(made.tokenFile, 'utf8')).toBe(`${made.adminToken},admin,admin,"system:masters"\n`);
  expect(createPrivateKey(await readFile(made.serviceAccountKeyFile)).asymmetricKeyType).toBe('rsa');
  const modes = (await readdir(directory)).map(
    async (name) => (await stat(join(directory, name))).mode & 0o077,
  );
  expect(await Promise.all(modes)).toEqual([0, 0, 0]);
});

test('a certificate that runs out is dropped, so that kube-apiserver makes another', async () => {
  const directory = await temporaryDirectory();
  const certificates = join(directory, 'certificates');
  await mkdir(certificates);
  await writeFile(servingCertificatePath(certificates), EXPIRED);
  await ensureCredentials(directory);
  expect(existsSync(servingCertificatePath(certificates))).toBe(false);
});

test('a kubeconfig names server, authority and token', () => {
  const { clusters, users, ...rest } = parse(makeKubeconfig('https://127.0.0.1:6443', 'PEM', 'secret'));
  expect(clusters[0].cluster).toEqual({
    server: 'https://127.0.0.1:6443',
    'certificate-authority-data': Buffer.from('PEM').toString('base64'),
  });
  expect(users[0].user).toEqual({ token: 'secret' });
  expect(rest).toMatchObject({ kind: 'Config', 'current-context': 'phaserun' });
});

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'phaserun-credentials-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}
