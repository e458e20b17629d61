import { describe, expect, it } from 'vitest';
import { CommandFailure } from './failure.ts';
import { parseResultData, readResultData } from './result-data.ts';

describe('parseResultData', () => {
  it('returns the object', () => {
    expect(parseResultData('{"validated": true}', 'v.json')).toEqual({ validated: true });
  });

  it.each([
    { text: '{\n  "a": 1,\n}', want: 'v.json is not JSON: line 3, column 1: unexpected "}"' },
    { text: '{\n  "a": tru\n}', want: 'v.json is not JSON: line 2, column 8: unexpected "t"' },
    { text: '{"a": [1', want: 'v.json is not JSON: line 1, column 9: it ends too early' },
    { text: '', want: 'v.json is not JSON: line 1, column 1: it ends too early' },
    { text: '[1]', want: 'v.json must hold a JSON object, not an array' },
    { text: '"scan"', want: 'v.json must hold a JSON object, not "scan"' },
    { text: 'null', want: 'v.json must hold a JSON object, not null' },
  ])('refuses $text and says where', ({ text, want }) => {
    const parse = () => parseResultData(text, 'v.json');
    expect(parse).toThrow(CommandFailure);
    expect(parse).toThrow(want);
  });
});

describe('readResultData', () => {
  it('names a file that it cannot read', async () => {
    await expect(readResultData('/nowhere/scan.json')).rejects.toThrow(
      /cannot read \/nowhere\/scan\.json: .*no such file/,
    );
  });
});
