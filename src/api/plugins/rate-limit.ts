import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Cache } from '../../cache/cache.ts';
import type { Database } from '../../store/database.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { CallerCustomers } from '../caller-customers.ts';
import type { DatabaseGate } from '../database-gate.ts';
import { makeProblem, ProblemError } from '../problem.ts';
import { WindowCounter } from '../window-counter.ts';

/** How much is too much; 0 is no limit. */
export interface RateLimits {
  /** Requests of a customer in an hour, whatever its callers and replicas. */
  readonly requestsPerHour: number;
  /** Credentials from one address that are not good, in a minute. */
  readonly authFailuresPerMinute: number;
}

export interface RateLimitDependencies {
  readonly cache: Cache;
  readonly database: Pick<Database, 'pool'>;
  readonly metrics: Pick<Metrics, 'limits'>;
  readonly limits: RateLimits;
  readonly gate: Pick<DatabaseGate, 'ask'>;
}

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** Refuses what is too much: requests of one customer, and credentials from one address that are not good. */
export function useRateLimits(app: FastifyInstance, deps: RateLimitDependencies): void {
  if (deps.limits.requestsPerHour > 0) limitCustomers(app, deps);
  if (deps.limits.authFailuresPerMinute > 0) limitFailures(app, deps);
}

/**
 * Counts the requests of each customer, before their bodies are read: in Redis when it is there, else in this process
 * alone. Whose a caller is is asked of the database when it first comes.
 */
function limitCustomers(
  app: FastifyInstance,
  { cache, database, metrics, limits, gate }: RateLimitDependencies,
): void {
  const counter = new WindowCounter(HOUR_MS);
  const customers = new CallerCustomers(database.pool, gate);
  const limit = limits.requestsPerHour;

  // The first hook after authentication, which routes have among their own.
  app.addHook('preParsing', async ({ caller }, reply) => {
    const customerId = caller && (customers.recall(caller) ?? (await customers.learn(caller)));
    if (!customerId) return;
    const now = Date.now();
    const window = counter.windowOf(now);
    // Counted here as well, so that the limit holds for each process when Redis goes away.
    const here = counter.count(customerId, now);
    const count = (await cache.count(`ratelimit:${customerId}:${window}`, HOUR_MS)) ?? here;
    const resetSeconds = counter.secondsLeft(now);
    reply.headers(headersOf({ limit, remaining: Math.max(0, limit - count), resetSeconds }));
    if (count <= limit) return;
    metrics.limits.rateLimited.inc({ limit: 'customer' });
    throw tooMany(`This account may make ${limit} requests an hour`, resetSeconds);
  });
}

/**
 * Answers 429 in the place of 401 where an address has failed too often, so that nobody finds out by trying. Whoever has a
 * good key is let in all the same: many callers may share the address of a proxy.
 */
function limitFailures(app: FastifyInstance, { metrics, limits }: RateLimitDependencies): void {
  const failures = new WindowCounter(MINUTE_MS);
  const limit = limits.authFailuresPerMinute;

  app.addHook('onSend', (request, reply, payload, done) => {
    if (reply.statusCode !== 401 || !presentsCredentials(request)) return done(null, payload);
    const now = Date.now();
    if (failures.count(addressOf(request.ip), now) <= limit) return done(null, payload);
    metrics.limits.rateLimited.inc({ limit: 'address' });
    const resetSeconds = failures.secondsLeft(now);
    const problem = tooMany('Too many credentials from this address are not good', resetSeconds);
    reply
      .code(429)
      .removeHeader('www-authenticate')
      .headers({ ...problem.headers, ...headersOf({ limit, remaining: 0, resetSeconds }) });
    done(null, JSON.stringify(makeProblem(problem, request.id)));
  });
}

function presentsCredentials({ headers }: FastifyRequest): boolean {
  return headers['x-api-key'] !== undefined || headers.authorization !== undefined;
}

/** Of IPv6 the network, within which a single host may take any address it likes. */
function addressOf(ip: string): string {
  return ip.includes('.') ? ip : ip.split(':', 4).join(':');
}

interface Standing {
  readonly limit: number;
  readonly remaining: number;
  readonly resetSeconds: number;
}

function headersOf({ limit, remaining, resetSeconds }: Standing): Record<string, string> {
  return {
    'x-ratelimit-limit': String(limit),
    'x-ratelimit-remaining': String(remaining),
    'x-ratelimit-reset': String(resetSeconds),
  };
}

function tooMany(reason: string, resetSeconds: number): ProblemError {
  return new ProblemError('RATE_LIMITED', `${reason}; try again in ${resetSeconds} s`, {
    headers: { 'retry-after': String(resetSeconds) },
  });
}
