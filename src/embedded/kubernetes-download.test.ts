import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { downloadKubernetes } from './kubernetes-download.ts';

const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : process.arch;

let archive: Buffer;
beforeAll(async () => {
  archive = await makeArchive(['etcd', 'kube-apiserver', 'kubectl']);
});

test('the newest patch of the minor release is unpacked', async () => {
  const releasesUrl = await serveReleases(['v1.35.9', 'v1.36.2', 'v1.36.10', 'v1.37.0'], archive);
  const directory = await temporaryDirectory();
  await downloadKubernetes(directory, 'v1.36.3', { releasesUrl });
  expect((await readdir(directory)).toSorted()).toEqual(['etcd', 'kube-apiserver', 'kubectl']);
  expect(await readFile(join(directory, 'etcd'), 'utf8')).toBe('etcd');
});

const refusals = [
  {
    name: 'a list without the minor release',
    versions: ['v1.35.0'],
    sent: 'whole',
    want: /no release of v1\.36\.x/,
  },
  {
    name: 'an archive that was changed',
    versions: ['v1.36.3'],
    sent: 'changed',
    want: /not what its list says/,
  },
  { name: 'an archive that is not there', versions: ['v1.36.3'], sent: 'nothing', want: /answered 404/ },
] as const;

test.each(refusals)('$name is refused, and leaves nothing', async ({ versions, sent, want }) => {
  const bytes = { whole: archive, changed: Buffer.concat([archive, Buffer.of(0)]), nothing: undefined }[sent];
  const directory = await temporaryDirectory();
  const releasesUrl = await serveReleases(versions, bytes);
  await expect(downloadKubernetes(directory, 'v1.36.3', { releasesUrl })).rejects.toThrow(want);
  expect(await readdir(directory)).toEqual([]);
});

/** Lists the archive under each version, only the last of 1.36 being there, and sends `bytes` for it. */
async function serveReleases(versions: readonly string[], bytes: Buffer | undefined): Promise<string> {
  const server = createServer((request, response) => {
    const isList = request.url === '/releases.yaml';
    const body = isList
      ? list()
      : request.url === `/${versions.findLast((name) => name.startsWith('v1.36'))}`
        ? bytes
        : undefined;
    response.writeHead(body === undefined ? 404 : 200).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  const url = `http://127.0.0.1:${address.port}`;
  const hash = createHash('sha512').update(archive).digest('hex');
  const list = () =>
    JSON.stringify({
      releases: Object.fromEntries(
        versions.map((name) => [
          name,
          {
            [`envtest-${name}-${process.platform}-${ARCHITECTURE}.tar.gz`]: {
              hash,
              selfLink: `${url}/${name}`,
            },
          },
        ]),
      ),
    });
  return `${url}/releases.yaml`;
}

async function makeArchive(programs: readonly string[]): Promise<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), 'phaserun-archive-'));
  const inside = join(directory, 'controller-tools', 'envtest');
  await mkdir(inside, { recursive: true });
  await Promise.all(programs.map((name) => writeFile(join(inside, name), name, { mode: 0o755 })));
  await promisify(execFile)('tar', ['-czf', 'archive.tar.gz', 'controller-tools'], { cwd: directory });
  const bytes = await readFile(join(directory, 'archive.tar.gz'));
  await rm(directory, { recursive: true });
  return bytes;
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'phaserun-download-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}
