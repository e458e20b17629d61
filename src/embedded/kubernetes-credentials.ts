import { generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';

/** What a kube-apiserver needs to know its callers by, made once for a directory and kept there. */
export interface KubernetesCredentials {
  /** Of the user `admin` in `system:masters`. */
  readonly adminToken: string;
  readonly tokenFile: string;
  readonly serviceAccountKeyFile: string;
  /** Where kube-apiserver keeps the serving certificate that it makes for itself. */
  readonly certificateDirectory: string;
}

const RENEW_BEFORE_MS = 30 * 24 * 3_600_000;

/** Finds the credentials in `directory`, or makes them. Files are readable by their owner alone. */
export async function ensureCredentials(directory: string): Promise<KubernetesCredentials> {
  const certificateDirectory = join(directory, 'certificates');
  await mkdir(certificateDirectory, { recursive: true, mode: 0o700 });
  await dropExpiringCertificate(certificateDirectory);
  const tokenFile = join(directory, 'tokens.csv');
  const tokens = await readOrWrite(
    tokenFile,
    () => `${randomBytes(24).toString('hex')},admin,admin,"system:masters"\n`,
  );
  const serviceAccountKeyFile = join(directory, 'service-account.key');
  await readOrWrite(serviceAccountKeyFile, makePrivateKey);
  return {
    adminToken: tokens.slice(0, tokens.indexOf(',')),
    tokenFile,
    serviceAccountKeyFile,
    certificateDirectory,
  };
}

/** The file that kubectl and every client library read. */
export function makeKubeconfig(url: string, certificateAuthority: string, token: string): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'phaserun',
        cluster: {
          server: url,
          'certificate-authority-data': Buffer.from(certificateAuthority).toString('base64'),
        },
      },
    ],
    users: [{ name: 'phaserun', user: { token } }],
    contexts: [
      { name: 'phaserun', context: { cluster: 'phaserun', user: 'phaserun', namespace: 'default' } },
    ],
    'current-context': 'phaserun',
  });
}

/** The certificate that kube-apiserver made for itself, with the authority that signed it. */
export async function readServingCertificate(certificateDirectory: string): Promise<string> {
  return readFile(servingCertificatePath(certificateDirectory), 'utf8');
}

/** kube-apiserver writes it at its first start. */
export function servingCertificatePath(certificateDirectory: string): string {
  return join(certificateDirectory, 'apiserver.crt');
}

/** kube-apiserver makes certificates for a year, and makes another only where it finds none. */
async function dropExpiringCertificate(certificateDirectory: string): Promise<void> {
  const path = servingCertificatePath(certificateDirectory);
  if (!existsSync(path)) return;
  const { validToDate } = new X509Certificate(await readFile(path));
  if (validToDate.getTime() - Date.now() > RENEW_BEFORE_MS) return;
  await rm(path);
  await rm(join(certificateDirectory, 'apiserver.key'), { force: true });
}

async function readOrWrite(path: string, make: () => string): Promise<string> {
  const present = await readFile(path, 'utf8').catch(() => '');
  if (present !== '') return present;
  const made = make();
  await writeFile(path, made, { mode: 0o600 });
  return made;
}

function makePrivateKey(): string {
  return generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).privateKey;
}
