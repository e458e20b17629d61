import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findInexactNumber, parseJsonExactly } from './json.ts';
import { findUnstorable, MAX_DEPTH, WRITTEN_OUT_LIMIT } from './unstorable.ts';

const DEEP = 100_000;

describe('what would not come back as it went in is named', () => {
  test.each<{ name: string; text: string | Buffer; path: string; message: string }>([
    { name: 'no JSON', text: '{', path: '', message: 'must be JSON' },
    { name: 'nothing', text: '', path: '', message: 'must be JSON' },
    {
      name: 'a byte that is not UTF-8',
      text: Buffer.from([0x22, 0xff, 0x22]),
      path: '',
      message: 'must be UTF-8',
    },
    { name: 'NUL in a string', text: '{"data":{"a":["\\u0000"]}}', path: 'data.a[0]', message: 'NUL' },
    {
      name: 'a lone surrogate',
      text: '{"data":{"a b":"\\ud800"}}',
      path: 'data["a b"]',
      message: 'surrogate',
    },
    { name: 'NUL in a key', text: '{"data":{"\\u0000":1}}', path: 'data["\\u0000"]', message: 'key' },
    { name: 'a lone surrogate in a key', text: '{"\\udfff":1}', path: '["\\udfff"]', message: 'key' },
    { name: 'a number beyond a double', text: '{"data":[1e400]}', path: 'data[0]', message: 'double' },
    { name: 'a negative one', text: '{"data":[-1e999]}', path: 'data[0]', message: 'double' },
    {
      name: 'an integer that loses digits',
      text: '{"a":{"b":[0,9007199254740993]}}',
      path: 'a.b[1]',
      message: 'exactly',
    },
    { name: 'an id of 19 digits', text: '{"id": 1732183976123456789}', path: 'id', message: 'exactly' },
    { name: 'a negative one', text: '{"id":\n-9007199254740993}', path: 'id', message: 'exactly' },
    { name: 'a bare one', text: '12345678901234567891', path: '', message: 'exactly' },
    { name: 'a number that becomes zero', text: '{"a":1e-400}', path: 'a', message: 'exactly' },
    {
      name: 'the second of two',
      text: '[12345678901234567000,9007199254740993]',
      path: '[1]',
      message: 'exactly',
    },
    { name: 'a prototype', text: '{"data":{"__proto__":{"x":1}}}', path: 'data.__proto__', message: 'key' },
    {
      name: "a constructor's prototype",
      text: '{"a":{"constructor":{"prototype":{}}}}',
      path: 'a.constructor.prototype',
      message: 'key',
    },
  ])('$name', ({ text, path, message }) => {
    expect(parseJsonExactly(text)).toEqual({ ok: false, path, message: expect.stringContaining(message) });
  });
});

describe('what does is let through', () => {
  test.each([
    '{"constructor":"a word","prototype":1}',
    '{"constructor":{"x":1}}',
    '{"id":9007199254740991,"n":-9007199254740991}',
    '{"big":9007199254740992}',
    '{"nanoseconds":1732183976123000000}',
    '{"a":100000000000000000000000,"b":1e+23}',
    '{"zero":0e999,"minus":-0.0e-999}',
    '{"text":"12345678901234567891, 1e400, :9007199254740993"}',
    '{"emoji":"\\ud83d\\ude00 😀"}',
    '{"a":1,"a":2}',
    '"text"',
    'null',
  ])('%s', (text) => {
    expect(parseJsonExactly(text)).toEqual({ ok: true, value: JSON.parse(text) });
    expect(parseJsonExactly(Buffer.from(text))).toEqual({ ok: true, value: JSON.parse(text) });
  });

  test('every JSON value that holds neither NUL nor a lone surrogate', () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: 'grapheme' }), (text) => {
        fc.pre(!/\\u0000|__proto__|constructor/.test(text));
        expect(parseJsonExactly(text)).toEqual({ ok: true, value: JSON.parse(text) });
      }),
    );
  });

  test('every double, as JavaScript writes it', () => {
    fc.assert(
      fc.property(fc.double({ noDefaultInfinity: true, noNaN: true }), (number) => {
        expect(findInexactNumber(JSON.stringify({ number }))).toBeUndefined();
      }),
    );
  });
});

test('an integer is let through just when it comes out as the same digits', () => {
  // Below 10^21, from where JavaScript writes an exponent.
  const integer = fc.oneof(
    fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }),
    fc.bigInt({ min: 2n ** 53n - 9n, max: 2n ** 53n + 9n }),
    fc.bigInt({ min: 1n, max: 10n ** 8n }).map((n) => n * 10n ** 12n),
  );
  fc.assert(
    fc.property(integer, (n) => {
      expect(findInexactNumber(`{"n":${n}}`) === undefined).toBe(String(Number(n)) === String(n));
    }),
  );
});

describe('nesting', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

  test('is allowed to its limit', () => {
    expect(parseJsonExactly(nested(MAX_DEPTH)).ok).toBe(true);
    expect(parseJsonExactly(nested(MAX_DEPTH + 1))).toMatchObject({
      ok: false,
      path: '[0]'.repeat(MAX_DEPTH),
    });
  });

  test.each([
    { name: 'arrays', text: nested(DEEP) },
    { name: 'objects', text: `${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}` },
    { name: 'arrays with a number that takes the slow way', text: `[12345678901234567891,${nested(DEEP)}]` },
  ])('a hundred thousand $name leave the stack alone', ({ text }) => {
    expect(parseJsonExactly(text)).toMatchObject({ ok: false, message: expect.stringContaining('deeper') });
  });

  test('a value with a name has a level less', () => {
    const value: unknown = JSON.parse(nested(MAX_DEPTH));
    expect(findUnstorable(value)).toBeUndefined();
    expect(findUnstorable(value, 'data')).toMatchObject({ message: expect.stringContaining('deeper') });
  });
});

describe('numbers that Postgres writes out in full', () => {
  const many = (number: string, count: number) => `{"data":[${Array(count).fill(number).join(',')}]}`;

  test.each(['1e300', '-1.5e300', '1e-300'])('%s is allowed until all of them take the limit', (number) => {
    const count = Math.floor(WRITTEN_OUT_LIMIT / 301);
    expect(parseJsonExactly(many(number, count)).ok).toBe(true);
    expect(parseJsonExactly(many(number, 2 * count))).toMatchObject({
      ok: false,
      path: expect.stringMatching(/^data\[\d+\]$/),
      message: expect.stringContaining('written out'),
    });
  });

  test('those that JavaScript writes so too are as long as they were sent', () => {
    expect(parseJsonExactly(many('123456789012345', 700_000)).ok).toBe(true);
  });
});

test('a path stays readable, however hostile the keys', () => {
  const parsed = parseJsonExactly(JSON.stringify({ ['k'.repeat(100_000)]: '\0' }));
  expect(parsed.ok ? 0 : parsed.path.length).toBeLessThan(250);
});
