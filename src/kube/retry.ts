import { KubeError } from './kube-error.ts';

/** What a failed call asks for: `reread` the object first, try `later` with backoff, or `never` in this form. */
export type Retry = 'reread' | 'later' | 'never';

interface Rule {
  readonly status: number;
  /** Absent: every reason that no rule above names. */
  readonly reason?: string;
  readonly retry: Retry;
}

/**
 * What to do after which answer; the first rule that fits counts. Statuses that are not named are errors of the
 * request itself: 4xx never, 5xx later.
 * Reasons: k8s.io/apimachinery/pkg/apis/meta/v1, StatusReason.
 */
export const RETRY_RULES: readonly Rule[] = [
  { status: 0, retry: 'later' },
  { status: 401, retry: 'later' },
  { status: 403, retry: 'later' },
  { status: 409, reason: 'AlreadyExists', retry: 'never' },
  { status: 409, retry: 'reread' },
  { status: 410, retry: 'reread' },
  { status: 429, retry: 'later' },
];

/** What `error` asks for; anything that is no KubeError is not ours to retry. */
export function retryOf(error: unknown): Retry {
  if (!(error instanceof KubeError)) return 'never';
  const { status, reason } = error;
  const rule = RETRY_RULES.find((each) => each.status === status && (each.reason ?? reason) === reason);
  if (rule !== undefined) return rule.retry;
  return status >= 500 ? 'later' : 'never';
}

/** Whether the API server is away or overloaded: the same call may succeed later, on whatever object. */
export function isUnavailable(error: unknown): error is KubeError {
  return error instanceof KubeError && (error.status === 0 || error.status === 429 || error.status >= 500);
}
