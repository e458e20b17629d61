import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { access, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageFile } from '../package-file.ts';
import { formatElapsed } from './format-elapsed.ts';
import { KubernetesAssetsError } from './kubernetes-assets-error.ts';

/** The module that pins Kubernetes, etcd and all they are made of, by digest. */
const MODULE = packageFile('hack/tools');

const PROGRAMS = [
  { name: 'etcd', module: 'go.etcd.io/etcd/server/v3' },
  { name: 'kube-apiserver', module: 'k8s.io/kubernetes/cmd/kube-apiserver' },
  { name: 'kubectl', module: 'k8s.io/kubernetes/cmd/kubectl' },
] as const;

const REPORT_EVERY_MS = 10_000;

export interface BuildOptions {
  readonly onProgress: (message: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Builds what `directory` lacks of etcd, kube-apiserver and kubectl: about four minutes on two cores the first
 * time. Each appears under its name only when it is whole.
 * @throws KubernetesAssetsError when there is no Go, or too old a one, or the build fails.
 */
export async function buildKubernetes(
  directory: string,
  version: string,
  options: BuildOptions,
): Promise<void> {
  await requireGo();
  for (const { name, module } of PROGRAMS) {
    const path = join(directory, name);
    if (!existsSync(path)) await build(path, name, module, version, options);
  }
}

async function requireGo(): Promise<void> {
  const advice = 'or set KUBEBUILDER_ASSETS to a folder that holds kube-apiserver and etcd';
  await access(join(MODULE, 'go.mod')).catch((cause: unknown) => {
    throw new KubernetesAssetsError(
      `kube-apiserver is built from a checkout of PhaseRun: use one, ${advice}`,
      { cause },
    );
  });
  // Inside the module Go refuses to say anything when it is older than the module asks for.
  await promisify(execFile)('go', ['env', 'GOVERSION'], { cwd: MODULE }).catch((cause: unknown) => {
    throw new KubernetesAssetsError(
      `kube-apiserver could not be downloaded, and to build it Go 1.26 or newer is needed: install it (https://go.dev/doc/install), ${advice}`,
      { cause },
    );
  });
}

async function build(
  path: string,
  name: string,
  module: string,
  version: string,
  { onProgress, signal }: BuildOptions,
): Promise<void> {
  const started = Date.now();
  const report = () =>
    onProgress(`building ${name} through Go, once for this machine (${formatElapsed(Date.now() - started)})`);
  report();
  const timer = setInterval(report, REPORT_EVERY_MS);
  const unfinished = `${path}.part`;
  try {
    await promisify(execFile)('env', [...goBuild(version), '-o', unfinished, module], {
      cwd: MODULE,
      maxBuffer: 64 * 1024 * 1024,
      killSignal: 'SIGINT',
      ...(signal !== undefined && { signal }),
    });
    await rename(unfinished, path);
    onProgress(`built ${name} in ${formatElapsed(Date.now() - started)}`);
  } catch (cause) {
    signal?.throwIfAborted();
    const output =
      cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trimEnd().slice(-2_000) : '';
    throw new KubernetesAssetsError(`go build ${module} failed:\n${output}`, { cause });
  } finally {
    clearInterval(timer);
  }
}

/** The arguments of env(1): static, without paths of this machine, and telling its version as a release does. */
function goBuild(version: string): string[] {
  const [major, minor] = version.slice(1).split('.');
  const stamps = { gitVersion: version, gitMajor: major, gitMinor: minor, gitTreeState: 'clean' };
  const ldflags = Object.entries(stamps).map(
    ([key, value]) => `-X k8s.io/component-base/version.${key}=${value}`,
  );
  const flags = [
    '-mod=readonly',
    '-buildvcs=false',
    '-trimpath',
    '-ldflags',
    ['-s', '-w', ...ldflags].join(' '),
  ];
  return ['CGO_ENABLED=0', 'GOWORK=off', 'go', 'build', ...flags];
}
