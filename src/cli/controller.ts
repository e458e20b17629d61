import { Command } from 'commander';
import { loadConfig } from '../config.ts';
import { helpFooter } from './arguments.ts';
import { startController } from './controller-process.ts';
import { TRACE_ENVIRONMENT } from './trace-environment.ts';
import { serveUntilSignalled } from './serve.ts';
import { DATABASE_ENVIRONMENT } from './with-database.ts';
import { KUBERNETES_ENVIRONMENT } from './with-kubernetes.ts';

/** `controller`: turns PhaseRuns into rows, until it is told to stop. */
export function controllerCommand(): Command {
  return new Command('controller')
    .summary('run the controller')
    .description(
      'Watches PhaseRuns and turns each into rows of Postgres and a step of its session. Of several replicas one works and ' +
        'the others stand by. It starts whatever is down around it, and says so in /health on its metrics port.',
    )
    .addHelpText('after', HELP)
    .action(() => serveUntilSignalled(() => startController(loadConfig())));
}

const HELP = helpFooter({
  examples: ['phaserun controller', 'METRICS_PORT=9090 LOG_LEVEL=debug phaserun controller'],
  environment: {
    ...DATABASE_ENVIRONMENT,
    ...KUBERNETES_ENVIRONMENT,
    ...TRACE_ENVIRONMENT,
    METRICS_PORT: 'port of /metrics, /livez, /readyz and /health; default 8089',
    POD_NAMESPACE: 'namespace of the Lease; default phaserun-system',
    SESSION_RETENTION_DAYS: 'how long a run may be pending or running before it counts as failed; default 7',
    RECONCILE_CONCURRENCY: 'slots worked on at once; default 16',
    MAX_ARCHIVED_PHASERUNS: 'archived PhaseRuns with a TTL that may stay; default 5000',
    AUDIT_RETENTION_DAYS: 'how long sealed audit events are kept; default 365',
    WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'whether webhooks may use http and private addresses; default false',
    WEBHOOK_CONCURRENCY: 'deliveries under way at once; default 16',
    WEBHOOK_LOG_RETENTION_DAYS: 'how long finished deliveries stay in the log; default 30',
  },
});
