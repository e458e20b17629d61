import { DASHBOARDS } from '../../src/observability/dashboards/dashboards.ts';
import type { GeneratedFile } from './generated-file.ts';

/** The dashboards, as Grafana imports them, and its sidecar finds them in ConfigMaps. */
export const dashboards: readonly GeneratedFile[] = Object.entries(DASHBOARDS).map(([name, make]) => ({
  path: `manifests/grafana/dashboards/${name}.json`,
  make: () => `${JSON.stringify(make().build(), null, 2)}\n`,
}));
