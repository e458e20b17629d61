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

/** Fields that say whose run it is and where it belongs: the slot, the row and the order hang on them. */
const IMMUTABLE = ['phase', 'forge', 'repo', 'issueNumber', 'runId', 'order'] as const;

/** Optional selection makes absent and present differ too, so that a field can neither be added nor removed later. */
function immutable(field: (typeof IMMUTABLE)[number]): CelRule<Subject> {
  return {
    rule: `self.?${field} == oldSelf.?${field}`,
    message: `${field} is immutable: another ${field} is another run, so create another PhaseRun`,
  };
}

export const SPEC_RULES: readonly CelRule<Subject>[] = [
  ...IMMUTABLE.map(immutable),
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
    rule: "self.phase != 'scan' || self.?commitSha == oldSelf.?commitSha",
    message: 'commitSha of a scan is immutable: the scan is looked up by it, so create another PhaseRun',
  },
  {
    rule: "self.forge != 'github' || self.repo.matches('^[^/]+/[^/]+$')",
    message: 'repo must be owner/name on github; only gitlab nests groups',
    holds: ({ forge, repo }) => forge !== 'github' || repo.split('/').length === 2,
  },
];

interface Payload {
  readonly status: string;
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
  {
    rule:
      "self.status == oldSelf.status || oldSelf.status == 'pending' || " +
      "(oldSelf.status == 'running' && self.status in ['completed', 'failed'])",
    message: 'status moves forward only: pending, running, then completed or failed',
  },
];

/** Over the whole object, since only its status says whether it was rejected and may be mended. */
export const PHASE_RUN_RULES: readonly CelRule<unknown>[] = [
  {
    rule:
      "!(oldSelf.spec.result.status in ['completed', 'failed']) || " +
      "oldSelf.?status.conditions.orValue([]).exists(c, c.type == 'Accepted' && c.status == 'False') || " +
      '(self.spec.result == oldSelf.spec.result && ' +
      ['commitSha', 'branch', 'pipelineRunId', 'sessionId']
        .map((field) => `self.spec.?${field} == oldSelf.spec.?${field}`)
        .join(' && ') +
      ')',
    message: 'a completed or failed run is history and does not change: create another PhaseRun',
  },
];
