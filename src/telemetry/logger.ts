import { type DestinationStream, type Level, type Logger, pino } from 'pino';
import { REDACTED } from './redact-url.ts';

export interface LoggerOptions {
  readonly level: Level | 'silent';
  /** Says which role of the program is speaking: `api`, `controller`, … */
  readonly name: string;
  /** Where the lines go; standard output when absent. */
  readonly destination?: DestinationStream;
}

/** Members that never reach a log line, at the top of the logged object and two levels down. */
const SECRET_MEMBERS = [
  'authorization',
  'Authorization',
  'x-api-key',
  'X-Api-Key',
  'apiKey',
  'api_key',
  'cookie',
  'connectionString',
  'databaseUrl',
  'DATABASE_URL',
  'password',
  'secret',
  'token',
];

/**
 * Creates the logger of a process: one JSON object a line, the level by name, the time in RFC 3339, errors under
 * `err`, and secrets replaced.
 */
export function createLogger(options: LoggerOptions): Logger {
  const settings = {
    name: options.name,
    level: options.level,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: SECRET_MEMBERS.flatMap(pathsTo), censor: REDACTED },
  };
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination);
}

function pathsTo(member: string): string[] {
  const quoted = `["${member}"]`;
  return [quoted, `*${quoted}`, `*.*${quoted}`];
}
