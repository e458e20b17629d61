import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { createScriptedServer, json, type ScriptedServer, stored } from '../../fixtures/scripted-server.ts';
import { temporaryDirectory } from '../../fixtures/temporary-directory.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const ACTION = readFileSync(new URL('../../../action.yml', import.meta.url), 'utf8');
/** Would be run wherever it became part of a script, and be a flag wherever it stood alone. */
const HOSTILE = '--help$(touch pwned)`touch pwned`"; touch pwned; \'';

const { inputs, runs } = z
  .object({
    inputs: z.record(z.string(), z.looseObject({ default: z.string().optional() })),
    runs: z.object({
      steps: z.array(
        z.looseObject({
          id: z.string().optional(),
          run: z.string().optional(),
          env: z.record(z.string(), z.string()).optional(),
        }),
      ),
    }),
  })
  .parse(parse(ACTION));

let platform: ScriptedServer;
beforeAll(async () => {
  platform = await createScriptedServer();
});
beforeEach(() => {
  platform.received.length = 0;
});
afterAll(() => platform.close());

describe('the step that calls phaserun', () => {
  it('stores, and says under which id', async () => {
    platform.replies = [stored('run-1')];
    const job = await call({ command: 'store', phase: 'scan' });
    expect(job).toMatchObject({ code: 0, outputs: 'id=run-1\nstorage=platform\n' });
    expect(platform.received).toMatchObject([
      {
        method: 'POST',
        url: '/api/v1/phases/store',
        headers: { 'x-api-key': 'rsolv_a_b' },
        body: {
          phase: 'scan',
          repo: 'acme/app',
          commitSha: '7776c71',
          branch: 'main',
          pipelineRunId: '9182',
        },
      },
    ]);
  });

  it('keeps on disk what cannot be sent, and says so', async () => {
    const job = await call({ command: 'store', phase: 'scan', 'api-url': 'http://127.0.0.1:9' });
    expect(job).toMatchObject({ code: 0, outputs: 'id=\nstorage=local\n' });
    expect(existsSync(join(job.directory, '.rsolv'))).toBe(true);
  });

  it('fails instead when told to', async () => {
    const job = await call({
      command: 'store',
      phase: 'scan',
      'api-url': 'http://127.0.0.1:9',
      'require-platform': 'true',
    });
    expect(job.code).not.toBe(0);
    expect(job.outputs).toBe('');
  });

  it('retrieves into a file', async () => {
    const known = { validation: { 'issue-7': { validated: true } } };
    platform.replies = [json(200, known)];
    const job = await call({ command: 'retrieve', issue: '7', data: 'known.json' });
    expect(job).toMatchObject({ code: 0, outputs: '' });
    expect(JSON.parse(await readFile(join(job.directory, 'known.json'), 'utf8'))).toEqual(known);
  });

  it('takes no other command', async () => {
    expect(await call({ command: 'admin' })).toMatchObject({ code: 2, outputs: '' });
  });

  it.each(Object.keys(inputs).filter((name) => name !== 'version'))(
    'takes a hostile %s for a value and nothing else',
    async (name) => {
      platform.replies = [stored('run-1')];
      const job = await call({ command: 'store', phase: 'scan', [name]: HOSTILE });
      expect(existsSync(join(job.directory, 'pwned'))).toBe(false);
      expect(job.stdout).not.toContain('Usage:');
    },
  );

  it('lets no answer make outputs of its own', async () => {
    platform.replies = [stored('run-1\nstorage=forged')];
    const { outputs } = await call({ command: 'store', phase: 'scan' });
    expect(outputs).toBe('id=run-1 storage=forged\nstorage=platform\n');
  });
});

/** Runs the step's script as a runner does: by bash, with the inputs in the variables that the step names. */
async function call(given: Readonly<Record<string, string>>) {
  const directory = await temporaryDirectory();
  await installPhaserun(directory);
  await writeFile(join(directory, 'result.json'), '{"vulnerabilities":[]}');
  const output = join(directory, 'outputs');
  await writeFile(output, '');
  const { run = '', env = {} } = runs.steps.find(({ id }) => id === 'call') ?? {};
  const script = join(directory, 'step.sh');
  await writeFile(script, run);
  const values: Readonly<Record<string, string>> = {
    data: 'result.json',
    repo: 'acme/app',
    commit: '7776c71',
    branch: 'main',
    issue: '',
    'api-url': platform.url,
    'api-key': 'rsolv_a_b',
    'require-platform': 'false',
    ...given,
  };
  const variables = Object.entries(env).map(([name, text]) => [name, evaluate(text, values, directory)]);
  const ended = await bash(script, directory, {
    ...Object.fromEntries(variables),
    GITHUB_OUTPUT: output,
    GITHUB_RUN_ID: '9182',
    PATH: process.env['PATH'] ?? '',
  });
  return { ...ended, directory, outputs: await readFile(output, 'utf8') };
}

/** What GitHub makes of the expressions that the action uses. */
function evaluate(text: string, values: Readonly<Record<string, string>>, temp: string): string {
  return text
    .replaceAll(/\$\{\{ inputs\.([\w-]+) \}\}/g, (_, name: string) => values[name] ?? '')
    .replaceAll('${{ runner.temp }}', () => temp);
}

/** Puts this program where the step before would have installed it. */
async function installPhaserun(directory: string): Promise<void> {
  const folder = join(directory, 'phaserun', 'bin');
  await mkdir(folder, { recursive: true });
  const program = join(folder, 'phaserun');
  await writeFile(program, `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`);
  await chmod(program, 0o755);
}

function bash(script: string, cwd: string, env: Readonly<Record<string, string>>) {
  return new Promise<{ code: number; stdout: string }>((resolve) => {
    // As `shell: bash` does.
    const args = ['--noprofile', '--norc', '-eo', 'pipefail', script];
    execFile('bash', args, { cwd, env }, (error, stdout) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout });
    });
  });
}
