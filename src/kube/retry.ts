import { KubeError } from './kube-error.ts';

/**
 * Answers after which the same call may succeed later: no answer at all, credentials that are being rotated, a server that is
 * overloaded or failing. Everything else is about the request or its object, and stays as it is.
 * Statuses: k8s.io/apimachinery/pkg/apis/meta/v1, StatusReason.
 */
const UNAVAILABLE: ReadonlySet<number> = new Set([0, 401, 408, 429, 500, 502, 503, 504]);

/** The API server looked at the object and refused it for what it is. All else may pass: no rights, no CRD, no namespace (yet). */
const REFUSED: ReadonlySet<number> = new Set([400, 413, 422]);

/** Whether the same call will be refused for ever, for the content of its object. */
export function isRefusal(error: unknown): boolean {
  return error instanceof KubeError && REFUSED.has(error.status);
}

/** Whether the same call may succeed later without any change of its own. */
export function isUnavailable(error: unknown): error is KubeError {
  return error instanceof KubeError && UNAVAILABLE.has(error.status);
}
