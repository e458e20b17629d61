import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PendingResults } from './pending-results.ts';
import { makePhaseResult, type PhaseMetadata } from './phase-result.ts';

let folder: string;
let pending: PendingResults;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pending-'));
  pending = new PendingResults(folder);
});
afterEach(() => rm(folder, { recursive: true }));

describe('keep', () => {
  it.each<{ name: string; phase: string; metadata: Partial<PhaseMetadata>; want: RegExp }>([
    { name: 'a validation', phase: 'validate', metadata: {}, want: /^acme-app-7-validation\.json$/ },
    {
      name: 'a nested group',
      phase: 'mitigation',
      metadata: { repo: 'a/b/c' },
      want: /^a-b-c-7-mitigation\.json$/,
    },
    {
      name: 'a path that climbs',
      phase: 'validation',
      metadata: { repo: '../../etc' },
      want: /^\.\.-\.\.-etc-7-validation\.json$/,
    },
    {
      name: 'a very long name',
      phase: 'validation',
      metadata: { repo: `g/${'x'.repeat(700)}` },
      want: /^g-x{158}-[0-9a-f]{8}-validation\.json$/,
    },
  ])('names the file of $name', async ({ phase, metadata, want }) => {
    const file = await pending.keep(makePhaseResult(phase, {}, { ...issue(7), ...metadata }));
    expect(basename(file)).toMatch(want);
    expect(await readdir(folder)).toEqual([basename(file)]);
  });

  it('names the file of a scan that belongs to no issue', async () => {
    const file = await pending.keep(makePhaseResult('scan', {}, { repo: 'acme/app', commitSha: 'c1' }));
    expect(basename(file)).toBe('acme-app-scan-scan.json');
  });

  it('writes phase, data, metadata and timestamp, and the key to send it under', async () => {
    const result = makePhaseResult('validation', { validated: true }, issue(7));
    const file = await pending.keep(result);
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
      phase: 'validation',
      data: { validated: true },
      metadata: issue(7),
      timestamp: result.timestamp,
      idempotencyKey: result.idempotencyKey,
    });
  });

  it('keeps every result of one name, the newest under the plain one', async () => {
    const results = [1, 2, 3].map((n) => makePhaseResult('validation', { n }, issue(7)));
    const files = [];
    for (const result of results) files.push(await pending.keep(result));
    expect(new Set(files).size).toBe(1);
    expect((await pending.list()).results.map(({ result }) => result)).toEqual(results);
    expect(JSON.parse(await readFile(files[0]!, 'utf8')).data).toEqual({ n: 3 });
  });

  it('loses none of many kept at once', async () => {
    const results = Array.from({ length: 20 }, (_, n) => makePhaseResult('scan', { n }, issue(7)));
    await Promise.all(results.map((result) => pending.keep(result)));
    expect((await pending.list()).results.map(({ result }) => result)).toEqual(results);
  });
});

describe('list', () => {
  it('finds nothing where no folder is', async () => {
    const none = new PendingResults(join(folder, 'none'));
    await expect(none.list()).resolves.toEqual({ results: [], unreadable: [], tracked: [] });
  });

  it('reads files of older clients, and gives each the same key every time', async () => {
    const old = {
      phase: 'validate',
      data: { validated: true },
      metadata: issue(7),
      timestamp: '2025-08-06T10:00:00.000Z',
    };
    await writeFile(join(folder, 'acme-app-7-validate.json'), JSON.stringify(old));
    const [first, second] = [await pending.list(), await pending.list()];
    expect(first.results[0]?.result).toMatchObject({ ...old, phase: 'validation' });
    expect(first.results[0]?.result.idempotencyKey).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    expect(second).toEqual(first);
  });

  it.each([
    { name: 'a torn file', text: '{"phase":"scan","da' },
    { name: 'another tool’s file', text: '{"hello":1}' },
    {
      name: 'an unknown phase',
      text: '{"phase":"x","data":{},"metadata":{"repo":"a/b","commitSha":"c"},"timestamp":"t"}',
    },
    { name: 'no commit', text: '{"phase":"scan","data":{},"metadata":{"repo":"a/b"},"timestamp":"t"}' },
    { name: 'a number', text: '7' },
  ])('leaves $name alone and says so', async ({ text }) => {
    await writeFile(join(folder, 'x.json'), text);
    await expect(pending.list()).resolves.toEqual({
      results: [],
      unreadable: [join(folder, 'x.json')],
      tracked: [],
    });
    expect(await readFile(join(folder, 'x.json'), 'utf8')).toBe(text);
  });
});

describe('a working copy of another hand', () => {
  it('does not make it read what is no file of its own', async () => {
    await symlink('/dev/zero', join(folder, 'endless.json'));
    await symlink('/dev/stdin', join(folder, 'waiting.json'));
    await expect(pending.list()).resolves.toEqual({ results: [], unreadable: [], tracked: [] });
  });

  it.each(['a\nb', 'ключ', '', 'k'.repeat(256)])(
    'does not make it send the key %j',
    async (idempotencyKey) => {
      const file = { ...makePhaseResult('scan', {}, issue(7)), idempotencyKey };
      await writeFile(join(folder, 'x.json'), JSON.stringify(file));
      const [first] = (await pending.list()).results;
      expect(first?.result.idempotencyKey).toMatch(/^[0-9a-f-]{36}$/);
    },
  );
});

describe('remove', () => {
  it('removes the result, and a second time does nothing', async () => {
    await pending.keep(makePhaseResult('scan', {}, issue(7)));
    const one = (await pending.list()).results[0]!;
    await pending.remove(one);
    await pending.remove(one);
    expect(await readdir(folder)).toEqual([]);
  });

  it('does not let names grow, however often they are taken', async () => {
    const others = makePhaseResult('scan', {}, issue(7));
    await pending.keep(makePhaseResult('scan', { n: 1 }, issue(7)));
    for (let n = 0; n < 3; n += 1) {
      for (const { file } of (await pending.list()).results) await pending.remove({ file, result: others });
    }
    expect(await readdir(folder)).toEqual([expect.stringMatching(/^acme-app-7-scan\.[0-9a-f-]{36}\.json$/)]);
  });

  it('spares a newer result that took the name meanwhile', async () => {
    await pending.keep(makePhaseResult('scan', { n: 1 }, issue(7)));
    const sent = (await pending.list()).results[0]!;
    await pending.keep(makePhaseResult('scan', { n: 2 }, issue(7)));
    await pending.remove(sent);
    const left = (await pending.list()).results.map(({ result }) => result.data);
    expect(left).toContainEqual({ n: 2 });
  });
});

describe('setAside', () => {
  it('takes the result out of the list and keeps its content', async () => {
    await pending.keep(makePhaseResult('scan', { n: 1 }, issue(7)));
    const aside = await pending.setAside((await pending.list()).results[0]!);
    expect((await pending.list()).results).toEqual([]);
    expect(JSON.parse(await readFile(aside, 'utf8')).data).toEqual({ n: 1 });
  });
});

function issue(issueNumber: number): PhaseMetadata {
  return { repo: 'acme/app', issueNumber, commitSha: '7776c71' };
}
