import { styleText } from 'node:util';
import { CommanderError } from 'commander';
import {
  ClientUsageError,
  PlatformRefusedError,
  PlatformUnreachableError,
} from '../client/phase-data-client.ts';
import { ConfigError } from '../config.ts';
import { KubeError } from '../kube/kube-error.ts';
import { DatabaseError } from '../store/errors.ts';
import { note } from './output.ts';

/** 0: done. 1: it failed. 2: the command line or the environment must change first. */
export type ExitCode = 0 | 1 | 2;

/** What a command throws when it knows what to do next. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  /** A sentence, or a command to paste. */
  readonly advice: string | undefined;
  readonly exitCode: ExitCode;

  constructor(message: string, options: { readonly advice?: string; readonly exitCode?: ExitCode } = {}) {
    super(message);
    this.advice = options.advice;
    this.exitCode = options.exitCode ?? 1;
  }
}

/** Says on stderr what went wrong and what to do about it; returns the exit code. */
export function reportFailure(error: unknown): ExitCode {
  // commander has said what it had to say, and throws for --help and --version as well.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const { message, advice, exitCode } = explain(error);
  note(`${styleText('red', 'error:', { stream: process.stderr })} ${message}`);
  if (advice) note(advice);
  return exitCode;
}

interface Explanation {
  readonly message: string;
  readonly advice?: string | undefined;
  readonly exitCode: ExitCode;
}

function explain(error: unknown): Explanation {
  if (error instanceof CommandFailure) return error;
  if (error instanceof ConfigError || error instanceof ClientUsageError) {
    return { message: error.message, exitCode: 2 };
  }
  if (error instanceof PlatformRefusedError)
    return { message: error.message, advice: adviseRefused(error), exitCode: 1 };
  if (error instanceof PlatformUnreachableError) {
    return {
      message: error.message,
      advice: 'Is RSOLV_API_URL right, and does the API answer at /health?',
      exitCode: 1,
    };
  }
  if (error instanceof DatabaseError)
    return { message: error.message, advice: adviseDatabase(error), exitCode: 1 };
  if (error instanceof KubeError) return { message: error.message, advice: adviseKube(error), exitCode: 1 };
  // Whatever else is a defect: whoever reports it needs to say where.
  return { message: error instanceof Error ? (error.stack ?? error.message) : String(error), exitCode: 1 };
}

function adviseRefused({ status, problem }: PlatformRefusedError): string | undefined {
  if (status === 401) return 'Check RSOLV_API_KEY; "phaserun admin key list" shows which keys are valid.';
  if (problem.code === 'FORGE_ACCOUNT_NOT_VERIFIED' || problem.code === 'NAMESPACE_FORBIDDEN') {
    return 'The customer of the key needs a verified forge account for this namespace: "phaserun admin forge-account list".';
  }
  return undefined;
}

/** 42P01, 42703, 42883: a table, column or function is missing. */
function adviseDatabase({ kind, sqlstate }: DatabaseError): string | undefined {
  if (sqlstate === '42P01' || sqlstate === '42703' || sqlstate === '42883') {
    return 'The database is not migrated to this version: run "phaserun migrate".';
  }
  return kind === 'unavailable' ? 'Check DATABASE_URL, and that Postgres accepts connections.' : undefined;
}

function adviseKube({ status }: KubeError): string | undefined {
  if (status === 0) return 'Check KUBECONFIG: "kubectl get namespaces" must work with it.';
  return status === 401 || status === 403
    ? 'The kubeconfig needs get, list and patch on namespaces.'
    : undefined;
}
