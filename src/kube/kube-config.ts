import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import type { KubeConfig, User } from '@kubernetes/client-node';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import type { KubeSource } from './kube-source.ts';

export interface LoadedKubeConfig {
  readonly config: KubeConfig;
  /** What it was made from: as long as that is equal, the config stays, and with it what its plugins have cached. */
  readonly text: string;
}

/**
 * Loads the config of a source, or answers `loaded` when nothing has changed since.
 * @throws Error saying what is missing or malformed
 */
export async function loadKubeConfig(
  source: KubeSource,
  loaded?: LoadedKubeConfig,
): Promise<LoadedKubeConfig> {
  const effective = source.kind === 'default' ? chooseDefault(source.path) : source;
  if (effective.kind === 'kubeconfig')
    return loadFiles(effective.path.split(delimiter), effective.context, loaded);
  return loaded ?? { config: await loadServiceAccount(effective.root), text: '' };
}

function chooseDefault(path: string | undefined): Exclude<KubeSource, { kind: 'default' }> {
  if (path !== undefined) return { kind: 'kubeconfig', path };
  const home = join(homedir(), '.kube', 'config');
  return existsSync(home) ? { kind: 'kubeconfig', path: home } : { kind: 'in-cluster' };
}

/** Loaded on first use: where it is not bundled it takes 60 MB and 0.3 s, which commands that never ask Kubernetes should not pay. */
async function makeKubeConfig(): Promise<KubeConfig> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  return new KubeConfig();
}

async function loadServiceAccount(root = ''): Promise<KubeConfig> {
  const config = await makeKubeConfig();
  config.loadFromCluster(root);
  // Outside a pod the variables with the address are not set, and client-node makes a URL of `undefined`.
  if (!URL.canParse(config.getCurrentCluster()?.server ?? '')) {
    throw new Error('there is no kubeconfig, and this process does not run in a pod');
  }
  return config;
}

async function loadFiles(
  paths: readonly string[],
  context: string | undefined,
  loaded: LoadedKubeConfig | undefined,
): Promise<LoadedKubeConfig> {
  const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8')));
  const text = texts.join('\n---\n');
  if (loaded?.text === text) return loaded;
  const config = await makeKubeConfig();
  for (const [index, path] of paths.entries()) {
    // As in kubectl, the first file that names a current context sets it.
    config.mergeConfig(await parseFile(path, texts[index] ?? ''), Boolean(config.currentContext));
  }
  if (context !== undefined) config.setCurrentContext(context);
  return { config, text };
}

/** What client-node takes for granted (clusters) and what it drops (tokenFile). */
const document = z.object({
  clusters: z.array(z.unknown()),
  users: z
    .array(z.object({ name: z.string(), user: z.object({ tokenFile: z.string().optional() }).nullish() }))
    .nullish(),
});

async function parseFile(path: string, text: string): Promise<KubeConfig> {
  const parsed = document.safeParse(parseYaml(text));
  if (!parsed.success) throw new Error(`${path} is not a kubeconfig`, { cause: parsed.error });
  const config = await makeKubeConfig();
  config.loadFromString(text);
  config.makePathsAbsolute(dirname(path));
  const tokenFiles = new Map(parsed.data.users?.map(({ name, user }) => [name, user?.tokenFile]));
  config.users = config.users.map((user) => withTokenFile(user, tokenFiles.get(user.name), dirname(path)));
  return config;
}

/** client-node knows token files, but by the name that in-cluster credentials have there. */
function withTokenFile(user: User, tokenFile: string | undefined, directory: string): User {
  if (tokenFile === undefined) return user;
  return {
    ...user,
    authProvider: { name: 'tokenFile', config: { tokenFile: resolve(directory, tokenFile) } },
  };
}
