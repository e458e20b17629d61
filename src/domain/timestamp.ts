// RFC 3339 §5.6, upper case and without leap seconds, which no runner sends and few stores keep.
const RFC3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;

/**
 * Reads an RFC 3339 time and gives it in UTC, to the millisecond: `2026-02-11T09:14:03.220Z`. Undefined for what
 * is none, and for years that Postgres or Kubernetes would not keep (before 1, after 9999).
 */
export function parseTimestamp(text: string): string | undefined {
  if (!RFC3339.test(text) || !isCalendarDay(text)) return undefined;
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return undefined;
  const year = time.getUTCFullYear();
  return year >= 1 && year <= 9999 ? time.toISOString() : undefined;
}

/** Date takes 31 February for 3 March. */
function isCalendarDay(text: string): boolean {
  const day = new Date(`${text.slice(0, 10)}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text.slice(0, 10));
}
