import type { RepositoryName } from '../domain/run.ts';
import type { Principal, Scope } from '../store/principal.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { invalidApiKey } from './plugins/api-key.ts';
import { ProblemError } from './problem.ts';

/** What the database says of a caller and the repository it asks for. */
export interface Access {
  readonly principal: Principal;
  /** Whether the forge namespace is the principal's, by a verified account. */
  readonly owned: boolean;
}

/** What the caller asks for. */
export interface Demand {
  readonly scope: Scope;
  readonly repository: RepositoryName;
}

/**
 * The id of the customer that may do what it asks.
 *
 * A namespace of somebody else, one of nobody, and one that the caller has yet to verify get the same
 * answer, so that nobody learns who uses this server.
 * @throws ProblemError 401 or 403
 */
export function authorise(access: Access, demand: Demand, { store }: Pick<Metrics, 'store'>): string {
  const { principal, owned } = access;
  const refuse = (outcome: 'invalid' | 'scope' | 'namespace', problem: ProblemError): never => {
    store.authentication.inc({ outcome });
    throw problem;
  };
  if (!principal.known) return refuse('invalid', invalidApiKey());
  if (!principal.scopes.includes(demand.scope)) return refuse('scope', scopeMissing(demand.scope));
  if (!owned) return refuse('namespace', namespaceForbidden(demand.repository));
  store.authentication.inc({ outcome: 'accepted' });
  return principal.customerId;
}

function scopeMissing(scope: Scope): ProblemError {
  const challenge = {
    'www-authenticate': `Bearer realm="phaserun", error="insufficient_scope", scope="${scope}"`,
  };
  return new ProblemError('INSUFFICIENT_SCOPE', `The API key lacks the scope ${scope}`, {
    headers: challenge,
  });
}

function namespaceForbidden({ forge, namespace }: RepositoryName): ProblemError {
  return new ProblemError(
    'NAMESPACE_FORBIDDEN',
    `You have no verified ${forge} account for the namespace ${namespace} of this repository`,
  );
}
