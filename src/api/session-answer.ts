import { z } from 'zod';
import { PHASES, RUN_STATUSES } from '../domain/phase.ts';
import { SESSION_OUTCOMES, SESSION_STATES } from '../domain/session.ts';
import type { Connection } from '../store/database.ts';
import type { Session } from '../store/session-row.ts';
import {
  listSessionExecutions,
  listSessionTransitions,
  type SessionExecution,
  type SessionTransitionRow,
} from '../store/session-timeline.ts';
import { nextCursor } from './agent-fields.ts';

/** Runs that one answer tells of, the newest. */
const EXECUTIONS_SHOWN = 200;

const state = z.enum(SESSION_STATES);
const time = z.iso.datetime();

const summary = {
  session_id: z.guid(),
  agent_role: z.string(),
  state,
  status: state.describe('The same as state.'),
  outcome: z.enum(SESSION_OUTCOMES).nullable().describe('How the work came out, where a run said so.'),
  task_id: z.guid().nullable(),
  repository: z.string().nullable().describe('`github:owner/name`; null unless runs drive the session.'),
  subject: z
    .string()
    .nullable()
    .describe('`issue/1204` or `commit/7776c71`; null unless runs drive the session.'),
  metadata: z.record(z.string(), z.unknown()),
  created_at: time,
  updated_at: time,
};

export const sessionSchema = z.object(summary).meta({ id: 'Session' });

const execution = z.object({
  id: z.guid(),
  phase: z.enum(PHASES),
  status: z.enum(RUN_STATUSES),
  commit_sha: z.string().nullable(),
  issue_number: z.int().nullable(),
  pipeline_run_id: z.string().nullable(),
  vulnerabilities: z.int().nullable(),
  validated: z.boolean().nullable(),
  red_green: z.string().nullable(),
  trust_score: z.number().nullable(),
  pull_request_url: z.string().nullable(),
  error_message: z.string().nullable(),
  started_at: time.nullable(),
  completed_at: time.nullable(),
  created_at: time,
});

export const sessionDetailSchema = z
  .object({
    ...summary,
    timeline: z.object({
      transitions: z
        .array(z.object({ from: state.nullable(), to: state, at: time, run_id: z.guid().nullable() }))
        .describe('The steps taken, in order; from is null for the state it was born in.'),
      phases: z
        .array(z.object({ phase: z.enum(PHASES), status: z.enum(RUN_STATUSES), executions: z.int() }))
        .describe('How the newest run of each phase stands.'),
      executions: z.array(execution).describe(`The newest ${EXECUTIONS_SHOWN} runs, in order.`),
    }),
  })
  .meta({ id: 'SessionDetail' });

export const sessionListSchema = z
  .object({
    sessions: z.array(sessionSchema),
    total: z.int().optional().describe('How many match; absent where pages go by cursor.'),
    page: z.int().optional().describe('Absent where pages go by cursor.'),
    page_size: z.int(),
    next_cursor: nextCursor,
  })
  .meta({ id: 'SessionList' });

/** A session as clients see it. */
export function makeSessionAnswer(session: Session): z.infer<typeof sessionSchema> {
  return {
    session_id: session.id,
    agent_role: session.role,
    state: session.status,
    status: session.status,
    outcome: session.outcome,
    task_id: session.taskId,
    repository: session.repository,
    subject: session.subject,
    metadata: session.metadata,
    created_at: session.createdAt,
    updated_at: session.updatedAt,
  };
}

/** A session with all that happened in it. */
export async function makeSessionDetail(
  connection: Connection,
  customerId: string,
  session: Session,
): Promise<z.infer<typeof sessionDetailSchema>> {
  const transitions = await listSessionTransitions(connection, customerId, session.id);
  const limit = { limit: EXECUTIONS_SHOWN };
  const executions = await listSessionExecutions(connection, customerId, session.id, limit);
  return {
    ...makeSessionAnswer(session),
    timeline: {
      transitions: transitions.map(makeTransition),
      phases: summarisePhases(executions),
      executions: executions.map(makeExecution),
    },
  };
}

function makeTransition({ from, to, at, runId }: SessionTransitionRow) {
  return { from, to, at, run_id: runId };
}

/** @param executions in order */
function summarisePhases(executions: readonly SessionExecution[]) {
  return PHASES.flatMap((phase) => {
    const runs = executions.filter((run) => run.phase === phase);
    const newest = runs.at(-1);
    return newest === undefined ? [] : [{ phase, status: newest.status, executions: runs.length }];
  });
}

function makeExecution(run: SessionExecution): z.infer<typeof execution> {
  return {
    id: run.id,
    phase: run.phase,
    status: run.status,
    commit_sha: run.commitSha,
    issue_number: run.issueNumber,
    pipeline_run_id: run.pipelineRunId,
    vulnerabilities: run.vulnerabilities,
    validated: run.validated,
    red_green: run.redGreen,
    trust_score: run.trustScore,
    pull_request_url: run.pullRequestUrl,
    error_message: run.errorMessage,
    started_at: run.startedAt,
    completed_at: run.completedAt,
    created_at: run.createdAt,
  };
}
