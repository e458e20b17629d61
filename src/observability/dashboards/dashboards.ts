import type { DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { phasesDashboard } from './phases.ts';

/** Every dashboard, by the name of its file in `manifests/grafana/dashboards`. */
export const DASHBOARDS = {
  phases: phasesDashboard,
} satisfies Record<string, () => DashboardBuilder>;
