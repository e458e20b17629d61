import type { Forge, Phase } from '../domain/phase.ts';
import type { CelRule } from './cel-rule.ts';

/** What the rules read of a spec. */
interface Subject {
  readonly phase: Phase;
  readonly forge: Forge;
  readonly repo: string;
  readonly issueNumber?: number;
  readonly commitSha?: string;
}

/**
 * Of one object by itself: the server asks them of every write, of the status as well. What an update may change is asked by the policy
 * on updates, since CEL copies the schema of an object for each field that it reads, and a status write cannot change the spec.
 */
export const SPEC_RULES: readonly CelRule<Subject>[] = [
  {
    rule: "self.phase == 'scan' || has(self.issueNumber)",
    message: 'issueNumber is required for validation and mitigation',
    holds: ({ phase, issueNumber }) => phase === 'scan' || issueNumber !== undefined,
  },
  {
    rule: 'has(self.commitSha) || has(self.issueNumber)',
    message: 'commitSha is required, but for a scan that has an issueNumber instead',
    holds: ({ commitSha, issueNumber }) => commitSha !== undefined || issueNumber !== undefined,
  },
  {
    rule: "self.forge != 'github' || self.repo.matches('^[^/]+/[^/]+$')",
    message: 'repo must be owner/name on github; only gitlab nests groups',
    holds: ({ forge, repo }) => forge !== 'github' || repo.split('/').length === 2,
  },
];

interface Payload {
  readonly data?: unknown;
  readonly dataGzip?: string;
  readonly dataRef?: unknown;
}

export const PAYLOAD_RULES: readonly CelRule<Payload>[] = [
  {
    rule: '[has(self.data), has(self.dataGzip), has(self.dataRef)].filter(carried, carried).size() <= 1',
    message: 'the payload is one of data, dataGzip and dataRef, never two of them',
    holds: ({ data, dataGzip, dataRef }) =>
      [data, dataGzip, dataRef].filter((carried) => carried !== undefined).length <= 1,
  },
];
