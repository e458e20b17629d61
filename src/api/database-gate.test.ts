import { afterEach, expect, test, vi } from 'vitest';
import { DatabaseError } from '../store/errors.ts';
import { DatabaseAwayError, DatabaseGate } from './database-gate.ts';

const gates: DatabaseGate[] = [];
afterEach(() => {
  for (const gate of gates.splice(0)) gate.close();
});

function gateOver(probe: () => Promise<unknown>): DatabaseGate {
  const gate = new DatabaseGate({ probe, everyMs: 60_000, everyMsWhileAway: 20 });
  gates.push(gate);
  return gate;
}

const never = () => new Promise<never>(() => undefined);
const failing = (sqlstate?: string) => () =>
  Promise.reject(new DatabaseError('unavailable', sqlstate, undefined));

test.each([
  { name: 'no server answers', sqlstate: undefined, away: true },
  { name: 'the server is starting', sqlstate: '57P03', away: true },
  { name: 'it is a standby', sqlstate: '25006', away: true },
  { name: 'it is full', sqlstate: '53100', away: true },
  { name: 'the statement was cancelled', sqlstate: '57014', away: false },
  { name: 'a table is missing', sqlstate: '42P01', away: false },
  { name: 'a privilege is missing', sqlstate: '42501', away: false },
])('that $name means away: $away', async ({ sqlstate, away }) => {
  const gate = gateOver(failing());
  const failure: unknown = await gate.ask(1_000, failing(sqlstate)).catch((error: unknown) => error);
  expect([failure instanceof DatabaseAwayError, gate.isAway]).toEqual([away, away]);
});

test('once the database was silent nobody waits for it or asks it, until a probe is answered', async () => {
  let isBack = false;
  const probe = vi.fn(() =>
    isBack ? Promise.resolve() : Promise.reject(new DatabaseError('unavailable', undefined, 0)),
  );
  const gate = gateOver(probe);
  await expect(gate.ask(20, never)).rejects.toThrow(DatabaseAwayError);
  const question = vi.fn(never);
  await expect(gate.ask(60_000, question)).rejects.toThrow(DatabaseAwayError);
  expect(question).not.toHaveBeenCalled();
  await vi.waitFor(() => expect(probe.mock.calls.length).toBeGreaterThan(1), 10_000);
  expect(gate.isAway).toBe(true);
  isBack = true;
  await vi.waitFor(() => expect(gate.isAway).toBe(false), 10_000);
  expect(await gate.ask(1_000, () => Promise.resolve('answer'))).toBe('answer');
});
