import { KubeError } from './kube-error.ts';

/**
 * Answers after which the same call may succeed later: no answer at all, credentials that are being rotated, a server that is
 * overloaded or failing. Everything else is about the request or its object, and stays as it is.
 * Statuses: k8s.io/apimachinery/pkg/apis/meta/v1, StatusReason.
 */
const UNAVAILABLE: ReadonlySet<number> = new Set([0, 401, 408, 429, 500, 502, 503, 504]);

/** Whether the same call may succeed later without any change of its own. */
export function isUnavailable(error: unknown): error is KubeError {
  return error instanceof KubeError && UNAVAILABLE.has(error.status);
}
