/** What stands where a secret was. */
export const REDACTED = '[redacted]';

const SECRET_PARAMETER = /pass|secret|token|key|credential/i;

/**
 * A URL fit for logs and messages: its credentials and every query parameter that is named like a secret are
 * replaced. What cannot be parsed is replaced whole, as it may hold anything.
 */
export function redactUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null) return REDACTED;
  if (url.username !== '') url.username = 'redacted';
  if (url.password !== '') url.password = 'redacted';
  for (const name of url.searchParams.keys()) {
    if (SECRET_PARAMETER.test(name)) url.searchParams.set(name, 'redacted');
  }
  return url.toString();
}
