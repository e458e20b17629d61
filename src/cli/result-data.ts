import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import type { JsonObject } from '../client/phase-data-client.ts';
import { CommandFailure } from './failure.ts';
import { findJsonError, lineAndColumn } from './json-error-position.ts';

/**
 * Reads a phase's data from a file, or from stdin for `-`.
 * @throws {CommandFailure} when there is no such file, or what it holds is no JSON object, saying where it goes wrong.
 */
export async function readResultData(source: string): Promise<JsonObject> {
  const origin = source === '-' ? 'stdin' : source;
  const bytes = source === '-' ? await buffer(process.stdin) : await readSource(source);
  return parseResultData(decode(bytes, origin), origin);
}

/** @throws {CommandFailure} naming `origin`, line and column. */
export function parseResultData(text: string, origin: string): JsonObject {
  const value = parse(text, origin);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  const kind = Array.isArray(value) ? 'an array' : JSON.stringify(value).slice(0, 40);
  throw unusable(`${origin} must hold a JSON object, not ${kind}`);
}

function parse(text: string, origin: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const offset = findJsonError(text);
    if (offset === undefined) throw error;
    const { line, column } = lineAndColumn(text, offset);
    const found =
      offset === text.length ? 'it ends too early' : `unexpected ${JSON.stringify(text.charAt(offset))}`;
    throw unusable(`${origin} is not JSON: line ${line}, column ${column}: ${found}`);
  }
}

async function readSource(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw unusable(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The decoder drops a byte order mark, which some shells write. */
function decode(bytes: Buffer, origin: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw unusable(`${origin} is not UTF-8 text`);
  }
}

function unusable(message: string): CommandFailure {
  return new CommandFailure(message, { exitCode: 2 });
}
