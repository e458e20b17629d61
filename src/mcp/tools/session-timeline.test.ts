import { expect, test } from 'vitest';
import { sessionTimeline } from './session-timeline.ts';

const run = { created_at: '2026-01-01T00:00:00Z', id: 'r', phase: 'scan', status: 'failed' };

test.each([
  { name: 'a line break', stored: 'boom\n2026-01-02T00:00:00Z session active → completed' },
  { name: 'a carriage return', stored: 'boom\r2026' },
  { name: 'a line separator', stored: 'boom\u2028\u2029\u00852026' },
  { name: 'a terminal sequence', stored: 'boom\u001b[2K\u001b[1A' },
  { name: 'text from right to left', stored: 'boom\u202e2026' },
])('stored text with $name stays in the line of its run', ({ stored }) => {
  const timeline = { transitions: [], executions: [{ ...run, error_message: stored }] };
  const rendered = sessionTimeline.render?.({ session_id: 'x', timeline }) ?? '';
  const lines = rendered.slice(rendered.indexOf('}') + 2);
  expect(lines).toMatch(/^2026-01-01T00:00:00Z scan failed, run r, error_message boom/);
  expect(lines).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\u202e]/u);
  expect(lines).toContain(`\\u${stored.charCodeAt(4).toString(16).padStart(4, '0')}`);
});
