import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { z } from 'zod';

/** Where controller-tools lists the archives that controller tests everywhere use, each with its SHA-512. */
export const ENVTEST_RELEASES =
  'https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml';

/** Short: where the list is not to be had, whoever waits has a build before them. */
const LIST_TIMEOUT_MS = 5_000;
const ARCHIVE_TIMEOUT_MS = 300_000;

const releasesSchema = z.object({
  releases: z.record(z.string(), z.record(z.string(), z.object({ hash: z.string(), selfLink: z.url() }))),
});

type Archive = z.infer<typeof releasesSchema>['releases'][string][string];

/**
 * Downloads kube-apiserver, etcd and kubectl of the wanted version's minor release, its newest patch, and puts
 * them in `directory`. Each appears under its name only when it is whole.
 * @throws when the list or the archive is not to be had, lacks this system, or is not what the list says.
 */
export async function downloadKubernetes(
  directory: string,
  version: string,
  { releasesUrl, signal }: { readonly releasesUrl: string; readonly signal?: AbortSignal },
): Promise<void> {
  const list = await fetchBytes(releasesUrl, LIST_TIMEOUT_MS, signal);
  const archive = newestArchive(releasesSchema.parse(parse(list.toString())).releases, version);
  const bytes = await fetchBytes(archive.selfLink, ARCHIVE_TIMEOUT_MS, signal);
  const hash = createHash('sha512').update(bytes).digest('hex');
  if (hash !== archive.hash) throw new Error(`${archive.selfLink} is not what its list says it is`);
  await unpack(bytes, directory);
}

async function fetchBytes(url: string, timeoutMs: number, signal: AbortSignal | undefined): Promise<Buffer> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const response = await fetch(url, {
    signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
}

function newestArchive(releases: z.infer<typeof releasesSchema>['releases'], version: string): Archive {
  const minor = version.slice(0, version.lastIndexOf('.') + 1);
  const patchOf = (name: string) => Number(name.slice(minor.length));
  const newest = Object.keys(releases)
    .filter((name) => name.startsWith(minor) && Number.isInteger(patchOf(name)))
    .toSorted((a, b) => patchOf(b) - patchOf(a))[0];
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const archive = releases[newest ?? '']?.[`envtest-${newest}-${process.platform}-${architecture}.tar.gz`];
  if (archive === undefined)
    throw new Error(`no release of ${minor}x for ${process.platform} on ${architecture}`);
  return archive;
}

/** The archive holds `controller-tools/envtest/<program>`. */
async function unpack(archive: Buffer, directory: string): Promise<void> {
  const unpacked = join(directory, 'download.part');
  await rm(unpacked, { recursive: true, force: true });
  await mkdir(unpacked, { recursive: true });
  await writeFile(join(unpacked, 'archive.tar.gz'), archive);
  const args = ['-xzf', 'archive.tar.gz', '--strip-components=2', 'controller-tools/envtest'];
  await promisify(execFile)('tar', args, { cwd: unpacked });
  for (const name of ['etcd', 'kubectl', 'kube-apiserver'])
    await rename(join(unpacked, name), join(directory, name));
  await rm(unpacked, { recursive: true });
}
