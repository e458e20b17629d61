import { Command } from 'commander';
import { loadConfig } from '../config.ts';
import { startApi } from './api-process.ts';
import { helpFooter } from './arguments.ts';
import { TRACE_ENVIRONMENT } from './trace-environment.ts';
import { serveUntilSignalled } from './serve.ts';
import { DATABASE_ENVIRONMENT } from './with-database.ts';
import { KUBERNETES_ENVIRONMENT } from './with-kubernetes.ts';

/** `api`: serves HTTP, until it is told to stop. */
export function apiCommand(): Command {
  return new Command('api')
    .summary('run the HTTP API')
    .description(
      'Serves the API that runners store to and retrieve from; any number of replicas. It starts whatever is down around ' +
        'it, says so in /health, and answers 503 to what needs it.',
    )
    .addHelpText('after', HELP)
    .action(() => serveUntilSignalled(() => startApi(loadConfig())));
}

const HELP = helpFooter({
  examples: ['phaserun api', 'PORT=9000 LOG_LEVEL=debug phaserun api'],
  environment: {
    ...DATABASE_ENVIRONMENT,
    ...KUBERNETES_ENVIRONMENT,
    ...TRACE_ENVIRONMENT,
    PORT: 'port to serve on; default 8088',
    POD_NAMESPACE: 'namespace for runs of customers with no namespace of their own; default phaserun-system',
    OIDC_ISSUER_URL:
      'OpenID provider whose tokens (JWT) are believed; its claim customer_id names the customer',
    OIDC_AUDIENCE: 'what those tokens have as aud',
    OIDC_JWKS_URL: 'where its keys are; default: where its discovery document says',
    OIDC_ISSUERS_FILE:
      'YAML or JSON with any number of issuers, GitHub Actions among them; see docs/callers.md',
    AUDIT_READS: 'whether successful reads are noted for the audit; default true',
    WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'whether webhooks may name http and private addresses; default false',
    DATABASE_POOL_MAX: 'connections to Postgres; default 5',
    REDIS_URL: 'Redis to share limits and answers kept for retries between replicas; default: none',
    IDEMPOTENCY_ENABLED: 'whether an Idempotency-Key is heeded; default true',
    IDEMPOTENCY_TTL_SECONDS: 'how long what was answered under a key is kept; default 86400',
    RATE_LIMIT_PER_HOUR: 'requests that a customer may make in an hour; 0: any number; default 20000',
    AUTH_FAILURES_PER_MINUTE: 'bad credentials from one address before 429; 0: any number; default 300',
    MAX_REQUESTS_IN_FLIGHT: 'requests at once before others are turned away with 503; default 1000',
    MAX_EVENT_LOOP_DELAY_MS: 'lateness of the event loop, over a second, that does the same; default 3000',
  },
});
