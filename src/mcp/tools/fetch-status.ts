import { z } from 'zod';
import { makeTool } from '../tool.ts';

/** `fetch_status`: how a task or a session stands, or whether the API works. */
export const fetchStatus = makeTool({
  name: 'fetch_status',
  title: 'Fetch a status',
  description: 'How a task or a session stands; with neither, whether the API and what it needs work.',
  annotations: { readOnlyHint: true },
  input: z.object({
    task_id: z.guid().optional().describe('A task that send_task answered.'),
    session_id: z.guid().optional(),
  }),
  async call(api, { task_id: taskId, session_id: sessionId }) {
    if (taskId !== undefined) return api.get(`tasks/${taskId}`);
    if (sessionId === undefined) return api.get('health');
    const { timeline: _, ...session } = await api.get(`sessions/${sessionId}`);
    return session;
  },
});
