import { createMetrics } from '../../src/telemetry/metrics.ts';
import type { GeneratedFile } from './generated-file.ts';

/** What is declared, as TypeScript, so that a query for something else does not compile. */
export const metricFamilies: GeneratedFile = {
  path: 'src/observability/metric-families.ts',
  async make() {
    const families = await createMetrics({ defaultMetrics: true }).families();
    const entries = families.map(({ name, type, labels }) => {
      const lines = Object.entries(labels).map(
        ([label, values]) => `      ${label}: ${arrayOf(values, label)},`,
      );
      const set = lines.length === 0 ? '{}' : `{\n${lines.join('\n')}\n    }`;
      return `  ${name}: {\n    type: '${type}',\n    labels: ${set},\n  },`;
    });
    return `${HEADER}export const METRIC_FAMILIES = {\n${entries.join('\n')}\n} as const;\n`;
  },
};

const HEADER = `// Generated from src/telemetry/families by \`npm run generate\`: change it there.

/** Every declared metric: its type, and its labels, with their values where they are a closed set. */
`;

const WIDTH = 110;

/** As the formatter writes it. */
function arrayOf(values: readonly string[], label: string): string {
  const quoted = values.map((value) => `'${value}'`);
  const line = `[${quoted.join(', ')}]`;
  if (`      ${label}: ${line},`.length <= WIDTH) return line;
  return `[\n${quoted.map((value) => `        ${value},\n`).join('')}      ]`;
}
