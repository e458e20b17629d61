import { z } from 'zod';
import { SCOPES } from '../../store/principal.ts';

const url = z.string().refine((text) => ['http:', 'https:'].includes(URL.parse(text)?.protocol ?? ''), {
  error: 'must be a URL that starts with http:// or https://',
});

const name = z.string().min(1).max(200);

/** What is told of every issuer. */
const trust = {
  /** Whom tokens have to be meant for: one of these in their `aud`. */
  audience: z.union([name, z.array(name).min(1)], { error: 'must be a name, or a list of names' }),
  /** Where the keys are; absent: where the issuer's discovery document says. */
  jwksUrl: url.optional(),
};

/** An OpenID provider whose tokens speak for customers. */
const oidcIssuer = z
  .strictObject({
    kind: z.literal('oidc').optional(),
    /** What `iss` has to be, to the letter. */
    issuer: url,
    ...trust,
    /** Id or name of the customer that every token of this issuer speaks for. */
    customer: name.optional(),
    /** The claim that holds the id or name of the customer instead: for issuers trusted to speak for any. */
    customerClaim: name.optional(),
    /** The claim that holds scopes, as a list, or as words in one string. */
    scopesClaim: name.default('scope'),
    /** What tokens may do that name no scope of PhaseRun. */
    defaultScopes: z.array(z.enum(SCOPES)).default([]),
  })
  .refine(({ customer, customerClaim }) => customer === undefined || customerClaim === undefined, {
    path: ['customerClaim'],
    error: 'must be left out where customer is given',
  });

/** GitHub Actions, whose tokens speak for the repository that a job runs in. */
const gitHubActionsIssuer = z.strictObject({
  kind: z.literal('github-actions'),
  /** Another one for GitHub Enterprise. */
  issuer: url.default('https://token.actions.githubusercontent.com'),
  ...trust,
});

/** Somebody whose tokens (JWT) are believed, and how far. */
export const tokenIssuer = z.discriminatedUnion('kind', [oidcIssuer, gitHubActionsIssuer]);

export type TokenIssuer = z.infer<typeof tokenIssuer>;
export type OidcIssuer = z.infer<typeof oidcIssuer>;
