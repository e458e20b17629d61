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

/** Fields that say where a run belongs: its slot, its row and its order hang on them. */
const IMMUTABLE = ['phase', 'forge', 'repo'] as const;
const IMMUTABLE_OPTIONAL = ['issueNumber', 'runId', 'order'] as const;

/** That a field is as it was: neither changed nor added nor removed. */
function unchanged(parent: string, field: string): string {
  const [now, before] = [`self${parent}.${field}`, `oldSelf${parent}.${field}`];
  return `has(${now}) == has(${before}) && (!has(${now}) || ${now} == ${before})`;
}

function immutable(field: string, rule: string): CelRule<Subject> {
  return {
    rule,
    message: `${field} is immutable: another ${field} is another run, so create another PhaseRun`,
  };
}

export const SPEC_RULES: readonly CelRule<Subject>[] = [
  ...IMMUTABLE.map((field) => immutable(field, `self.${field} == oldSelf.${field}`)),
  ...IMMUTABLE_OPTIONAL.map((field) => immutable(field, unchanged('', field))),
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
    rule: `self.phase != 'scan' || (${unchanged('', 'commitSha')})`,
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

const HISTORY = {
  '.spec': ['commitSha', 'branch', 'pipelineRunId', 'sessionId'],
  '.spec.result': ['startedAt', 'completedAt', 'errorMessage', 'data', 'dataGzip', 'dataRef', 'order'],
};

/** Over the whole object, since only its status says whether it was rejected and may be mended. */
export const PHASE_RUN_RULES: readonly CelRule<unknown>[] = [
  {
    rule: [
      // Every status write comes by here, and most of the rest is only asked of an edit.
      'self.spec == oldSelf.spec',
      "!(oldSelf.spec.result.status in ['completed', 'failed'])",
      "has(oldSelf.status) && has(oldSelf.status.conditions) && oldSelf.status.conditions.exists(c, c.type == 'Accepted' && c.status == 'False')",
      Object.entries(HISTORY)
        .flatMap(([parent, fields]) => fields.map((field) => `(${unchanged(parent, field)})`))
        .join(' && '),
    ]
      .map((alternative) => `(${alternative})`)
      .join(' || '),
    message: 'a completed or failed run is history and does not change: create another PhaseRun',
  },
];
