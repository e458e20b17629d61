import { describe, expect, test } from 'vitest';
import type { Forge } from './phase.ts';
import { namespacePrefixes, parseRepositoryName } from './repository-name.ts';

describe('a name that the forge knows', () => {
  test.each<{ forge: Forge; text: string; namespace: string; name: string }>([
    { forge: 'github', text: 'acme/nodegoat', namespace: 'acme', name: 'nodegoat' },
    { forge: 'github', text: 'OWASP/NodeGoat', namespace: 'owasp', name: 'nodegoat' },
    { forge: 'github', text: 'acme/.github', namespace: 'acme', name: '.github' },
    { forge: 'github', text: 'user_corp/-x-', namespace: 'user_corp', name: '-x-' },
    { forge: 'github', text: 'acme/a..b', namespace: 'acme', name: 'a..b' },
    { forge: 'gitlab', text: 'Group/name', namespace: 'group', name: 'name' },
    { forge: 'gitlab', text: 'a.b/c_d/E/name.js', namespace: 'a.b/c_d/e', name: 'name.js' },
  ])('$forge $text', ({ forge, text, namespace, name }) => {
    expect(parseRepositoryName(forge, text)).toEqual({
      ok: true,
      value: { forge, namespace, name, fullPath: text },
    });
  });
});

describe('a name that it does not', () => {
  test.each<{ why: string; forge: Forge; text: string }>([
    { why: 'empty', forge: 'github', text: '' },
    { why: 'no owner', forge: 'github', text: 'nodegoat' },
    { why: 'empty owner', forge: 'github', text: '/nodegoat' },
    { why: 'empty name', forge: 'github', text: 'acme/' },
    { why: 'nested', forge: 'github', text: 'acme/sub/nodegoat' },
    { why: 'parent folder', forge: 'github', text: 'acme/..' },
    { why: 'parent folder first', forge: 'github', text: '../nodegoat' },
    { why: 'this folder', forge: 'gitlab', text: 'a/./b' },
    { why: 'parent folder within', forge: 'gitlab', text: 'a/../b' },
    { why: 'NUL', forge: 'github', text: 'acme/node\0goat' },
    { why: 'line feed at the end', forge: 'github', text: 'acme/nodegoat\n' },
    { why: 'blank', forge: 'github', text: 'acme/node goat' },
    { why: 'surrounding blanks', forge: 'github', text: ' acme/nodegoat' },
    { why: 'not ASCII', forge: 'github', text: 'acme/nödegoat' },
    { why: 'a letter that lower-cases to ASCII', forge: 'github', text: 'acme/\u212Aoala' },
    { why: 'a URL', forge: 'github', text: 'https://github.com/acme/nodegoat' },
    { why: 'a clone address', forge: 'github', text: 'acme/nodegoat.git' },
    { why: 'a feed', forge: 'gitlab', text: 'acme/nodegoat.atom' },
    { why: 'percent-encoded', forge: 'github', text: 'acme%2Fnodegoat' },
    { why: 'characters that slots use', forge: 'github', text: 'acme/nodegoat@x#1?issue=1' },
    { why: 'owner too long', forge: 'github', text: `${'a'.repeat(101)}/x` },
    { why: 'name too long', forge: 'github', text: `acme/${'a'.repeat(101)}` },
    { why: 'group that ends with a dot', forge: 'gitlab', text: 'a./b' },
    { why: 'nested too deep', forge: 'gitlab', text: `${'g/'.repeat(21)}x` },
    { why: 'namespace too long', forge: 'gitlab', text: `${'g'.repeat(250)}/${'g'.repeat(251)}/x` },
    { why: 'far too long', forge: 'gitlab', text: 'a'.repeat(1_000_000) },
  ])('$why', ({ forge, text }) => {
    const parsed = parseRepositoryName(forge, text);
    expect(parsed.ok).toBe(false);
    expect(parsed.ok ? '' : parsed.message).toMatch(/^must /);
  });
});

test.each([
  { namespace: 'acme', want: ['acme'] },
  { namespace: 'a/b/c', want: ['a/b/c', 'a/b', 'a'] },
])('prefixes of $namespace', ({ namespace, want }) => {
  expect(namespacePrefixes(namespace)).toEqual(want);
});
