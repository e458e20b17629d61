/**
 * RFC 3339 §5.6 as every store of ours keeps it: upper case, no leap second, 1970 to 2999, offsets that are
 * in use. RE2, since the Kubernetes API server checks it too; that the day exists is not in it.
 */
export const TIMESTAMP_PATTERN =
  /^(19[7-9][0-9]|2[0-9]{3})-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])$/;

/** Reads an RFC 3339 time and gives it in UTC, to the millisecond: `2026-02-11T09:14:03.220Z`. Undefined for what is none. */
export function parseTimestamp(text: string): string | undefined {
  if (!TIMESTAMP_PATTERN.test(text) || !isCalendarDay(text.slice(0, 10))) return undefined;
  const time = new Date(text);
  return time.getTime() < 0 ? undefined : time.toISOString();
}

/** Date takes 31 February for 3 March. */
function isCalendarDay(day: string): boolean {
  const midnight = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day);
}
