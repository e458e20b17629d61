import { z } from 'zod';
import { parseCursor } from '../domain/page-position.ts';
import { parseTimestamp } from '../domain/timestamp.ts';
import { isStorableText } from '../domain/unstorable.ts';

const REQUIRED = 'is required';
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** Longest role, and longest type of a task, as the columns have it. */
const NAME_LIMIT = 50;
/** Longest text that is looked up. */
export const LOOKUP_LIMIT = 255;

const PAGE_SIZE = { low: 1, high: 100, default: 20 };

/** The error of a field: that it is missing, or what it must be. */
export function say(message: string) {
  return {
    error: ({ input }: { readonly input?: unknown }) => (input === undefined ? REQUIRED : message),
  };
}

const EXAMPLE_ID = '0190163d-8694-739b-aea5-966c26f8ad91';

/** A role, or the type of a task. */
export const name = text(NAME_LIMIT);

export const uuid = z.guid(say('must be a UUID')).meta({ examples: [EXAMPLE_ID] });

/** A text that is not empty, of at most so many characters as Postgres and JSON Schema count them. */
export function text(limit: number) {
  return z
    .string(say('must be a string'))
    .min(1, 'must not be empty')
    .refine((value) => Array.from(value).length <= limit, `must not be longer than ${limit} characters`)
    .refine(isStorableText, 'must not hold NUL or a lone surrogate')
    .meta({ maxLength: limit });
}

/** A text as long as the body may be. */
export const prose = z.string(say('must be a string'));

export const object = z.record(z.string(), z.unknown(), say('must be an object'));

/** A field that may be left out; null is how many clients say so. */
export function optional<Schema extends z.ZodType>(schema: Schema) {
  return schema.nullish().transform((value) => value ?? undefined);
}

/** The body of a request, with an example for the document; zod drops `examples` of what it transforms. */
export function body<Shape extends z.ZodRawShape>(shape: Shape, example: object) {
  return z
    .object(shape, { error: () => 'must be a JSON object' })
    .meta({ 'x-examples': { example: { value: example } } });
}

export const idParameter = z.object({ id: uuid });

/** How many rows a page has; sizes beyond the bounds count as the bound. */
export const pageSize = integerWithin(PAGE_SIZE).describe(
  '1 to 100, 20 when left out; what is beyond counts as the bound.',
);

/** Number of a page, from 1. Far beyond any list it stays a number that both stores of ours can count to. */
export const pageNumber = integerWithin({ low: 1, high: 1e12, default: 1 }).describe(
  'From 1, which it is when left out.',
);

function integerWithin(bounds: { readonly low: number; readonly high: number; readonly default: number }) {
  return z
    .string(say('must be an integer'))
    .refine((value) => /^-?\d+$/.test(value), 'must be an integer')
    .transform((value) => Math.min(Math.max(Number(value), bounds.low), bounds.high))
    .default(bounds.default)
    .meta({ type: 'integer', default: bounds.default });
}

/**
 * Where a list goes on.
 * @param format names cursors of this kind in the document
 */
export function cursor(isId: (text: string) => boolean, format = 'cursor') {
  return z
    .string(say('must be a string'))
    .transform((value, context) => {
      const position = parseCursor(value, isId);
      if (position !== undefined) return position;
      context.addIssue({ code: 'custom', message: 'must be a next_cursor of this list' });
      return z.NEVER;
    })
    .optional()
    .meta({ format, description: 'The `next_cursor` of the page before, and nothing else.' });
}

/** Ids of sessions, tasks and approvals. */
export function isUuid(id: string): boolean {
  return UUID.test(id);
}

/** A moment; in a query a `+` that was not escaped has become a blank. */
export const since = z
  .string(say('must be a string'))
  .transform((value, context) => {
    const time = parseTimestamp(value.replace(/ (?=\d\d:\d\d$)/, '+'));
    if (time !== undefined) return time;
    context.addIssue({
      code: 'custom',
      message: 'must be an RFC 3339 time such as 2026-02-11T09:14:03.220Z',
    });
    return z.NEVER;
  })
  .optional()
  .meta({ format: 'date-time' });

/** Where the next page goes on, in the answer to a list. */
export const nextCursor = z
  .string()
  .nullable()
  .describe('Send it as `cursor` for the next page; null at the end.');
