import type { DataSourceRef } from '@grafana/grafana-foundation-sdk/common';
import { type Panel, VariableType } from '@grafana/grafana-foundation-sdk/dashboard';
import * as units from '@grafana/grafana-foundation-sdk/units';
import { describe, expect, test } from 'vitest';
import { DASHBOARDS } from './dashboards.ts';

const BUILT = Object.entries(DASHBOARDS).map(([file, make]) => ({ file, dashboard: make().build() }));
const KNOWN_UNITS = new Set<string>(Object.values(units).filter((unit) => typeof unit === 'string'));

describe.each(BUILT)('$file', ({ file, dashboard }) => {
  const panels = (dashboard.panels ?? []) as Panel[];
  const variables = dashboard.templating?.list ?? [];

  test('is found under one uid for ever', () => {
    expect(dashboard.uid).toBe(`phaserun-${file}`);
    expect(dashboard.title).toMatch(/^PhaseRun \/ /);
  });

  test('every panel says what it shows, in what unit', () => {
    const silent = panels.filter(({ title, description = '', fieldConfig }) => {
      const unit = fieldConfig?.defaults?.unit ?? '';
      return !(title && /^[A-Z\d].{20,}\.$/.test(description) && KNOWN_UNITS.has(unit));
    });
    expect(silent.map(({ title }) => title)).toEqual([]);
  });

  test('panels have ids and titles of their own, and lie in the grid', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
    const ends = panels.map(({ gridPos }) => (gridPos?.x ?? 0) + (gridPos?.w ?? Infinity));
    expect(Math.max(...ends)).toBe(24);
  });

  test('every data source is one that whoever looks may choose', () => {
    const choices = variables
      .filter(({ type }) => type === VariableType.Datasource)
      .map(({ name }) => `\${${name}}`);
    const used = panels.flatMap((panel) => [panel.datasource, ...(panel.targets ?? []).map(sourceOf)]);
    for (const source of used) expect(choices).toContain(source?.uid);
  });

  test('every variable that a query names is there', () => {
    const known = new Set(variables.map(({ name }) => name));
    const named = JSON.stringify(panels).matchAll(/\$\{?([a-z]\w*)/g);
    for (const [, name = ''] of named) expect(known).toContain(name);
  });
});

test('the phases have twelve panels or more', () => {
  expect(DASHBOARDS.phases().build().panels?.length).toBeGreaterThanOrEqual(12);
});

function sourceOf(target: object): DataSourceRef | undefined {
  return 'datasource' in target ? (target.datasource as DataSourceRef) : undefined;
}
