import { compact } from '../../domain/compact.ts';
import { isOwnerId } from '../../domain/owner-id.ts';
import { parseRepositoryName } from '../../domain/repository-name.ts';
import { isStorableText } from '../../domain/unstorable.ts';
import { type Caller, SCOPES, type Scope } from '../../store/principal.ts';
import type { OidcIssuer, TokenIssuer } from './token-issuer.ts';

/** What a verified token says. */
export type Claims = Readonly<Record<string, unknown>>;

/** The caller that a verified token speaks for, or the claim that it lacks. */
export type ClaimedCaller =
  | { readonly ok: true; readonly caller: Caller }
  | { readonly ok: false; readonly claim: string };

const DEFAULT_CUSTOMER_CLAIM = 'customer_id';

/** The longest name of a customer; no id is longer. */
const CUSTOMER_LIMIT = 100;

export function callerOfClaims(issuer: TokenIssuer, claims: Claims): ClaimedCaller {
  return issuer.kind === 'github-actions' ? callerOfJob(claims) : callerOfCustomer(issuer, claims);
}

function callerOfCustomer(issuer: OidcIssuer, claims: Claims): ClaimedCaller {
  const { customerClaim = DEFAULT_CUSTOMER_CLAIM } = issuer;
  const customer = issuer.customer ?? claims[customerClaim];
  const isUsable = typeof customer === 'string' && customer !== '' && customer.length <= CUSTOMER_LIMIT;
  // Both go into the audit. What Postgres cannot keep there would hold up what all others did as well.
  if (!isUsable || !isStorableText(customer)) return { ok: false, claim: customerClaim };
  const sub = typeof claims['sub'] === 'string' ? claims['sub'] : '';
  if (!isStorableText(sub)) return { ok: false, claim: 'sub' };
  const subject = `${issuer.issuer}#${sub}`;
  return { ok: true, caller: { kind: 'customer', customer, scopes: scopesOf(issuer, claims), subject } };
}

/** Scopes of other services stand beside ours, and mean nothing here. */
function scopesOf({ scopesClaim, defaultScopes }: OidcIssuer, claims: Claims): readonly Scope[] {
  const claimed = claims[scopesClaim];
  const words = typeof claimed === 'string' ? claimed.split(' ') : claimed;
  if (!Array.isArray(words)) return defaultScopes;
  const ours = SCOPES.filter((scope) => words.includes(scope));
  return ours.length === 0 ? defaultScopes : ours;
}

/**
 * `repository` is `owner/name`, and `repository_owner` has to be that owner. Whose id `repository_owner_id` is, the forge
 * account may say.
 * https://docs.github.com/en/actions/reference/security/oidc
 */
function callerOfJob(claims: Claims): ClaimedCaller {
  const { repository: text, repository_owner: owner, repository_owner_id: id } = claims;
  const repository = typeof text === 'string' ? parseRepositoryName('github', text) : undefined;
  if (!repository?.ok) return { ok: false, claim: 'repository' };
  const { namespace, name } = repository.value;
  if (typeof owner !== 'string' || owner.toLowerCase() !== namespace)
    return { ok: false, claim: 'repository_owner' };
  const ownerId = typeof id === 'number' ? String(id) : id;
  if (ownerId !== undefined && !isOwnerId(ownerId)) return { ok: false, claim: 'repository_owner_id' };
  const job = { kind: 'repository', repository: { forge: 'github', namespace, name } } as const;
  return { ok: true, caller: { ...job, ...compact({ ownerId }) } };
}
