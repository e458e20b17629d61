import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

/** Runs a role that behaves like this once it has started, and says how its process ended. */
function serve(afterStart: string) {
  const program = `
    import { serveUntilSignalled } from './src/cli/serve.ts';
    await serveUntilSignalled(async () => {
      setTimeout(() => { ${afterStart} }, 0);
      return { url: '', close: async () => console.log('finished') };
    });`;
  return spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' });
}

test('a signal lets the process finish, and ends it well', () => {
  expect(serve('process.kill(process.pid, "SIGTERM")')).toMatchObject({
    status: 0,
    stdout: 'finished\n',
    stderr: '',
  });
});

test.each([
  { name: 'a fault that nobody caught', afterStart: 'throw new Error("the string is too long")' },
  {
    name: 'a promise that nobody waited for',
    afterStart: 'Promise.reject(new Error("the string is too long"))',
  },
])('$name is told before the process finishes, and ends it badly', ({ afterStart }) => {
  expect(serve(afterStart)).toMatchObject({
    status: 1,
    stdout: 'finished\n',
    stderr: expect.stringContaining('the string is too long'),
  });
});
