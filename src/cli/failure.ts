import { inspect, styleText } from 'node:util';
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
  note(
    `${styleText('red', 'error:', { stream: process.stderr })} ${saysItself(error) ? error.message : inspect(error)}`,
  );
  const advice = advise(error);
  if (advice) note(advice);
  return exitCodeOf(error);
}

/** Errors of a class of ours or of the system say what is wrong; any other is a defect, and shows where it lies. */
function saysItself(error: unknown): error is Error {
  return error instanceof Error && (!(error.name in globalThis) || 'syscall' in error);
}

function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommandFailure) return error.exitCode;
  return error instanceof ConfigError || error instanceof ClientUsageError ? 2 : 1;
}

function advise(error: unknown): string | undefined {
  if (error instanceof CommandFailure) return error.advice;
  if (error instanceof PlatformRefusedError) return adviseRefused(error);
  if (error instanceof PlatformUnreachableError)
    return 'Check RSOLV_API_URL: does the API answer there at /health?';
  if (error instanceof DatabaseError) return adviseDatabase(error);
  if (error instanceof KubeError) return adviseKube(error);
  const isPortTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
  return isPortTaken ? 'Another program listens there: stop it, or choose another port.' : undefined;
}

function adviseRefused({ status, problem }: PlatformRefusedError): string | undefined {
  if (status === 401)
    return 'Check RSOLV_API_KEY. These are valid: phaserun admin key list --customer <name>';
  if (problem.code === 'FORGE_ACCOUNT_NOT_VERIFIED' || problem.code === 'NAMESPACE_FORBIDDEN') {
    return (
      'The customer of the key needs a verified forge account for this namespace. It has these: ' +
      'phaserun admin forge-account list --customer <name>'
    );
  }
  return undefined;
}

/** 42P01, 42703, 42883: a table, column or function is missing. */
function adviseDatabase({ kind, sqlstate }: DatabaseError): string | undefined {
  if (sqlstate === '42P01' || sqlstate === '42703' || sqlstate === '42883') {
    return 'The database is not migrated to this version. Do so with: phaserun migrate';
  }
  return kind === 'unavailable' ? 'Check DATABASE_URL, and that Postgres accepts connections.' : undefined;
}

function adviseKube({ status }: KubeError): string | undefined {
  if (status === 0) return 'Check KUBECONFIG. This must work with it: kubectl get namespaces';
  return status === 401 || status === 403
    ? 'Whoever the kubeconfig is of needs the right that is named there.'
    : undefined;
}
