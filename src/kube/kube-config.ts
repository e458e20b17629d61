import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { KubeConfig, makeAbsolutePath, type User } from '@kubernetes/client-node';
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
  return loaded ?? { config: loadServiceAccount(effective.root), text: '' };
}

function chooseDefault(path: string | undefined): Exclude<KubeSource, { kind: 'default' }> {
  if (path !== undefined) return { kind: 'kubeconfig', path };
  const home = join(homedir(), '.kube', 'config');
  return existsSync(home) ? { kind: 'kubeconfig', path: home } : { kind: 'in-cluster' };
}

function loadServiceAccount(root = ''): KubeConfig {
  const config = new KubeConfig();
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
  const config = new KubeConfig();
  for (const [index, path] of paths.entries()) {
    // As in kubectl, the first file that names a current context sets it.
    config.mergeConfig(parseFile(path, texts[index] ?? ''), Boolean(config.currentContext));
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

function parseFile(path: string, text: string): KubeConfig {
  const parsed = document.safeParse(parseYaml(text));
  if (!parsed.success) throw new Error(`${path} is not a kubeconfig`, { cause: parsed.error });
  const config = new KubeConfig();
  config.loadFromString(text);
  config.makePathsAbsolute(dirname(path));
  const tokenFiles = new Map(parsed.data.users?.map(({ name, user }) => [name, user?.tokenFile]));
  config.users = config.users.map((user) => withTokenFile(user, tokenFiles.get(user.name), dirname(path)));
  return config;
}

/** client-node knows token files, but by the name that in-cluster credentials have there. */
function withTokenFile(user: User, tokenFile: string | undefined, directory: string): User {
  if (tokenFile === undefined) return user;
  const path = makeAbsolutePath(directory, tokenFile);
  return { ...user, authProvider: { name: 'tokenFile', config: { tokenFile: path } } };
}
