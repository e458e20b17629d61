import type { DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { analyticsDashboard } from './analytics.ts';
import { controlPlaneDashboard } from './control-plane.ts';
import { phasesDashboard } from './phases.ts';

/** Every dashboard, by the name of its file in `manifests/grafana/dashboards`. */
export const DASHBOARDS = {
  phases: phasesDashboard,
  'control-plane': controlPlaneDashboard,
  analytics: analyticsDashboard,
} satisfies Record<string, () => DashboardBuilder>;
