// Makes Secrets with random passwords, where there are none of that name yet. Its arguments: secret=key,key …
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
const [token, namespace] = await Promise.all(
  ['token', 'namespace'].map((file) => readFile(`${ACCOUNT}/${file}`, 'utf8')),
);
const address = host.includes(':') ? `[${host}]` : host;

for (const argument of process.argv.slice(2)) {
  const [name, keys] = argument.split('=');
  const response = await fetch(`https://${address}:${port}/api/v1/namespaces/${namespace}/secrets`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, labels: { 'app.kubernetes.io/name': 'phaserun' } },
      stringData: Object.fromEntries(keys.split(',').map((key) => [key, randomBytes(24).toString('hex')])),
    }),
  });
  const made = { 201: 'made', 409: 'is there' }[response.status];
  if (made === undefined) throw new Error(`Secret ${name}: ${response.status} ${await response.text()}`);
  console.log(`Secret ${name}: ${made}`);
}
