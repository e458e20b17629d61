import { describe, expect, it } from 'vitest';
import { type Listing, type OutputFormat, render } from './output.ts';

interface City {
  readonly name: string;
  readonly people?: number;
  readonly coastal: boolean;
}

const listing: Listing<City> = {
  name: ({ name }) => `city/${name}`,
  columns: [
    { header: 'NAME', value: ({ name }) => name },
    { header: 'PEOPLE', value: ({ people }) => people },
    { header: 'COASTAL', value: ({ coastal }) => coastal, wide: true },
  ],
};
const rows: readonly City[] = [
  { name: 'Genova', people: 580_000, coastal: true },
  { name: '東京', coastal: false },
];

describe('render', () => {
  it.each<{ format: OutputFormat; want: string }>([
    { format: 'table', want: 'NAME     PEOPLE\nGenova   580000\n東京     -\n' },
    { format: 'wide', want: 'NAME     PEOPLE   COASTAL\nGenova   580000   true\n東京     -        false\n' },
    { format: 'name', want: 'city/Genova\ncity/東京\n' },
    {
      format: 'yaml',
      want: '- name: Genova\n  people: 580000\n  coastal: true\n- name: 東京\n  coastal: false\n',
    },
    { format: 'json', want: `${JSON.stringify(rows, null, 2)}\n` },
  ])('prints $format', ({ format, want }) => {
    expect(render(format, listing, rows)).toBe(want);
  });

  it.each<{ format: OutputFormat; want: string }>([
    { format: 'table', want: '' },
    { format: 'wide', want: '' },
    { format: 'name', want: '' },
    { format: 'json', want: '[]\n' },
    { format: 'yaml', want: '[]\n' },
  ])('prints nothing to see as $format', ({ format, want }) => {
    expect(render(format, listing, [])).toBe(want);
  });

  it('shows the document where one is given, and the rows in tables', () => {
    expect(render('json', listing, rows, { cities: 2 })).toBe('{\n  "cities": 2\n}\n');
    expect(render('table', listing, rows, { cities: 2 })).toContain('Genova');
  });

  it('lets no stored name drive the terminal', () => {
    const table = render('table', listing, [{ name: 'a\u001B[31mb\nc', people: 1, coastal: true }]);
    expect(table).toBe('NAME        PEOPLE\na\uFFFD[31mb\uFFFDc   1\n');
  });
});
