import { isUtf8 } from 'node:buffer';
import {
  findUnstorable,
  type PathStep,
  spellPath,
  type Unstorable,
  WRITTEN_OUT_LIMIT,
} from './unstorable.ts';

export { findUnstorable } from './unstorable.ts';

export type ParsedJson =
  | { readonly ok: true; readonly value: unknown }
  | ({ readonly ok: false } & Unstorable);

/**
 * Parses JSON such that what it gives is what was sent, or says which part would not be: bytes that are not
 * UTF-8, what `findUnstorable` finds, and numbers that a double changes. A path of '' is the whole
 * text. A key that is there twice counts as `JSON.parse` counts it: the last.
 * @param writtenOutLimit digits that numbers with exponents may come to in all, written out in full
 */
export function parseJsonExactly(text: string | Buffer, writtenOutLimit = WRITTEN_OUT_LIMIT): ParsedJson {
  if (typeof text !== 'string' && !isUtf8(text)) return { ok: false, path: '', message: 'must be UTF-8' };
  const source = text.toString();
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (error) {
    return { ok: false, path: '', message: `must be JSON: ${describe(error)}` };
  }
  // The order matters: only what is known to be shallow may be parsed again with a reviver, which recurses.
  const problem = findUnstorable(value, '', writtenOutLimit) ?? findInexactNumber(source);
  return problem === undefined ? { ok: true, value } : { ok: false, ...problem };
}

/**
 * Finds a number in JSON text that parsing changes: an integer beyond ±(2^53−1) that comes out as
 * another one, or a number so small that it comes out as zero. Fractions are rounded, as everywhere (RFC 8785).
 * @throws {SyntaxError} when the text is not JSON; {RangeError} when it is nested by the thousands
 */
export function findInexactNumber(text: string): Unstorable | undefined {
  if (!CANDIDATE.test(text)) return undefined;
  const found: { holder?: unknown; key?: string } = {};
  const root: unknown = JSON.parse(
    text,
    function visit(this: unknown, key: string, value: unknown, context?: ReviverContext) {
      if (typeof value === 'number' && found.key === undefined && isChanged(value, context?.source)) {
        found.holder = this;
        found.key = key;
      }
      return value;
    },
  );
  if (found.key === undefined) return undefined;
  const steps = findSteps(root, found.holder);
  const last = Array.isArray(found.holder) ? Number(found.key) : found.key;
  return {
    path: steps === undefined ? '' : spellPath('', [...steps, last]),
    message: 'must be a number that a double can hold exactly',
  };
}

/** The third argument of a reviver (ES2025, JSON.parse source text access). */
interface ReviverContext {
  readonly source?: string;
}

// A number in the place of a value that is long enough, or has an exponent or zeros enough, to be changed by
// parsing: rare, even inside strings. Only then is the slow way worth going.
const CANDIDATE = /(?:^|[:,[\s])-?(?:\d{16}|\d+(?:\.\d+)?[eE][+-]?\d{3}|0\.0{300})/;
const INTEGER = /^-?\d+$/;
const ZERO = /^-?[0.]*(?:[eE]|$)/;

function isChanged(value: number, source: string | undefined): boolean {
  if (source === undefined) return false;
  if (!Number.isFinite(value)) return true;
  if (value === 0) return !ZERO.test(source);
  return INTEGER.test(source) && !Number.isSafeInteger(value) && BigInt(source) !== shortestInteger(value);
}

/** The integer as which a double is written, and so what readers of our answers will see. */
function shortestInteger(value: number): bigint {
  const [mantissa = '', exponent = '0'] = String(value).split('e');
  const [integer = '', fraction = ''] = mantissa.split('.');
  return BigInt(integer + fraction.padEnd(Number(exponent), '0'));
}

function findSteps(value: unknown, holder: unknown): PathStep[] | undefined {
  if (value === holder) return [];
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, child] of Object.entries(value)) {
    const steps = findSteps(child, holder);
    if (steps !== undefined) return [Array.isArray(value) ? Number(key) : key, ...steps];
  }
  return undefined;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message.slice(0, 200).toWellFormed() : 'unreadable';
}
