import { randomUUID } from 'node:crypto';
import { type Agent, newKey, openSession } from '../api/agent.ts';
import { freshRepository } from './contract-worlds.ts';

/** A request that changes something, as it is sent under an Idempotency-Key. */
export interface Mutation {
  /** As the OpenAPI document names it. */
  readonly operation: string;
  readonly path: string;
  readonly body?: object;
}

/** One good request for each operation that changes something; of a delivery that is not there, the refusal is kept. */
export async function mutationsOf(agent: Agent): Promise<readonly Mutation[]> {
  const repo = freshRepository(agent.tenant);
  const { body: task } = await agent.post('/approvals', { task_id: 'any text' });
  const url = 'https://hooks.example.com/x';
  const { body: webhook } = await agent.post('/api/v1/webhooks', { url }, newKey());
  const { body: spare } = await agent.post('/api/v1/webhooks', { url }, newKey());
  const result = { data: { validated: true } };
  const of = (operation: string, path: string, body?: object) => ({
    operation,
    path,
    ...(body !== undefined && { body }),
  });
  const plain = (method: string, path: string, body: object) => of(`${method} ${path}`, path, body);
  const moved = async (suffix: string, body: object) =>
    of(`PUT /sessions/{id}${suffix}`, `/sessions/${await openSession(agent)}${suffix}`, body);
  return [
    plain('POST', '/api/v1/phases/store', {
      phase: 'validation',
      repo,
      issueNumber: 7,
      commitSha: 'c1',
      ...result,
    }),
    plain('POST', '/api/v1/phase_data', { repository: repo, issue_number: 8, phase: 'validate', ...result }),
    of(
      'DELETE /api/v1/phase_data/{repository}/{issue_number}',
      `/api/v1/phase_data/${encodeURIComponent(repo)}/9`,
    ),
    plain('POST', '/sessions', { agent_role: 'support' }),
    await moved('', { metadata: { a: 1 } }),
    await moved('/events', { event: 'activate' }),
    plain('POST', '/tasks/route', { target: 'finance', task: { task_type: 'audit' } }),
    plain('POST', '/approvals', { task_id: 'another' }),
    of('PUT /approvals/{id}', `/approvals/${task.approval_id}`, { decision: 'approved' }),
    plain('POST', '/audit/ingest', { source: 'mesh', category: 'budget', action: 'exceeded' }),
    plain('POST', '/api/v1/webhooks', { url }),
    of('POST /api/v1/webhooks/{id}/enable', `/api/v1/webhooks/${webhook.id}/enable`),
    of('DELETE /api/v1/webhooks/{id}', `/api/v1/webhooks/${spare.id}`),
    of(
      'POST /api/v1/webhooks/{id}/deliveries/{deliveryId}/replay',
      `/api/v1/webhooks/${webhook.id}/deliveries/${randomUUID()}/replay`,
    ),
  ];
}

/** The method of an operation. */
export function methodOf({ operation }: Pick<Mutation, 'operation'>): string {
  return operation.split(' ')[0] ?? '';
}
