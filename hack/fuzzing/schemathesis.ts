import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type FuzzReport, fuzzReport } from './report.ts';

const execute = promisify(execFile);
const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const REQUIREMENTS = path('requirements.txt');
const SETTINGS = path('schemathesis.toml');
const HOOKS = path('hooks.py');

/** What schemathesis is to do. */
export interface FuzzRun {
  readonly apiUrl: string;
  readonly apiKey: string;
  /** Requests for each operation and phase. */
  readonly maxExamples: number;
  /** Absent: any; the report names it. */
  readonly seed?: number;
  /** For its reports. */
  readonly directory: string;
  readonly signal: AbortSignal;
}

/**
 * Makes sure of a virtual environment with schemathesis, which is kept from run to run.
 * @returns the program
 * @throws Error that says what to install
 */
export async function ensureSchemathesis(cacheDirectory: string, signal: AbortSignal): Promise<string> {
  const environment = join(cacheDirectory, 'phaserun', 'schemathesis');
  // Written last: what is there was made from these requirements, and to its end.
  const made = join(environment, 'requirements.txt');
  const requirements = await readFile(REQUIREMENTS, 'utf8');
  const program = join(environment, 'bin', 'st');
  if ((await readFile(made, 'utf8').catch(() => undefined)) === requirements) return program;
  await rm(environment, { recursive: true, force: true });
  await mkdir(environment, { recursive: true });
  await execute('python3', ['-m', 'venv', environment], { signal }).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw new Error('Python 3.10 or newer with venv is needed: apt-get install python3 python3-venv', {
      cause,
    });
  });
  const pip = join(environment, 'bin', 'pip');
  await execute(pip, ['install', '--quiet', '--disable-pip-version-check', '-r', REQUIREMENTS], { signal });
  await writeFile(made, requirements);
  return program;
}

/** Runs all checks in all phases, and tells of it on stdout. */
export async function runSchemathesis(program: string, run: FuzzRun): Promise<FuzzReport> {
  const { apiUrl, apiKey, maxExamples, seed, directory, signal } = run;
  const report = join(directory, 'report.json');
  const args = [
    '--config-file',
    SETTINGS,
    'run',
    `${apiUrl}/openapi.json`,
    '--header',
    `x-api-key: ${apiKey}`,
    '--checks=all',
    `--max-examples=${maxExamples}`,
    ...(seed === undefined ? [] : [`--seed=${seed}`]),
    '--report=json',
    `--report-json-path=${report}`,
    '--no-color',
  ];
  const child = spawn(program, args, {
    // It leaves caches where it is started.
    cwd: directory,
    env: { ...process.env, SCHEMATHESIS_HOOKS: HOOKS, PYTHONDONTWRITEBYTECODE: '1' },
    stdio: ['ignore', 'inherit', 'inherit'],
    signal,
  });
  await once(child, 'exit');
  const written = await readFile(report, 'utf8').catch(() => undefined);
  if (written === undefined) throw new Error('schemathesis ended without a report');
  return fuzzReport.parse(JSON.parse(written));
}
