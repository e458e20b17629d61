import { z } from 'zod';
import { SESSION_STATES } from '../domain/session.ts';
import { CONDITION_TYPES } from './conditions.ts';
import { int64, observedAt, sha256, uuid } from './scalars.ts';

// Bounds and patterns of metav1.Condition.
const condition = z
  .object({
    type: z
      .string()
      .max(316)
      .regex(
        /^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$/,
      )
      .describe(
        Object.entries(CONDITION_TYPES)
          .map(([type, meaning]) => `${type}: ${meaning}`)
          .join(' '),
      ),
    status: z.enum(['True', 'False', 'Unknown']).describe('Whether the condition holds.'),
    observedGeneration: int64
      .min(0)
      .exactOptional()
      .describe('The metadata.generation that the condition speaks of.'),
    lastTransitionTime: observedAt.describe('When the status of the condition last changed.'),
    reason: z
      .string()
      .min(1)
      .max(1024)
      .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)
      .describe('Why, in one word for programs.'),
    message: z.string().max(32_768).describe('Why, in a sentence for people.'),
  })
  .describe('One aspect of the run, and whether it holds.');

const archive = z
  .object({
    executionId: uuid.describe('The execution row that holds the result.'),
    sha256: sha256.describe(
      'Hex SHA-256 of the canonical JSON (RFC 8785) of the payload that was committed.',
    ),
    committedAt: observedAt.describe('When the row was committed.'),
    order: int64
      .min(1)
      .exactOptional()
      .describe('The place of that row in its slot, which the run keeps if the row is lost to a restore.'),
    incarnation: z
      .string()
      .min(1)
      .max(64)
      .describe(
        'The database that gave this receipt; after a restore it is another, and the run is archived again.',
      ),
  })
  .describe('The receipt: which row holds the result, and which database said so.');

const session = z
  .object({
    id: uuid.describe('The session that the run belongs to.'),
    state: z.enum(SESSION_STATES).describe('The state of the session when the run was archived.'),
  })
  .describe('The session that the run belongs to.');

const summary = z
  .object({
    vulnerabilities: int64.min(0).exactOptional().describe('How many vulnerabilities the result lists.'),
    validated: z
      .boolean()
      .exactOptional()
      .describe('Whether the vulnerability was confirmed; never true when its RED tests pass.'),
    redGreen: z
      .enum(['proven', 'inverted', 'unproven', 'unknown'])
      .exactOptional()
      .describe(
        'What the RED tests say. Of a validation: proven when they fail on the vulnerable commit, inverted when they pass there. ' +
          'Of a mitigation: proven when the fix makes them pass, unproven when it does not.',
      ),
    trustScore: z
      .number()
      .min(0)
      .max(100)
      .exactOptional()
      .describe('How far the fix can be trusted, 0 to 100; absent when nothing is known of it.'),
    pullRequestUrl: z.string().max(2048).exactOptional().describe('The pull request that carries the fix.'),
  })
  .describe('What the result says, in a few values.');

/** What the controller has observed; written by the controller alone. */
export const phaseRunStatus = z
  .object({
    observedGeneration: int64
      .min(0)
      .exactOptional()
      .describe('The metadata.generation that the status speaks of.'),
    conditions: z
      .array(condition)
      .max(8)
      .exactOptional()
      .meta({
        description: 'Accepted, Archived and SessionAdvanced.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['type'],
      }),
    archive: archive.exactOptional(),
    session: session.exactOptional(),
    summary: summary.exactOptional(),
  })
  .describe('What became of the run, written by the controller alone.');
