import { KubeError } from '../kube/kube-error.ts';
import { isRefusal } from '../kube/retry.ts';
import { DatabaseError, type DatabaseErrorKind } from '../store/errors.ts';
import { DatabaseAwayError } from './database-gate.ts';
import { ProblemError } from './problem.ts';

/** Seconds a client should wait before it asks again, where the store that failed did not say. */
const RETRY_AFTER_SECONDS = 5;
/** Room in the inbox is made by an outage that ends. */
const INBOX_RETRY_SECONDS = 15;

/** The problem behind a call to Postgres or Kubernetes that failed; undefined for what is ours to repair. */
export function faultOf(error: unknown): ProblemError | undefined {
  if (error instanceof DatabaseAwayError) return databaseUnavailable(error);
  if (error instanceof DatabaseError) return DATABASE_FAULTS[error.kind]?.(error);
  if (error instanceof KubeError)
    return isRefusal(error) ? phaseRunRefused(error) : kubernetesUnavailable(error);
  return undefined;
}

const DATABASE_FAULTS: Readonly<Partial<Record<DatabaseErrorKind, (cause: DatabaseError) => ProblemError>>> =
  {
    unavailable: (cause) => databaseUnavailable(cause),
    conflict: (cause) => databaseUnavailable(cause),
    content: (cause) => new ProblemError('RUN_REJECTED', 'The database refuses this content', { cause }),
  };

/** The answer while the database is unset or out of reach. */
export function databaseUnavailable(
  cause?: unknown,
  detail = 'The database cannot be reached; try again later',
): ProblemError {
  return new ProblemError('DATABASE_UNAVAILABLE', detail, {
    cause,
    headers: retryAfter(),
  });
}

/** The answer while more is not archived than may be. */
export function backlogFull(detail: string): ProblemError {
  return new ProblemError('BACKLOG_FULL', detail, { headers: retryAfter() });
}

/** The answer while Kubernetes is unset or out of reach. */
export function kubernetesUnavailable(cause?: KubeError): ProblemError {
  const detail = 'The Kubernetes API cannot take the run now; try again later';
  return new ProblemError('KUBERNETES_UNAVAILABLE', detail, {
    cause,
    headers: retryAfter(cause?.retryAfterSeconds),
  });
}

/** The answer while Kubernetes is out of reach, and as much waits for it as may. */
export function inboxFull(): ProblemError {
  const detail = 'Kubernetes cannot be reached, and too many results wait for it already; try again later';
  return new ProblemError('KUBERNETES_UNAVAILABLE', detail, { headers: retryAfter(INBOX_RETRY_SECONDS) });
}

function phaseRunRefused(cause: KubeError): ProblemError {
  return new ProblemError('RUN_REJECTED', `Kubernetes refuses this run: ${cause.message}`, { cause });
}

function retryAfter(seconds = RETRY_AFTER_SECONDS): Record<string, string> {
  return { 'retry-after': String(Math.max(1, seconds)) };
}
