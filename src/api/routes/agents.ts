import type { FastifyInstance } from 'fastify';
import type { Metrics } from '../../telemetry/metrics.ts';
import { useTraceIds } from '../plugins/trace-id.ts';
import type { ReadDependencies } from '../read-for-customer.ts';
import { registerApprovals } from './approvals.ts';
import { registerAudit } from './audit.ts';
import { registerProfiles } from './profiles.ts';
import { registerSessions } from './sessions.ts';
import { registerTasks } from './tasks.ts';

export interface AgentDependencies extends ReadDependencies {
  readonly metrics: Pick<Metrics, 'product' | 'store'>;
}

/** What agents ask of us: sessions, tasks, approvals, audit and profiles, each request with its trace. */
export function registerAgents(app: FastifyInstance, deps: AgentDependencies): void {
  app.register(async (scope) => {
    useTraceIds(scope);
    registerSessions(scope, deps);
    registerTasks(scope, deps);
    registerApprovals(scope, deps);
    registerAudit(scope, deps);
    registerProfiles(scope, deps);
  });
}
