import { describe, expect, it } from 'vitest';
import { PlatformRefusedError, PlatformUnreachableError } from './client-errors.ts';
import { parseRetryAfter, Retrying, waitBeforeRetry } from './retry.ts';

const policy = { attempts: 3, baseMs: 1, capMs: 2, totalMs: 60_000 };

describe('Retrying', () => {
  it.each<{ name: string; error: Error; attempts: number }>([
    { name: 'a passing failure', error: unreachable({ retryable: true }), attempts: 3 },
    { name: 'an answer that is not the platform’s', error: unreachable({ retryable: false }), attempts: 1 },
    { name: 'a refusal', error: new PlatformRefusedError(400, {}), attempts: 1 },
    {
      name: 'a Retry-After past the deadline',
      error: unreachable({ retryable: true, retryAfterMs: 61_000 }),
      attempts: 1,
    },
  ])('makes $attempts attempt(s) at $name, and throws it', async ({ error, attempts }) => {
    let made = 0;
    const request = () => {
      made += 1;
      return Promise.reject(error);
    };
    await expect(new Retrying(policy).run(request)).rejects.toBe(error);
    expect(made).toBe(attempts);
  });

  it('returns the first success', async () => {
    const answers = [() => Promise.reject(unreachable({ retryable: true })), () => Promise.resolve('kept')];
    await expect(new Retrying(policy).run(() => answers.shift()!())).resolves.toBe('kept');
  });
});

describe('waitBeforeRetry', () => {
  it.each([
    { name: 'first, shortest', attempt: 1, random: 0, want: 250 },
    { name: 'first, longest', attempt: 1, random: 1, want: 500 },
    { name: 'third, longest', attempt: 3, random: 1, want: 2000 },
    { name: 'capped', attempt: 20, random: 1, want: 10_000 },
    { name: 'never sooner than the server asks', attempt: 1, retryAfterMs: 3000, random: 0, want: 3000 },
    { name: 'spread after what the server asks', attempt: 1, retryAfterMs: 3000, random: 1, want: 3500 },
  ])('$name: $want ms', ({ attempt, retryAfterMs, random, want }) => {
    expect(waitBeforeRetry(attempt, retryAfterMs, { baseMs: 500, capMs: 10_000 }, () => random)).toBe(want);
  });
});

describe('parseRetryAfter', () => {
  const now = Date.parse('2026-03-01T10:00:00Z');
  it.each([
    { header: '7', want: 7000 },
    { header: ' 0 ', want: 0 },
    { header: 'Sun, 01 Mar 2026 10:00:30 GMT', want: 30_000 },
    { header: 'Sun, 01 Mar 2026 09:00:00 GMT', want: 0 },
    { header: 'soon', want: undefined },
    { header: '', want: undefined },
    { header: null, want: undefined },
  ])('reads $header as $want', ({ header, want }) => {
    expect(parseRetryAfter(header, now)).toBe(want);
  });
});

function unreachable(options: { retryable: boolean; retryAfterMs?: number }): PlatformUnreachableError {
  return new PlatformUnreachableError('no answer', options);
}
