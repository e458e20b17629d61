/**
 * Judges a history by what is there at the end: every fault healed, every PhaseRun settled, nothing on its way.
 *
 * A store is an interval: from when its runner began to when it was first acknowledged, with 200 or 202. One that never
 * was may have taken effect at any time after it began, or never; its interval has no end. That is all that runners know,
 * and so all that is judged by; what order the servers meant to keep plays no part. One store is *before* another when it
 * was acknowledged before the other began. (The published client keeps what it cannot deliver, and delivers it before it
 * sends anything else: there every store is before the next.) Each payload names its store, so that rows can be told apart;
 * stores that repeat the one before have the digest in common, and are one class.
 *
 * - Kept: every acknowledgement names a row with the very digest: by its id, or by that of a run which was found to repeat
 *   a row. A running result may have been moved on by a later one of its pipeline run. The data has the digest that the
 *   row says.
 * - Once: of each digest there are no more rows than stores, and no row holds what nobody stored. Retries under one
 *   Idempotency-Key, and every further delivery of it, are one store. No step of a session, no insertion in the audit and no
 *   webhook event twice, and none missing for a row that is there.
 * - In order: of two rows whose stores were one before the other, the later store's row has the greater order.
 * - Newest: what a reader sees was stored by a store that is not before another acknowledged one of other content. At the
 *   end that counts all acknowledged stores; for a read under way those that were answered 200 before it began (read your
 *   writes). A store without acknowledgement is never too old to be seen.
 * - Sessions lead from state to state without a gap, end in the state that they have, and every row has one.
 *
 * The exception of design.md: after opposite outages in a row (first the cluster, then Postgres, or the reverse, with
 * nothing drained between) there is no common clock. Stores within such a span are not compared with each other.
 */
import type { Evidence, Row } from './evidence.ts';
import { acknowledgedAt, type History, type Series, type Store, type Violation } from './history.ts';

export interface Verdict {
  readonly violations: readonly Violation[];
  /** Stores that were acknowledged at least once. */
  readonly acknowledged: number;
  readonly rows: number;
}

/** @param evidenceOf by customer id */
export function judge(history: History, evidenceOf: ReadonlyMap<string, Evidence>): Verdict {
  const violations: Violation[] = [...history.violations];
  const bySeries = Map.groupBy(history.stores, ({ series }) => series);
  let rows = 0;
  for (const [customerId, evidence] of evidenceOf) {
    rows += evidence.rows.length;
    const ofCustomer = [...bySeries].filter(([series]) => series.tenant.customerId === customerId);
    const rowsOf = Map.groupBy(evidence.rows, placeOfRow);
    for (const [series, stores] of ofCustomer) {
      const judged = { series, stores, rows: rowsOf.get(placeOf(series)) ?? [], evidence, history };
      for (const check of [findLost, findDoubled, findMisplaced, findStale]) {
        violations.push(...check(judged).map((found) => ({ ...found, series: series.name })));
      }
    }
    violations.push(...checkRecords(evidence));
  }
  return { violations, rows, acknowledged: history.stores.filter(({ acks }) => acks.length > 0).length };
}

interface Judged {
  readonly series: Series;
  readonly stores: readonly Store[];
  /** In their order. */
  readonly rows: readonly Row[];
  readonly evidence: Evidence;
  readonly history: History;
}

function placeOf({ phase, repo, issueNumber, commitSha }: Series): string {
  return `${phase} ${repo} ${issueNumber ?? commitSha}`;
}

function placeOfRow({ phase, repo, issueNumber, commitSha }: Row): string {
  return `${phase} ${repo} ${issueNumber ?? commitSha}`;
}

/** Kept. */
function findLost({ stores, rows, evidence }: Judged): Violation[] {
  const byId = new Map(rows.map((row) => [row.id, row]));
  const digests = Map.groupBy(rows, ({ sha256 }) => sha256);
  const found: Violation[] = [];
  for (const store of stores) {
    const isGood = (sha256: string) =>
      stores.some((other) => other.sha256 === sha256 && (other === store || isOfOneRun(other, store)));
    for (const { id, persisted, at } of store.acks) {
      const row =
        id === undefined
          ? digests.get(store.sha256)?.[0]
          : (byId.get(id) ?? byId.get(evidence.repeats.get(id) ?? ''));
      const told = `${store.id} was acknowledged with ${persisted ? 200 : 202} as ${id ?? 'delivered'} at ${inSeconds(at)}`;
      if (row === undefined) found.push({ kind: 'lost', message: `${told}; there is no such row` });
      else if (!isGood(row.sha256))
        found.push({
          kind: 'lost',
          message: `${told}; row ${row.id} holds ${row.sha256.slice(0, 12)}, not ${store.sha256.slice(0, 12)}`,
        });
    }
  }
  const altered = rows.filter(({ id }) => evidence.altered.includes(id));
  return [
    ...found,
    ...altered.map(({ id }) => ({
      kind: 'altered',
      message: `row ${id} has other data than its digest says`,
    })),
  ];
}

/** A running result may be moved on by what its pipeline run stored afterwards. */
function isOfOneRun(one: Store, other: Store): boolean {
  return one.pipelineRunId !== undefined && one.pipelineRunId === other.pipelineRunId;
}

/** Once. */
function findDoubled({ stores, rows }: Judged): Violation[] {
  const storesOf = Map.groupBy(stores, ({ sha256 }) => sha256);
  const found: Violation[] = [];
  for (const [sha256, twins] of Map.groupBy(rows, (row) => row.sha256)) {
    const wanted = storesOf.get(sha256) ?? [];
    const ids = twins.map(({ id }) => id).join(', ');
    if (wanted.length === 0) found.push({ kind: 'unknown', message: `nobody stored what row ${ids} holds` });
    else if (twins.length > wanted.length)
      found.push({
        kind: 'doubled',
        message: `${wanted.map(describe).join(' and ')} became ${twins.length} rows: ${ids}`,
      });
  }
  return found;
}

/** In order: each row against the greatest order of all that was acknowledged before its store began. */
function findMisplaced(judged: Judged): Violation[] {
  const { stores, rows } = judged;
  const only = new Map(
    [...Map.groupBy(stores, ({ sha256 }) => sha256)]
      .filter(([, alike]) => alike.length === 1)
      .map(([sha, [one]]) => [sha, one]),
  );
  const placed = rows.flatMap((row) => {
    const store = only.get(row.sha256);
    return store === undefined ? [] : [{ row, store }];
  });
  const found: Violation[] = [];
  for (const later of placed) {
    const passed = placed.find(
      (earlier) => earlier.row.order > later.row.order && isBefore(judged, earlier.store, later.store),
    );
    if (passed !== undefined)
      found.push({
        kind: 'order',
        message: `${describe(later.store)} has order ${later.row.order}, and ${describe(passed.store)}, which was acknowledged before it began, ${passed.row.order}`,
      });
  }
  return found;
}

/** Newest, at the end and for every read. */
function findStale(judged: Judged): Violation[] {
  const { series, rows, stores, history } = judged;
  const newest = rows.findLast(({ status }) => status === 'completed');
  const completed = stores.filter(({ status }) => status === 'completed');
  const atEnd = completed.filter(({ acks }) => acks.length > 0);
  const last = findNewer(judged, newest?.sha256, completed, atEnd);
  const found: Violation[] =
    last === undefined
      ? []
      : [
          {
            kind: 'newest',
            message: `the newest row is ${newest?.id} (${nameOf(completed, newest?.sha256)}), and ${describe(last)} came after it`,
          },
        ];
  for (const { begunAt, by, sha256 } of history.reads.filter((read) => read.series === series)) {
    const answered = completed.filter(({ acks }) =>
      acks.some(({ persisted, at }) => persisted && at < begunAt),
    );
    const missed = findNewer(judged, sha256, completed, answered);
    if (missed !== undefined)
      found.push({
        kind: 'read',
        message: `${by} read ${nameOf(completed, sha256)} at ${inSeconds(begunAt)}, and ${describe(missed)} came after it`,
      });
  }
  return found;
}

/** A store that must be seen rather than what was seen. */
function findNewer(
  judged: Judged,
  seen: string | undefined,
  stores: readonly Store[],
  counting: readonly Store[],
): Store | undefined {
  const candidates = stores.filter(({ sha256 }) => sha256 === seen);
  if (candidates.length === 0) return counting.at(-1);
  const overtakers = candidates.map((candidate) =>
    counting.find((other) => other.sha256 !== seen && isBefore(judged, candidate, other)),
  );
  return overtakers.includes(undefined) ? undefined : overtakers[0];
}

function isBefore({ series, stores, history }: Judged, one: Store, other: Store): boolean {
  if (series.writing === 'calls' && one.acks.length > 0) return stores.indexOf(one) < stores.indexOf(other);
  const isExempt = history.exempt.some(
    ({ from, to }) => acknowledgedAt(one) >= from && one.begunAt <= to && other.begunAt <= to,
  );
  return !isExempt && acknowledgedAt(one) < other.begunAt;
}

/** Sessions, audit and outbox of a tenant. */
function checkRecords({ rows, sessions, insertions, events, auditBreak }: Evidence): Violation[] {
  const found: Violation[] = [];
  const say = (kind: string, message: string) => found.push({ kind, message });
  for (const { id, status, steps, runs } of sessions) {
    const gap = steps.find(({ from }, index) => from !== (steps[index - 1]?.to ?? null));
    if (gap !== undefined)
      say('session', `session ${id} stepped from ${gap.from} to ${gap.to}, where it was not`);
    if (steps.at(-1)?.to !== status)
      say('session', `session ${id} is ${status} after stepping to ${steps.at(-1)?.to}`);
    if (runs === 0) say('session', `session ${id} has no run`);
  }
  const inserted = new Map(insertions.map(({ what, n }) => [what, n]));
  const told = new Map(events.map(({ what, n }) => [what, n]));
  for (const { id, status, sessionId } of rows) {
    if (sessionId === null) say('session', `row ${id} has no session`);
    if (inserted.get(id) !== 1)
      say('audit', `row ${id} was audited ${inserted.get(id) ?? 0} times as inserted`);
    if (status === 'completed' && told.get(`phase.completed ${id}`) !== 1)
      say('webhook', `row ${id} was told of ${told.get(`phase.completed ${id}`) ?? 0} times`);
  }
  for (const { what, n } of events) if (n > 1) say('webhook', `${what} is in the outbox ${n} times`);
  for (const { id, status } of sessions) {
    const isOver = status === 'completed' || status === 'failed' || status === 'expired';
    if (isOver && !told.has(`session.${status} ${id}`))
      say('webhook', `nobody was told that session ${id} is ${status}`);
  }
  const ids = new Set(rows.map(({ id }) => id));
  for (const { what } of insertions)
    if (!ids.has(what)) say('audit', `run ${what} was audited as inserted, and is not there`);
  if (auditBreak !== undefined) say('audit', `the chain is broken: ${auditBreak}`);
  return found;
}

function describe({ id, begunAt, acks, tries }: Store): string {
  const end = acks[0] === undefined ? 'never acknowledged' : `acknowledged at ${inSeconds(acks[0].at)}`;
  return `${id} (begun at ${inSeconds(begunAt)}, ${end}, ${tries} tries)`;
}

function nameOf(stores: readonly Store[], sha256: string | undefined): string {
  return (
    stores.find((store) => store.sha256 === sha256)?.id ??
    (sha256 === undefined ? 'nothing' : 'something unknown')
  );
}

function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
