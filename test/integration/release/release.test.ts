import { execFile } from 'node:child_process';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../fixtures/temporary-directory.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const FILES = [
  'package.json',
  'package-lock.json',
  'charts/phaserun/Chart.yaml',
  'action.yml',
  'CHANGELOG.md',
];

describe('hack/release.ts', () => {
  it('finds one version in all files', async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
    const { stderr } = await release(ROOT, 'check', `v${version}`);
    expect(stderr).not.toContain('says');
  });

  it('prints what the changelog says of a version, and of no other', async () => {
    const checkout = await checkoutOf(
      '9.8.7',
      '## Unreleased\n\n- Later.\n\n## 9.8.7 (2026-11-27)\n\n- Now.\n\n## 9.8.6\n',
    );
    expect(await release(checkout, 'check', 'v9.8.7')).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await release(checkout, 'notes', 'v9.8.7')).toEqual({ code: 0, stdout: '- Now.\n', stderr: '' });
  });

  it.each(FILES.slice(0, -1))('refuses a tag that %s does not agree with', async (file) => {
    const checkout = await checkoutOf('9.8.7', '## 9.8.7\n\n- Now.\n');
    await cp(join(ROOT, file), join(checkout, file));
    const { code, stderr } = await release(checkout, 'check', 'v9.8.7');
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`^${file} says .*, and the tag says 9.8.7$`, 'm'));
  });

  it.each([
    { name: 'no section', changelog: '## Unreleased\n\n- Now.\n' },
    { name: 'an empty section', changelog: '## 9.8.7\n\n## 9.8.6\n\n- Before.\n' },
    { name: 'that of a longer version', changelog: '## 9.8.7-rc.1\n\n- Now.\n' },
  ])('refuses a changelog with $name', async ({ changelog }) => {
    const checkout = await checkoutOf('9.8.7', changelog);
    expect(await release(checkout, 'check', 'v9.8.7')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'CHANGELOG.md has no section "## 9.8.7"\n',
    });
  });

  it.each([['check'], ['check', '9.8.7'], ['check', 'v9.8'], ['publish', 'v9.8.7']])(
    'refuses the arguments %s %s',
    async (...args) => {
      expect(await release(ROOT, ...args)).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/^Usage/),
      });
    },
  );
});

/** What the program reads, with this version in every place. */
async function checkoutOf(version: string, changelog: string): Promise<string> {
  const { version: current } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
  const checkout = await temporaryDirectory();
  await cp(join(ROOT, 'hack/release.ts'), join(checkout, 'hack/release.ts'));
  for (const file of FILES) {
    await cp(join(ROOT, file), join(checkout, file));
    const text = await readFile(join(checkout, file), 'utf8');
    await writeFile(join(checkout, file), text.replaceAll(current, version));
  }
  await writeFile(join(checkout, 'CHANGELOG.md'), `# Changelog\n\n${changelog}`);
  return checkout;
}

function release(checkout: string, ...args: readonly string[]) {
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const argv = [join(checkout, 'hack/release.ts'), ...args];
    execFile(process.execPath, argv, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}
