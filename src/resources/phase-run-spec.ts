import { z } from 'zod';
import { FORGES, PHASES, RUN_STATUSES } from '../domain/phase.ts';
import { REPOSITORY_LIMIT } from '../domain/repository-name.ts';
import { ERROR_MESSAGE_LIMIT, TEXT_LIMIT } from '../domain/request-fields.ts';
import { withRules } from './cel-rule.ts';
import { PAYLOAD_RULES, SPEC_RULES } from './phase-run-rules.ts';
import { int64, sha256, text, timestamp, uuid } from './scalars.ts';

/** Longest `dataGzip`, base64 included: what etcd's request limit of 1.5 MiB leaves after its copy and the rest. */
export const GZIP_LIMIT = 1_048_576;
/** Longest an archived run may be kept by its TTL: seven days. */
const TTL_LIMIT_SECONDS = 604_800;

const dataRef = z
  .strictObject({
    sha256: sha256.describe('Hex SHA-256 of the canonical JSON (RFC 8785) of the payload.'),
    sizeBytes: int64.min(0).max(2_147_483_647).describe('Bytes of the canonical JSON of the payload.'),
  })
  .describe(
    'The payload, when it is in Postgres already: how the API hands over what is too large for a PhaseRun. Only callers granted the verb "attribute" on phaseruns may set it.',
  );

const result = withRules(
  z.strictObject({
    status: z
      .enum(RUN_STATUSES)
      .describe('How far the run has come: pending, running, completed or failed. It moves forward only.'),
    startedAt: timestamp.exactOptional().describe('When the phase began, RFC 3339.'),
    completedAt: timestamp.exactOptional().describe('When the phase ended, RFC 3339.'),
    errorMessage: text(ERROR_MESSAGE_LIMIT)
      .exactOptional()
      .describe('What went wrong, for people; with status failed.'),
    data: z
      .record(z.string(), z.unknown())
      .exactOptional()
      .describe(
        'What the phase found, readable, kept exactly as it is. At most 16 KiB of JSON: past that use dataGzip, or store through the HTTP API.',
      ),
    dataGzip: text(GZIP_LIMIT)
      .exactOptional()
      .describe(
        'What the phase found, as base64 of gzip of JSON: `gzip -c result.json | base64 -w0`. At most 1 MiB, and 10 MiB unpacked.',
      ),
    dataRef: dataRef.exactOptional(),
    order: int64
      .min(1)
      .exactOptional()
      .describe(
        'Place of the result within its slot, once the run was moved forward: whoever completed it is the newer one. Only callers granted the verb "attribute" on phaseruns may set it.',
      ),
  }),
  'What came of the run. Once it is completed or failed it does not change, unless the run was rejected and needs mending. The payload is one of data, dataGzip and dataRef, or absent.',
  PAYLOAD_RULES,
);

/** What somebody wants kept: one run of one phase over one repository. */
export const phaseRunSpec = withRules(
  z.strictObject({
    phase: z
      .enum(PHASES)
      .describe(
        'The phase that ran: scan finds vulnerabilities, validation proves one with failing tests, mitigation fixes it. Immutable.',
      ),
    forge: z.enum(FORGES).default('github').describe('Where the repository lives. Immutable.'),
    repo: z
      .string()
      .min(3)
      .max(REPOSITORY_LIMIT)
      .regex(/^[A-Za-z0-9_.][A-Za-z0-9_.-]*(\/[A-Za-z0-9_.-]+)+$/)
      .describe('The repository: owner/name, or for GitLab group/subgroup/name. Immutable.'),
    issueNumber: int64
      .min(1)
      .exactOptional()
      .describe(
        'The issue that is validated or mitigated; a scan may have one, and needs one when it has no commit. Immutable.',
      ),
    commitSha: text(TEXT_LIMIT)
      .exactOptional()
      .describe(
        'The commit that was worked on; any name for it will do. A scan is looked up by it, and so cannot change it.',
      ),
    branch: text(TEXT_LIMIT).exactOptional().describe('The branch that was worked on.'),
    pipelineRunId: text(TEXT_LIMIT)
      .exactOptional()
      .describe('The run of the CI system that this run was part of.'),
    sessionId: uuid
      .exactOptional()
      .describe('The session to join. Absent: the open session of the repository and issue, else a new one.'),
    runId: uuid
      .exactOptional()
      .describe(
        'Id of the execution row; absent: metadata.uid. Only callers granted the verb "attribute" on phaseruns may set it. Immutable.',
      ),
    customerId: uuid
      .exactOptional()
      .describe(
        'The customer whose run this is; absent: the one that the namespace is bound to. Only callers granted the verb "attribute" on phaseruns may set it.',
      ),
    order: int64
      .min(1)
      .exactOptional()
      .describe(
        'Place of the run within its slot, that is among the runs that retrieve would answer for the same question; absent: the next one. Only callers granted the verb "attribute" on phaseruns may set it. Immutable.',
      ),
    result,
    ttlSecondsAfterArchived: z
      .int()
      .min(0)
      .max(TTL_LIMIT_SECONDS)
      .meta({ format: 'int32' })
      .exactOptional()
      .describe(
        'Seconds that the PhaseRun stays once it is finished and archived; at most seven days. Absent: it stays. The row outlives it.',
      ),
  }),
  'What is to be kept: one run of one phase over one repository, and what came of it.',
  SPEC_RULES,
);
