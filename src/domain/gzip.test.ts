import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeGzip, encodeGzip } from './gzip.ts';

const LIMIT = 10_000;

test('what was packed comes out as it was', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 500 }), (text) => {
      const decoded = decodeGzip(encodeGzip(text), LIMIT);
      expect(decoded.ok && decoded.bytes.toString()).toBe(text);
    }),
  );
});

test('the limit is on what comes out', () => {
  expect(decodeGzip(encodeGzip('x'.repeat(LIMIT)), LIMIT).ok).toBe(true);
  const bomb = encodeGzip('x'.repeat(LIMIT + 1));
  expect(bomb.length).toBeLessThan(200);
  expect(decodeGzip(bomb, LIMIT)).toEqual({ ok: false, message: 'must not unpack to more than 10000 bytes' });
});

const packed = gzipSync('{"a":12}');

test.each<{ name: string; base64: string; message: string }>([
  { name: 'no base64', base64: '%%%', message: 'base64' },
  { name: 'base64 for URLs', base64: '-_-_', message: 'base64' },
  { name: 'base64 without padding', base64: packed.toString('base64').replace(/=+$/, ''), message: 'base64' },
  { name: 'base64 in lines', base64: `${packed.toString('base64')}\n`, message: 'base64' },
  { name: 'nothing', base64: '', message: 'gzip' },
  { name: 'no gzip', base64: Buffer.from('{"a":1}').toString('base64'), message: 'gzip' },
  { name: 'half of it', base64: packed.subarray(0, 15).toString('base64'), message: 'gzip' },
  {
    name: 'a wrong checksum',
    base64: withByte(packed, packed.length - 8).toString('base64'),
    message: 'gzip',
  },
  {
    name: 'more after it',
    base64: Buffer.concat([packed, Buffer.alloc(9)]).toString('base64'),
    message: 'gzip',
  },
  { name: 'a second member', base64: Buffer.concat([packed, packed]).toString('base64'), message: 'gzip' },
])('$name is refused', ({ base64, message }) => {
  expect(decodeGzip(base64, LIMIT)).toEqual({ ok: false, message: expect.stringContaining(message) });
});

function withByte(buffer: Buffer, index: number): Buffer {
  const changed = Buffer.from(buffer);
  changed.writeUInt8((changed.readUInt8(index) + 1) % 256, index);
  return changed;
}
