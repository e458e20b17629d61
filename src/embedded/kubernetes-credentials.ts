import { generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
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

/** The certificate that kube-apiserver serves, with the authority that signed it; undefined until it has made one. */
export async function readServingCertificate(certificateDirectory: string): Promise<string | undefined> {
  return readFile(join(certificateDirectory, 'apiserver.crt'), 'utf8').catch(() => undefined);
}

/** kube-apiserver makes certificates for a year, and makes another only where it finds none. */
async function dropExpiringCertificate(certificateDirectory: string): Promise<void> {
  const certificate = await readServingCertificate(certificateDirectory);
  if (certificate === undefined) return;
  if (new X509Certificate(certificate).validToDate.getTime() - Date.now() > RENEW_BEFORE_MS) return;
  await rm(join(certificateDirectory, 'apiserver.crt'));
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
