import { z } from 'zod';
import { FORGES, parsePhase, RUN_STATUSES } from './phase.ts';
import { parseTimestamp } from './timestamp.ts';
import { isStorableText } from './unstorable.ts';

/** Longest commit, branch and pipeline run id. */
export const TEXT_LIMIT = 255;
/** Longest error message that is kept; a longer one is cut, since a result is worth more than its stack trace. */
export const ERROR_MESSAGE_LIMIT = 4096;

export const phase = read(
  (value) => (typeof value === 'string' ? parsePhase(value) : undefined),
  'must be scan, validation or mitigation',
);

export const forge = z.enum(FORGES, say('must be github or gitlab'));

export const runStatus = z.enum(RUN_STATUSES, say(`must be one of ${RUN_STATUSES.join(', ')}`));

export const repositoryText = z.string(say('must be a string: owner/name'));

/** A positive integer or its decimal string: no blanks, no leading zeros, nothing that a double would change. */
export const issueNumber = read((value) => {
  const number = typeof value === 'string' && /^[1-9]\d*$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) && number > 0 ? number : undefined;
}, 'must be a positive integer');

export const commitSha = storable(z.string(say('must be a string')))
  .min(1, 'must not be empty')
  .max(TEXT_LIMIT, `must not be longer than ${TEXT_LIMIT} characters`);

/** A string of up to {@link TEXT_LIMIT} characters; the empty one counts as absent. */
export const optionalText = storable(z.string(say('must be a string')))
  .max(TEXT_LIMIT, `must not be longer than ${TEXT_LIMIT} characters`)
  .transform((text) => text || undefined)
  .optional();

/** CI systems number their runs, and some clients send the number. */
export const pipelineRunId = z.preprocess(
  (value) => (Number.isSafeInteger(value) ? String(value) : value),
  optionalText,
);

export const errorMessage = storable(z.string(say('must be a string')))
  .transform((text) => text.slice(0, ERROR_MESSAGE_LIMIT).replace(/[\uD800-\uDBFF]$/, '') || undefined)
  .optional();

export const timestamp = read(
  (value) => (typeof value === 'string' ? parseTimestamp(value) : undefined),
  'must be an RFC 3339 time such as 2026-02-11T09:14:03.220Z',
);

/** Any UUID, in lower case. */
export const uuid = read(
  (value) => (typeof value === 'string' && UUID.test(value) ? value.toLowerCase() : undefined),
  'must be a UUID',
);

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** A field that `reader` makes something of, or nothing. */
function read<T>(reader: (value: unknown) => T | undefined, message: string) {
  return z.unknown().transform((value, context): T => {
    const result = reader(value);
    if (result !== undefined) return result;
    context.addIssue({ code: 'custom', message: value === undefined ? REQUIRED : message });
    return z.NEVER;
  });
}

const REQUIRED = 'is required';

function say(message: string) {
  return { error: ({ input }: { input?: unknown }) => (input === undefined ? REQUIRED : message) };
}

function storable(text: z.ZodString): z.ZodString {
  return text.refine(isStorableText, 'must not hold NUL or a lone surrogate');
}
