import { z } from 'zod';
import { renderAnswer } from '../render-answer.ts';
import { makeTool } from '../tool.ts';

/** `session_timeline`: all that happened in a session, in order. */
export const sessionTimeline = makeTool({
  name: 'session_timeline',
  title: 'Timeline of a session',
  description: 'All that happened in a session, in order: its states, and the runs of its phases.',
  annotations: { readOnlyHint: true },
  input: z.object({
    session_id: z.guid().describe('The session, or the task that it carries.'),
  }),
  call: (api, { session_id: sessionId }) => api.get(`sessions/${sessionId}`),
  render({ timeline, ...session }) {
    const events = timelineSchema.safeParse(timeline).data;
    return [renderAnswer(session), ...(events ? linesOf(events) : [])].join('\n');
  },
});

const text = z.string().nullish();

const timelineSchema = z.object({
  transitions: z.array(z.object({ at: z.string(), from: text, to: z.string() })),
  executions: z.array(
    z.object({
      created_at: z.string(),
      id: z.string(),
      phase: z.string(),
      status: z.string(),
      red_green: text,
      trust_score: z.number().nullish(),
      pull_request_url: text,
      error_message: text,
    }),
  ),
});

type Timeline = z.infer<typeof timelineSchema>;

/** Line breaks, other control characters, and what turns the direction of text around. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;

/** Stored text in one line, so that none passes for an event of its own. */
function inOneLine(text: string): string {
  return text.replaceAll(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** One line an event, by time; every time is RFC 3339 in UTC, and so sorts as text. */
function linesOf({ transitions, executions }: Timeline): string[] {
  return [
    ...transitions.map(({ at, from, to }) => `${at} session ${from ? `${from} → ${to}` : `opened ${to}`}`),
    ...executions.map(
      (run) => `${run.created_at} ${run.phase} ${run.status}, run ${run.id}${remarksOn(run)}`,
    ),
  ]
    .map(inOneLine)
    .toSorted();
}

function remarksOn({
  red_green,
  trust_score,
  pull_request_url,
  error_message,
}: Timeline['executions'][number]) {
  return Object.entries({ red_green, trust_score, pull_request_url, error_message })
    .filter(([, remark]) => remark !== null && remark !== undefined)
    .map(([name, remark]) => `, ${name} ${remark}`)
    .join('');
}
