import { beforeEach, describe, expect, test } from 'vitest';
import {
  makeArchivedStatus,
  makePhaseRun,
  makeRejectedStatus,
  type PhaseRunChanges,
} from '../../test/fixtures/phase-run.ts';
import { type CachedPhaseRun, leanPhaseRun } from './phase-run-cache.ts';
import { PhaseRunView } from './phase-run-view.ts';

const cached: CachedPhaseRun[] = [];
let view: PhaseRunView;

beforeEach(() => {
  cached.length = 0;
  view = new PhaseRunView({
    list: () => cached,
    byIndex: (index, value) =>
      cached.filter((each) => (index === 'slot' ? each.slot : each.metadata.namespace) === value),
  });
  view.setIncarnation('here');
});

/** Puts a state of an object into the cache, in place of an older one, as the informer does. */
function show(changes: PhaseRunChanges = {}): CachedPhaseRun {
  const phaseRun = leanPhaseRun(makePhaseRun(changes));
  const at = cached.findIndex(({ metadata }) => metadata.uid === phaseRun.metadata.uid);
  cached.splice(at === -1 ? cached.length : at, 1, phaseRun);
  view.observe(phaseRun);
  return phaseRun;
}

const archived = makeArchivedStatus('here');

describe('what was written', () => {
  test('counts until the cache shows it', () => {
    const phaseRun = show();
    expect(view.hasWork(phaseRun)).toBe(true);
    view.markWritten(makePhaseRun(), archived);
    expect(view.hasWork(phaseRun)).toBe(false);
    expect(view.hasWork(show({ status: archived }))).toBe(false);
  });

  test('may be shown before it is known to be written', () => {
    show();
    const after = show({ status: archived });
    view.markWritten(makePhaseRun(), archived);
    expect(view.hasWork(after)).toBe(false);
    // As when somebody takes the receipt away to have the run archived again.
    expect(view.hasWork(show())).toBe(true);
  });

  test('says nothing of a later generation', () => {
    show();
    view.markWritten(makePhaseRun(), archived);
    expect(view.hasWork(show({ metadata: { generation: 2 } }))).toBe(true);
  });

  test('says nothing when it does not settle the run', () => {
    const phaseRun = show();
    view.markWritten(makePhaseRun(), makeRejectedStatus('NamespaceNotBound'));
    expect(view.hasWork(phaseRun)).toBe(true);
    view.markWritten(makePhaseRun(), makeRejectedStatus('InvalidPayload'));
    expect(view.hasWork(phaseRun)).toBe(false);
  });

  test('says nothing when another database gave the receipt', () => {
    const phaseRun = show();
    view.setIncarnation('restored');
    view.markWritten(makePhaseRun(), archived);
    expect(view.hasWork(phaseRun)).toBe(true);
  });

  test('is forgotten with the object', () => {
    const phaseRun = show();
    view.markWritten(makePhaseRun(), archived);
    view.forget(phaseRun);
    expect(view.hasWork(phaseRun)).toBe(true);
  });
});

describe('another database', () => {
  test('leaves every archived run with work, and no rejected one', () => {
    const written = show({ metadata: { uid: 'written' } });
    view.markWritten(makePhaseRun({ metadata: { uid: 'written' } }), archived);
    const shown = show({ metadata: { uid: 'shown' }, status: archived });
    const rejected = show({ metadata: { uid: 'rejected' }, status: makeRejectedStatus('InvalidPayload') });
    expect(view.setIncarnation('here')).toBe(false);
    expect([written, shown, rejected].map((each) => view.hasWork(each))).toEqual([false, false, false]);
    expect(view.setIncarnation('restored')).toBe(true);
    expect([written, shown, rejected].map((each) => view.hasWork(each))).toEqual([true, true, false]);
    expect(view.incarnation).toBe('restored');
  });
});

test('a run whose row is missing has work until it is archived again', () => {
  const phaseRun = show({ status: archived });
  expect(view.hasWork(phaseRun)).toBe(false);
  view.markMissing(phaseRun);
  expect(view.hasWork(phaseRun)).toBe(true);
  view.markWritten(makePhaseRun(), archived);
  expect(view.hasWork(phaseRun)).toBe(false);
});

test('slots with work are those of its runs, all or of one namespace', () => {
  show({ metadata: { uid: 'a' } });
  show({ metadata: { uid: 'b' }, spec: { phase: 'mitigation' } });
  const elsewhere = show({ metadata: { uid: 'c', namespace: 'globex' }, spec: { issueNumber: 7 } });
  show({ metadata: { uid: 'd' }, spec: { issueNumber: 8 }, status: archived });
  const shared = 'github/acme/nodegoat#1204';
  expect(view.slotsWithWork()).toEqual(new Set([shared, elsewhere.slot]));
  expect(view.slotsWithWork('globex')).toEqual(new Set([elsewhere.slot]));
  expect(view.unsettledIn(shared).map(({ metadata }) => metadata.uid)).toEqual(['a', 'b']);
});
