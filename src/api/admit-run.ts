import { randomUUIDv7 } from 'node:crypto';
import { type Digest, digestOf } from '../domain/digest.ts';
import { admitStore, type StoreAdmission } from '../store/admission.ts';
import { findLatePlace } from '../store/late-place.ts';
import { raiseRunOrder } from '../store/slots.ts';
import type { RefusalWithoutDatabase } from '../telemetry/families/store.ts';
import { authoriseRepository, type RepositoryDemand } from './authorise.ts';
import { DatabaseAwayError } from './database-gate.ts';
import type { AcceptedStore } from '../resources/phase-run-draft.ts';
import type { Outage } from './plugins/outage.ts';
import type { StoreCall, StoreRunDependencies } from './store-run.ts';
import { timed } from './store-stage.ts';
import { databaseUnavailable } from './upstream-fault.ts';

/** For the database to admit the store. One that is out of reach says so at once; this is for one that hangs. */
const ADMIT_MS = 3_000;

/** A store whose caller may, with its place in its slot. */
export interface AdmittedStore extends Omit<AcceptedStore, 'namespace'> {
  /** Undefined: this process has not seen the namespaces of the cluster yet. */
  readonly namespace: string | undefined;
  readonly admission: StoreAdmission;
  readonly digest: Digest;
  /** Whether an earlier try with the same id and place may have stored it. */
  readonly isRetry?: boolean;
}

/** A store whose caller was let in by an earlier decision, because the database is away. It has no place yet. */
export interface UnplacedStore extends Omit<AcceptedStore, 'order' | 'orderBelow' | 'namespace'> {
  readonly namespace: string | undefined;
  readonly admission?: undefined;
  readonly order?: undefined;
  readonly digest: Digest;
}

export type LetIn = AdmittedStore | UnplacedStore;

/** One whose PhaseRun has somewhere to go. */
export type InNamespace<Store extends LetIn> = Store & { readonly namespace: string };

/** The same store where it was let in and the database then went away: it finds another place. */
export function unplacedOf({
  admission: _admission,
  isRetry: _isRetry,
  order: _order,
  orderBelow: _orderBelow,
  ...store
}: AdmittedStore): UnplacedStore {
  return store;
}

/**
 * Lets a store in; while the database is away, by what it decided within the last minutes.
 * @throws ProblemError or DatabaseError when it may not be, or cannot be decided
 */
export async function admitRun(deps: StoreRunDependencies, call: StoreCall): Promise<LetIn> {
  try {
    return await placeInTime(deps, await admit(deps, call), call);
  } catch (error) {
    if (error instanceof DatabaseAwayError) return admitKnown(deps, call, error);
    throw error;
  }
}

async function admit(deps: StoreRunDependencies, call: StoreCall): Promise<AdmittedStore> {
  const { outage } = deps;
  const demand = demandOf(call);
  const askedAt = performance.now();
  // Learned from even when it comes too late for this store.
  const question = async () => {
    const admission = await admitInOrder(deps, call);
    learn(outage, demand, admission, askedAt);
    return admission;
  };
  const admission = await timed(deps, 'auth', call, () => outage.gate.ask(ADMIT_MS, question));
  const customerId = authoriseRepository(admission, demand, deps.metrics);
  if (admission.order === null) throw new Error('a store was admitted without an order');
  return { ...accept(deps, call, customerId), admission, order: admission.order };
}

/** What is drawn now is above all that was known before, unless a restore has taken the sequence back. */
async function admitInOrder(
  { database, outage }: StoreRunDependencies,
  { caller, request }: StoreCall,
): Promise<StoreAdmission> {
  const known = outage.mark.value;
  const admission = await admitStore(database.pool, caller, request);
  if (admission.order === null || admission.order > known) return admission;
  await raiseRunOrder(database.pool, known);
  return admitStore(database.pool, caller, request);
}

function learn(
  { knownCallers, mark }: Outage,
  demand: RepositoryDemand,
  { principal, owned, order, validUntil }: StoreAdmission,
  decidedAt: number,
): void {
  if (order !== null) mark.observe(order);
  if (!principal.known) knownCallers.forgetCaller(demand.caller);
  else if (!owned || order === null) knownCallers.forget(demand);
  else {
    const { customerId } = principal;
    knownCallers.remember(demand, {
      customerId,
      decidedAt,
      ...(validUntil !== null && { validUntil: new Date(validUntil) }),
    });
  }
}

function admitKnown(deps: StoreRunDependencies, call: StoreCall, cause: DatabaseAwayError): UnplacedStore {
  const { outage, metrics } = deps;
  const refuse = (reason: RefusalWithoutDatabase, detail?: string) => {
    metrics.store.refusedWithoutDatabase.inc({ reason });
    return databaseUnavailable(cause, detail);
  };
  const customerId = outage.knownCallers.recall(demandOf(call));
  if (customerId === undefined) throw refuse('caller');
  if (call.storedAt !== undefined)
    throw refuse(
      'history',
      'The database cannot be reached, without which the place of an earlier result is not known; try again later',
    );
  metrics.store.knownCallers.inc();
  return accept(deps, call, customerId);
}

function demandOf({ caller, request: { repository } }: StoreCall): RepositoryDemand {
  return { caller, scope: 'phases:write', repository };
}

function accept(
  { namespaceOf }: StoreRunDependencies,
  { request, caller, traceparent }: StoreCall,
  customerId: string,
): UnplacedStore {
  return {
    request,
    digest: digestOf(request.data),
    customerId,
    ...(caller.kind === 'key' && { apiKeyId: caller.keyId }),
    runId: randomUUIDv7(),
    namespace: namespaceOf(customerId),
    traceparent,
  };
}

/** Puts what comes late behind what it followed, and before what has arrived since. */
async function placeInTime(
  { database, outage }: StoreRunDependencies,
  store: AdmittedStore,
  { storedAt }: Pick<StoreCall, 'storedAt'>,
): Promise<AdmittedStore> {
  if (storedAt === undefined) return store;
  const { customerId, request } = store;
  const { order, below } = await outage.gate.ask(ADMIT_MS, () =>
    findLatePlace(database.pool, { ...request, customerId, storedAt }),
  );
  return { ...store, order, orderBelow: below };
}
