import type { RepositoryName } from '../domain/run.ts';
import type { Caller, Principal, Scope } from '../store/principal.ts';
import type { AuthOutcome } from '../telemetry/families/store.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { insufficientScope, invalidApiKey, invalidToken } from './credential-problems.ts';
import { ProblemError } from './problem.ts';

type Identity = Pick<RepositoryName, 'forge' | 'namespace' | 'name'>;

/** What a caller asks for. */
export interface Demand {
  readonly caller: Caller;
  readonly scope: Scope;
}

/** What a caller asks for in a repository. */
export interface RepositoryDemand extends Demand {
  readonly repository: RepositoryName;
}

/** What the database says of a caller and the repository it asks for. */
export interface RepositoryAccess {
  readonly principal: Principal;
  /** Whether the repository is open to the caller; see `ownedBy`. */
  readonly owned: boolean;
  /** Unless it is: the customer's own claim that covers it and is yet to be verified; see `unverifiedClaim`. */
  readonly unverifiedClaim: string | null;
}

/**
 * The id of the customer that may do what it asks.
 * @throws ProblemError 401 or 403
 */
export function authorise(principal: Principal, demand: Demand, metrics: Pick<Metrics, 'store'>): string {
  const customerId = identify(principal, demand, metrics);
  metrics.store.authentication.inc({ outcome: 'accepted' });
  return customerId;
}

/**
 * The id of the customer that may do what it asks in a repository.
 *
 * A namespace of somebody else and one of nobody get the same answer, so that nobody learns who uses this server. Who
 * has claimed it hears of its own claim alone, whoever else may have it.
 * @throws ProblemError 401 or 403
 */
export function authoriseRepository(
  access: RepositoryAccess,
  demand: RepositoryDemand,
  metrics: Pick<Metrics, 'store'>,
): string {
  const customerId = identify(access.principal, demand, metrics);
  requireOwned(access, demand, metrics);
  metrics.store.authentication.inc({ outcome: 'accepted' });
  return customerId;
}

/**
 * For a caller that was authorised before the repository was known.
 * @throws ProblemError 403 unless the repository is open to it
 */
export function requireOwned(
  { owned, unverifiedClaim }: Omit<RepositoryAccess, 'principal'>,
  demand: RepositoryDemand,
  metrics: Pick<Metrics, 'store'>,
): void {
  if (!owned) throw refused('namespace', forbidden(demand, unverifiedClaim), metrics);
}

function identify(principal: Principal, { caller, scope }: Demand, metrics: Pick<Metrics, 'store'>): string {
  if (!principal.known) throw unknownCaller(principal.reason, caller, metrics);
  if (!principal.scopes.includes(scope)) throw refused('scope', insufficientScope(scope), metrics);
  return principal.customerId;
}

function unknownCaller(reason: string, caller: Caller, metrics: Pick<Metrics, 'store'>): ProblemError {
  if (caller.kind === 'key') return refused('invalid', invalidApiKey(reason), metrics);
  if (caller.kind === 'customer') return refused('invalid', invalidToken(reason), metrics);
  return refused('namespace', noAccount(caller.repository), metrics);
}

function refused(
  outcome: AuthOutcome,
  problem: ProblemError,
  { store }: Pick<Metrics, 'store'>,
): ProblemError {
  store.authentication.inc({ outcome });
  return problem;
}

function forbidden({ caller, repository }: RepositoryDemand, claim: string | null): ProblemError {
  if (caller.kind !== 'repository' || isSame(caller.repository, repository)) {
    return claim === null ? noAccount(repository) : notVerified(repository, claim);
  }
  const { namespace, name } = caller.repository;
  return new ProblemError('NAMESPACE_FORBIDDEN', `The token of this job opens ${namespace}/${name} alone`);
}

function isSame(one: Identity, other: Identity): boolean {
  return one.forge === other.forge && one.namespace === other.namespace && one.name === other.name;
}

function noAccount({ forge, namespace }: Identity): ProblemError {
  return new ProblemError(
    'NAMESPACE_FORBIDDEN',
    `You have no verified ${forge} account for the namespace ${namespace} of this repository`,
  );
}

function notVerified({ forge }: Identity, claim: string): ProblemError {
  return new ProblemError(
    'FORGE_ACCOUNT_NOT_VERIFIED',
    `Your claim of the ${forge} namespace ${claim} is not verified yet. Have the operator verify it: ` +
      `phaserun admin forge-account verify ${claim} --customer <name> --forge ${forge}`,
  );
}
