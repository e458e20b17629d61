import { isKept } from './replayable-answer.ts';

/** As much of an OpenAPI document as is completed here. */
interface Document {
  readonly paths?: Readonly<Record<string, PathItem | undefined>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, unknown>> };
}

type PathItem = Readonly<Record<string, unknown>>;

interface Operation {
  readonly security?: unknown;
  readonly parameters?: readonly { readonly name?: string }[];
  readonly responses: Readonly<Record<string, Response>>;
}

interface Response {
  readonly content?: object;
}

/** A header of answers, and of which. */
interface AnswerHeader {
  readonly name: string;
  readonly header: {
    readonly description: string;
    readonly required?: true;
    readonly schema: object;
    readonly example: unknown;
  };
  readonly isSent: (operation: Operation, status: number) => boolean;
}

const ANSWER_HEADERS: readonly AnswerHeader[] = [
  {
    name: 'x-request-id',
    header: {
      description: "Names this request in the logs: the client's own `x-request-id`, else a new one.",
      required: true,
      schema: { type: 'string', maxLength: 128 },
      example: '5d1c5a0e-6f5b-4c39-9f0b-3f3f5d1f3f0a',
    },
    isSent: () => true,
  },
  {
    name: 'x-trace-id',
    header: {
      description: 'The trace of the request: the one that the client sent, else a new one.',
      schema: { type: 'string' },
      example: '4bf92f3577b34da6a3ce929d0e0e4736',
    },
    isSent: (operation) => takes(operation, 'x-trace-id'),
  },
  {
    name: 'x-ratelimit-limit',
    header: {
      description: 'Requests that may be made in an hour; absent where there is no limit.',
      schema: { type: 'integer', minimum: 1 },
      example: 20_000,
    },
    isSent: isCounted,
  },
  {
    name: 'x-ratelimit-remaining',
    header: {
      description: 'How many of them are left.',
      schema: { type: 'integer', minimum: 0 },
      example: 19_958,
    },
    isSent: isCounted,
  },
  {
    name: 'x-ratelimit-reset',
    header: {
      description: 'Seconds until they are counted from the start.',
      schema: { type: 'integer', minimum: 0 },
      example: 1_712,
    },
    isSent: isCounted,
  },
  {
    name: 'retry-after',
    header: {
      description: 'Seconds after which to try again. A 409 has it while the same request is under way.',
      schema: { type: 'integer', minimum: 0 },
      example: 5,
    },
    isSent: (operation, status) =>
      operation.security !== undefined &&
      (status === 429 || status === 503 || (status === 409 && takes(operation, 'idempotency-key'))),
  },
  {
    name: 'idempotency-replayed',
    header: {
      description: 'This is the answer to an earlier request under the same Idempotency-Key.',
      schema: { type: 'string', const: 'true' },
      example: 'true',
    },
    isSent: (operation, status) => takes(operation, 'idempotency-key') && isKept(status),
  },
  {
    name: 'www-authenticate',
    header: {
      description: 'What to send instead (RFC 6750); on a 403 where a scope is missing.',
      schema: { type: 'string' },
      example: 'Bearer realm="phaserun"',
    },
    isSent: (_operation, status) => status === 401 || status === 403,
  },
];

function isCounted({ security }: Operation, status: number): boolean {
  return security !== undefined && status !== 401;
}

function takes({ parameters = [] }: Operation, header: string): boolean {
  return parameters.some(({ name }) => name === header);
}

/**
 * Adds to a document what routes do not say one by one, the headers of their answers; has problems that several routes answer
 * alike said once; and takes out the schemas that none of them refers to: each is offered twice, as input and as output.
 */
export function completeDocument<D extends Document>(document: D) {
  const shared = new SharedResponses();
  const paths = Object.entries(document.paths ?? {}).map(([path, item = {}]) => [
    path,
    completePath(item, shared),
  ]);
  const headers = Object.fromEntries(ANSWER_HEADERS.map(({ name, header }) => [name, header]));
  const schemas = referredSchemas(document);
  return {
    ...document,
    paths: Object.fromEntries(paths) as D['paths'],
    components: { ...document.components, responses: shared.components(), headers, schemas },
  };
}

/** Problems under names, those that are equal under one. */
class SharedResponses {
  readonly #names = new Map<string, string>();
  readonly #variants = new Map<number, number>();

  /** A reference to this response. */
  refer(status: number, response: object): { readonly $ref: string } {
    const text = JSON.stringify(response);
    const name = this.#names.get(text) ?? this.#nameNext(status);
    this.#names.set(text, name);
    return { $ref: `#/components/responses/${name}` };
  }

  components(): Record<string, unknown> {
    return Object.fromEntries([...this.#names].map(([text, name]) => [name, JSON.parse(text)]));
  }

  #nameNext(status: number): string {
    const variant = (this.#variants.get(status) ?? 0) + 1;
    this.#variants.set(status, variant);
    return variant === 1 ? `Problem${status}` : `Problem${status}-${variant}`;
  }
}

function completePath(item: PathItem, shared: SharedResponses): PathItem {
  return Object.fromEntries(
    Object.entries(item).map(([key, value]) => [
      key,
      isOperation(value) ? completeOperation(value, shared) : value,
    ]),
  );
}

function isOperation(value: unknown): value is Operation {
  return typeof value === 'object' && value !== null && 'responses' in value;
}

function completeOperation(operation: Operation, shared: SharedResponses): Operation {
  const responses = Object.entries(operation.responses).map(([key, response]) => {
    const status = Number(key);
    const complete = { ...response, headers: headersOf(operation, status) };
    return [key, isProblem(response) ? shared.refer(status, complete) : complete];
  });
  return { ...operation, responses: Object.fromEntries(responses) };
}

function isProblem({ content = {} }: Response): boolean {
  return 'application/problem+json' in content;
}

function headersOf(operation: Operation, status: number): object {
  const sent = ANSWER_HEADERS.filter(({ isSent }) => isSent(operation, status));
  return Object.fromEntries(sent.map(({ name }) => [name, { $ref: `#/components/headers/${name}` }]));
}

/** The schemas that paths refer to, directly or through others. */
function referredSchemas({ paths, components }: Document): Record<string, unknown> {
  const schemas = components?.schemas ?? {};
  const referred = new Set<string>();
  const look = (value: unknown) => {
    for (const [, name = ''] of JSON.stringify(value).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (referred.has(name)) continue;
      referred.add(name);
      look(schemas[name]);
    }
  };
  look(paths);
  return Object.fromEntries(Object.entries(schemas).filter(([name]) => referred.has(name)));
}
