import { describe, expect, test } from 'vitest';
import { makePhaseRun } from '../../test/fixtures/phase-run.ts';
import type { JsonObject } from '../domain/run.ts';
import { RunsAtHand } from './runs-at-hand.ts';

const LIMIT = 100_000;
/** Of which two fit into the limit, and no third. */
const text = 'x'.repeat(40_000);

function makeRun(uid: string, changes: { resourceVersion?: string; data?: JsonObject } = {}) {
  const { resourceVersion = '1', data = { text } } = changes;
  return makePhaseRun({ metadata: { uid, resourceVersion }, result: { status: 'completed', data } });
}

/** Keeps them, and tells which of them are there. */
function keepAll(uids: readonly string[], runs = new RunsAtHand(LIMIT)) {
  for (const uid of uids) runs.keep(makeRun(uid));
  const kept = (uid: string) => runs.take(makeRun(uid).metadata)?.metadata.uid;
  return { runs, kept };
}

test('a run is handed out whole, but for managedFields, and once', () => {
  const runs = new RunsAtHand(LIMIT);
  const phaseRun = makeRun('a');
  runs.keep({ ...phaseRun, metadata: { ...phaseRun.metadata, managedFields: [{}] } });
  expect(runs.take(phaseRun.metadata)).toEqual(phaseRun);
  expect(runs.take(phaseRun.metadata)).toBeUndefined();
});

test('only the version that is asked for is handed out, and the newest is what is kept', () => {
  const runs = new RunsAtHand(LIMIT);
  const [older, newer] = ['1', '2'].map((resourceVersion) => makeRun('a', { resourceVersion }));
  if (older === undefined || newer === undefined) throw new Error('there are two');
  runs.keep(older);
  runs.keep(newer);
  expect(runs.take(older.metadata)).toBeUndefined();
  expect(runs.take(newer.metadata)).toEqual(newer);
});

describe('what does not fit', () => {
  test('is not kept', () => {
    const { kept } = keepAll(['a', 'b', 'c']);
    expect(['a', 'b', 'c'].map(kept)).toEqual(['a', 'b', undefined]);
  });

  test('is kept once another one was taken or dropped, or became smaller', () => {
    const { runs, kept } = keepAll(['a', 'b']);
    expect(kept('a')).toBe('a');
    keepAll(['c'], runs);
    expect(kept('c')).toBe('c');
    runs.keep(makeRun('b', { resourceVersion: '2', data: {} }));
    keepAll(['d', 'e', 'f'], runs);
    runs.drop({ uid: 'd' });
    keepAll(['g'], runs);
    expect(['d', 'e', 'f', 'g'].map(kept)).toEqual([undefined, 'e', undefined, 'g']);
  });

  test('gives way with all its versions: an old one is worth nothing', () => {
    const { runs, kept } = keepAll(['a', 'b']);
    runs.keep(makeRun('a', { resourceVersion: '2', data: { text, more: text } }));
    expect(kept('a')).toBeUndefined();
    keepAll(['c'], runs);
    expect(kept('c')).toBe('c');
  });

  test.each<{ name: string; data: JsonObject }>([
    { name: 'many small members', data: { list: Array.from({ length: 10_000 }, () => 1) } },
    {
      name: 'many keys',
      data: Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`key-${n}`, null])),
    },
    { name: 'depth', data: JSON.parse(`{"deep":${'['.repeat(9_000)}${']'.repeat(9_000)}}`) },
  ])('may be so by $name', ({ data }) => {
    const runs = new RunsAtHand(LIMIT);
    const phaseRun = makeRun('a', { data });
    runs.keep(phaseRun);
    expect(runs.take(phaseRun.metadata)).toBeUndefined();
  });
});
