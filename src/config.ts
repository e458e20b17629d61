import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import {
  FOREVER,
  findContradictions,
  parseRetentionDays,
  RETENTION_DAYS_RULE,
  type RetentionSettings,
} from './domain/retention.ts';

/** Raised when an environment variable cannot be used; the message names the variable and the fix. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const flag = z
  .enum(['true', 'false'], { error: 'must be true or false' })
  .transform((value) => value === 'true');

function integer(low: number, high: number) {
  return z
    .string()
    .regex(/^\d{1,10}$/, 'must be a whole number')
    .transform(Number)
    .refine((value) => value >= low && value <= high, `must lie between ${low} and ${high}`);
}

function url(protocols: readonly string[]) {
  return z.string().refine((value) => protocols.includes(URL.parse(value)?.protocol ?? ''), {
    error: `must be a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
  });
}

const ratio = z
  .string()
  .regex(/^(0(\.\d+)?|1(\.0+)?)$/, 'must be a number from 0 to 1')
  .transform(Number);

const dnsLabel = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'must be a Kubernetes namespace name');

const retentionDays = z.string().transform((text, context) => {
  const days = parseRetentionDays(text);
  if (days !== undefined) return days;
  context.addIssue({ code: 'custom', message: RETENTION_DAYS_RULE });
  return z.NEVER;
});

/** Every variable the program reads, apart from those of the published client (`src/client/environment.ts`). */
const environment = z.object({
  DATABASE_URL: url(['postgres:', 'postgresql:']).optional(),
  DATABASE_POOL_MAX: integer(1, 1000).default(5),
  DATABASE_READER_ROLE: z
    .string()
    .regex(/^(?!pg_)[a-z_][a-z0-9_]{0,62}$/, 'must be a name of lower-case letters, digits and _, and no pg_')
    .default('phaserun_reader'),
  DATABASE_READER_PASSWORD: z
    .string()
    .regex(/^[!-~]{8,128}$/, 'must have 8 to 128 printable characters of ASCII')
    .optional(),
  REDIS_URL: url(['redis:', 'rediss:']).optional(),
  KUBECONFIG: z.string().optional(),
  POD_NAMESPACE: dnsLabel.optional(),
  POD_NAME: z.string().optional(),
  OIDC_ISSUER_URL: url(['http:', 'https:']).optional(),
  OIDC_AUDIENCE: z.string().optional(),
  OIDC_JWKS_URL: url(['http:', 'https:']).optional(),
  OIDC_ISSUERS_FILE: z.string().optional(),
  HOST: z.string().default('0.0.0.0'),
  PORT: integer(0, 65_535).optional(),
  CONTROLLER_PORT: integer(0, 65_535).optional(),
  METRICS_PORT: integer(0, 65_535).default(8089),
  ENABLE_PROMETHEUS_METRICS: flag.default(true),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  SESSION_RETENTION_DAYS: integer(1, 3650).default(7),
  EXECUTION_RETENTION_DAYS: retentionDays.default(365),
  PAYLOAD_RETENTION_DAYS: retentionDays.default(FOREVER),
  CLOSED_SESSION_RETENTION_DAYS: retentionDays.default(365),
  TASK_RETENTION_DAYS: retentionDays.default(365),
  APPROVAL_RETENTION_DAYS: retentionDays.default(365),
  QUARANTINE_RETENTION_DAYS: retentionDays.default(365),
  TOMBSTONE_RETENTION_DAYS: retentionDays.default(365),
  MAX_UNARCHIVED_PHASERUNS: integer(1, 1_000_000).default(5000),
  MAX_UNARCHIVED_BYTES: integer(1, 9_999_999_999).default(268_435_456),
  MAX_ARCHIVED_PHASERUNS: integer(0, 1_000_000).default(5000),
  RECONCILE_CONCURRENCY: integer(1, 256).default(16),
  MAX_INBOX_RUNS: integer(0, 1_000_000).default(5_000),
  MAX_INBOX_BYTES: integer(0, 2_147_483_647).default(268_435_456),
  IDEMPOTENCY_ENABLED: flag.default(true),
  IDEMPOTENCY_TTL_SECONDS: integer(1, 31_536_000).default(86_400),
  RATE_LIMIT_PER_HOUR: integer(0, 1_000_000_000).default(20_000),
  AUTH_FAILURES_PER_MINUTE: integer(0, 1_000_000).default(300),
  MAX_REQUESTS_IN_FLIGHT: integer(1, 1_000_000).default(1_000),
  MAX_EVENT_LOOP_DELAY_MS: integer(10, 600_000).default(3_000),
  CONTROLLER_URL: url(['http:', 'https:']).default('http://localhost:8088'),
  MESH_JWT_TOKEN: z.string().trim().optional(),
  MESH_TIMEOUT_SECS: integer(1, 3_600).default(30),
  MESH_RETRY_COUNT: integer(0, 100).default(3),
  AUDIT_READS: flag.default(true),
  AUDIT_RETENTION_DAYS: integer(1, 36_500).default(365),
  WEBHOOK_ALLOW_PRIVATE_ADDRESSES: flag.default(false),
  WEBHOOK_CONCURRENCY: integer(1, 256).default(16),
  WEBHOOK_LOG_RETENTION_DAYS: integer(1, 3650).default(30),
  OTEL_EXPORTER_OTLP_ENDPOINT: url(['http:', 'https:']).optional(),
  OTEL_TRACES_SAMPLER_ARG: ratio.default(1),
  KUBEBUILDER_ASSETS: z.string().optional(),
  XDG_CACHE_HOME: z.string().optional(),
});

/** The names of those variables. */
export const VARIABLES: readonly string[] = Object.keys(environment.shape);

/** An OpenID provider whose tokens are believed. */
export interface OidcSettings {
  /** What `iss` has to be. */
  readonly issuer: string;
  /** What `aud` has to hold. */
  readonly audience: string;
  /** Where its keys are; undefined: where its discovery document says. */
  readonly jwksUrl: string | undefined;
}

/** How much an API replica takes on; of the rates 0 is no limit. */
export interface LimitSettings {
  /** Requests of one customer, over all replicas where there is a Redis, else over each. */
  readonly requestsPerHour: number;
  /** Credentials from one address that are not good. */
  readonly authFailuresPerMinute: number;
  readonly requestsInFlight: number;
  /** Mean lateness of the event loop over a second. */
  readonly eventLoopDelayMs: number;
}

/** How events are told to customers. */
export interface WebhookSettings {
  /** Whether plain http will do, and addresses that are not on the public internet. */
  readonly allowPrivateAddresses: boolean;
  /** Deliveries under way at once. */
  readonly concurrency: number;
  /** How long deliveries stay in the log once they have ended. */
  readonly retentionDays: number;
}

/** Where spans go. */
export interface TraceSettings {
  /** Base URL of an OTLP/HTTP receiver; undefined: nowhere. */
  readonly endpoint: string | undefined;
  /** How many of the traces that begin here are sent, 0 … 1. */
  readonly ratio: number;
}

/** Typed settings of a process. */
export interface Config {
  readonly databaseUrl: string | undefined;
  readonly databasePoolMax: number;
  /** A login for dashboards, which `migrate` makes; undefined: it leaves roles alone. */
  readonly readerRole: { readonly name: string; readonly password: string } | undefined;
  readonly redisUrl: string | undefined;
  /** Path of a kubeconfig; undefined: in-cluster credentials, else `~/.kube/config`. */
  readonly kubeconfig: string | undefined;
  /** Namespace that this process lives in: holds the Lease, and PhaseRuns of customers with no namespace of their own. */
  readonly namespace: string;
  /** Names this process among its replicas. */
  readonly podName: string | undefined;
  /** The one token issuer that needs no file. */
  readonly oidc: OidcSettings | undefined;
  /** Path of a file with any number of token issuers. */
  readonly oidcIssuersFile: string | undefined;
  readonly host: string;
  readonly port: number;
  /** Port of the controller's metrics and probes. */
  readonly metricsPort: number;
  readonly prometheusMetrics: boolean;
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
  readonly sessionRetentionDays: number;
  /** How long what grows is kept. */
  readonly retention: RetentionSettings;
  /** PhaseRuns that may wait to become rows, over all replicas, and the bytes of payload that they may carry. */
  readonly unarchived: { readonly maxRuns: number; readonly maxBytes: number };
  /** Archived PhaseRuns with a TTL that may stay in the cluster; the oldest go first. */
  readonly maxArchivedPhaseRuns: number;
  readonly reconcileConcurrency: number;
  /** Results that are kept in Postgres while Kubernetes is away, over all replicas. */
  readonly inbox: { readonly runs: number; readonly bytes: number };
  /** Whether an Idempotency-Key is heeded, and how long what was answered under it is kept. */
  readonly idempotency: { readonly enabled: boolean; readonly ttlSeconds: number };
  readonly limits: LimitSettings;
  /** How the MCP tools reach the API. */
  readonly mesh: { readonly controllerUrl: string; readonly timeoutMs: number; readonly retries: number };
  /** API key or JWT of the MCP tools. */
  readonly meshToken: string | undefined;
  /** Whether successful reads are noted for the audit, as failures, denials and writes always are. */
  readonly auditReads: boolean;
  readonly auditRetentionDays: number;
  readonly webhooks: WebhookSettings;
  readonly traces: TraceSettings;
  /** Folder with kube-apiserver and etcd, for `dev`. */
  readonly kubebuilderAssets: string | undefined;
  /** Where downloads and builds are kept from run to run. */
  readonly cacheDirectory: string;
}

/**
 * Reads the settings from the environment. An empty variable counts as unset, as in a chart's `value: ""`.
 * @throws {ConfigError} naming every variable that cannot be used.
 */
export function loadConfig(variables: Readonly<Record<string, string | undefined>> = process.env): Config {
  const present = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== ''));
  const parsed = environment.safeParse(present);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);
    throw new ConfigError(`The environment cannot be used: ${problems.join('; ')}`);
  }
  const env = parsed.data;
  return {
    databaseUrl: env.DATABASE_URL,
    databasePoolMax: env.DATABASE_POOL_MAX,
    readerRole:
      env.DATABASE_READER_PASSWORD === undefined
        ? undefined
        : { name: env.DATABASE_READER_ROLE, password: env.DATABASE_READER_PASSWORD },
    redisUrl: env.REDIS_URL,
    kubeconfig: env.KUBECONFIG,
    namespace: env.POD_NAMESPACE ?? 'phaserun-system',
    podName: env.POD_NAME,
    oidc: readOidc(env),
    oidcIssuersFile: env.OIDC_ISSUERS_FILE,
    host: env.HOST,
    port: env.PORT ?? env.CONTROLLER_PORT ?? 8088,
    metricsPort: env.METRICS_PORT,
    prometheusMetrics: env.ENABLE_PROMETHEUS_METRICS,
    logLevel: env.LOG_LEVEL,
    sessionRetentionDays: env.SESSION_RETENTION_DAYS,
    retention: readRetention(env),
    unarchived: { maxRuns: env.MAX_UNARCHIVED_PHASERUNS, maxBytes: env.MAX_UNARCHIVED_BYTES },
    maxArchivedPhaseRuns: env.MAX_ARCHIVED_PHASERUNS,
    reconcileConcurrency: env.RECONCILE_CONCURRENCY,
    inbox: { runs: env.MAX_INBOX_RUNS, bytes: env.MAX_INBOX_BYTES },
    idempotency: { enabled: env.IDEMPOTENCY_ENABLED, ttlSeconds: env.IDEMPOTENCY_TTL_SECONDS },
    limits: {
      requestsPerHour: env.RATE_LIMIT_PER_HOUR,
      authFailuresPerMinute: env.AUTH_FAILURES_PER_MINUTE,
      requestsInFlight: env.MAX_REQUESTS_IN_FLIGHT,
      eventLoopDelayMs: env.MAX_EVENT_LOOP_DELAY_MS,
    },
    mesh: {
      controllerUrl: env.CONTROLLER_URL,
      timeoutMs: 1000 * env.MESH_TIMEOUT_SECS,
      retries: env.MESH_RETRY_COUNT,
    },
    meshToken: env.MESH_JWT_TOKEN,
    auditReads: env.AUDIT_READS,
    auditRetentionDays: env.AUDIT_RETENTION_DAYS,
    webhooks: {
      allowPrivateAddresses: env.WEBHOOK_ALLOW_PRIVATE_ADDRESSES,
      concurrency: env.WEBHOOK_CONCURRENCY,
      retentionDays: env.WEBHOOK_LOG_RETENTION_DAYS,
    },
    traces: { endpoint: env.OTEL_EXPORTER_OTLP_ENDPOINT, ratio: env.OTEL_TRACES_SAMPLER_ARG },
    kubebuilderAssets: env.KUBEBUILDER_ASSETS,
    cacheDirectory: env.XDG_CACHE_HOME ?? join(homedir(), '.cache'),
  };
}

/** @throws {ConfigError} when one of the variables goes against another. */
function readRetention(env: z.infer<typeof environment>): RetentionSettings {
  const retention = {
    executionDays: env.EXECUTION_RETENTION_DAYS,
    payloadDays: env.PAYLOAD_RETENTION_DAYS,
    sessionDays: env.CLOSED_SESSION_RETENTION_DAYS,
    taskDays: env.TASK_RETENTION_DAYS,
    approvalDays: env.APPROVAL_RETENTION_DAYS,
    quarantineDays: env.QUARANTINE_RETENTION_DAYS,
    tombstoneDays: env.TOMBSTONE_RETENTION_DAYS,
  };
  const contradictions = findContradictions(retention, {
    sessionRetentionDays: env.SESSION_RETENTION_DAYS,
    idempotencyTtlSeconds: env.IDEMPOTENCY_ENABLED ? env.IDEMPOTENCY_TTL_SECONDS : undefined,
  });
  if (contradictions.length > 0) throw new ConfigError(contradictions.join('. '));
  return retention;
}

/** @throws {ConfigError} when one of the variables is there without the others that it needs. */
function readOidc(env: z.infer<typeof environment>): OidcSettings | undefined {
  const { OIDC_ISSUER_URL: issuer, OIDC_AUDIENCE: audience, OIDC_JWKS_URL: jwksUrl } = env;
  if (issuer !== undefined && audience !== undefined) return { issuer, audience, jwksUrl };
  if (issuer !== undefined)
    throw new ConfigError('OIDC_AUDIENCE is not set: name the audience that tokens of OIDC_ISSUER_URL have');
  if (audience !== undefined || jwksUrl !== undefined)
    throw new ConfigError(
      'OIDC_ISSUER_URL is not set: OIDC_AUDIENCE and OIDC_JWKS_URL say more of that issuer',
    );
  return undefined;
}
