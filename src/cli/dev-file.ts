import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const access = z.object({ apiKey: z.string(), forgeNamespace: z.string() });

const devFile = access.extend({
  apiUrl: z.string(),
  /** Path. */
  kubeconfig: z.string(),
  databaseUrl: z.string(),
  /** The same database for dashboards: the login sees the views `analytics_*` alone. */
  readerUrl: z.string(),
  /** The Kubernetes namespace that is bound to the customer of `apiKey`. */
  namespace: z.string(),
  /** Of the API and of the controller. */
  metricsUrls: z.tuple([z.string(), z.string()]),
  /** Absent where the machine has no Prometheus. */
  prometheusUrl: z.string().optional(),
  /** Another customer, to see that tenants never meet. */
  second: access,
});

/** How to reach what `dev` runs. Holds secrets: the file is its owner's alone. */
export type DevFile = z.infer<typeof devFile>;

function pathIn(dataDirectory: string): string {
  return join(dataDirectory, 'dev.json');
}

/** What the last `dev` in this folder wrote; undefined when there was none, or none of this form. */
export async function readDevFile(dataDirectory: string): Promise<DevFile | undefined> {
  try {
    return devFile.safeParse(JSON.parse(await readFile(pathIn(dataDirectory), 'utf8'))).data;
  } catch {
    return undefined;
  }
}

/** @returns the path of the file */
export async function writeDevFile(dataDirectory: string, content: DevFile): Promise<string> {
  const path = pathIn(dataDirectory);
  await writeFile(`${path}.part`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.part`, path);
  return path;
}
