import { expect, test } from 'vitest';
import { createLogger } from './logger.ts';

function capture(): { lines: Record<string, unknown>[]; write(line: string): void } {
  const lines: Record<string, unknown>[] = [];
  return { lines, write: (line) => void lines.push(JSON.parse(line)) };
}

test.each([
  { name: 'at the top', fields: { password: 'hunter2', kept: 1 } },
  { name: 'one level down', fields: { database: { databaseUrl: 'postgres://u:hunter2@h/d' }, kept: 1 } },
  {
    name: 'in request headers',
    fields: { request: { headers: { authorization: 'Bearer hunter2' } }, kept: 1 },
  },
  { name: 'under a name with dashes', fields: { headers: { 'x-api-key': 'hunter2' }, kept: 1 } },
])('a secret $name is replaced, its neighbours stay', ({ fields }) => {
  const destination = capture();
  createLogger({ level: 'info', name: 'test', destination }).info(fields, 'constant message');
  const [line] = destination.lines;
  expect(JSON.stringify(line)).not.toContain('hunter2');
  expect(JSON.stringify(line)).toContain('[redacted]');
  expect(line).toMatchObject({ level: 'info', name: 'test', msg: 'constant message', kept: 1 });
});

test('an error keeps its message and type under err', () => {
  const destination = capture();
  createLogger({ level: 'info', name: 'test', destination }).error(
    { err: new RangeError('too far') },
    'failed',
  );
  expect(destination.lines[0]).toMatchObject({ err: { type: 'RangeError', message: 'too far' } });
});
