import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { splitLines } from './split-lines.ts';

async function* cutInto(bytes: Buffer, sizes: readonly number[]) {
  let start = 0;
  for (const size of sizes) {
    yield bytes.subarray(start, start + size);
    start += size;
  }
  yield bytes.subarray(start);
}

async function linesOf(text: string, sizes: readonly number[] = []): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of splitLines(cutInto(Buffer.from(text), sizes))) lines.push(line);
  return lines;
}

test.each([
  { name: 'one line', text: 'a\n', want: ['a'] },
  { name: 'several in one chunk', text: 'a\nb\nc\n', want: ['a', 'b', 'c'] },
  { name: 'empty ones left out', text: '\na\n\n', want: ['a'] },
  { name: 'the cut-off end left out', text: 'a\n{"type":"AD', want: ['a'] },
  { name: 'nothing', text: '', want: [] },
])('$name', async ({ text, want }) => {
  expect(await linesOf(text)).toEqual(want);
});

test('a character that chunks share stays whole', async () => {
  expect(await linesOf('ä€😀\n', [1, 2, 2, 1])).toEqual(['ä€😀']);
});

test('however the bytes are cut, the lines are the same', async () => {
  const line = fc.string({ unit: 'grapheme', minLength: 1 }).filter((each) => !each.includes('\n'));
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.array(fc.nat(9)), async (lines, sizes) => {
      const text = lines.map((each) => `${each}\n`).join('');
      expect(await linesOf(text, sizes)).toEqual(lines);
    }),
  );
});
