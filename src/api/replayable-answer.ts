import type { FastifyReply } from 'fastify';
import { type KeptAnswer, keptAnswer } from '../store/idempotency.ts';
import { makeProblem, PROBLEMS, type ProblemError } from './problem.ts';

/** What a route answers, before it is written out. */
export interface Answer {
  readonly status: number;
  /** Undefined for none. */
  readonly body?: unknown;
  /** What is kept under an Idempotency-Key instead, and given again: the body without what is shown once. */
  readonly keptBody?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Whether an answer stays the same however often it is asked for; what depends on the moment or on rights does not. */
export function isKept(status: number): boolean {
  return (status >= 200 && status < 300) || (status >= 400 && status < 500 && !PASSING.has(status));
}

const PASSING: ReadonlySet<number> = new Set([401, 403, 408, 429]);

/** An answer as it is sent now, and as it is kept. */
export interface WrittenAnswer {
  readonly sent: KeptAnswer;
  readonly kept: KeptAnswer;
}

/** Writes both forms of an answer out. */
export function writeBoth(reply: FastifyReply, answer: Answer): WrittenAnswer {
  const sent = writeAnswer(reply, answer);
  if (answer.keptBody === undefined) return { sent, kept: sent };
  return { sent, kept: writeAnswer(reply, { ...answer, body: answer.keptBody }) };
}

/** Writes an answer out, as the route's schema has it. */
export function writeAnswer(reply: FastifyReply, { status, body, headers = {} }: Answer): KeptAnswer {
  if (body === undefined) return { status, headers, body: null };
  const bySchema: unknown =
    reply.getSerializationFunction(String(status), 'application/json') ??
    reply.getSerializationFunction(String(status));
  const text: unknown = typeof bySchema === 'function' ? bySchema(body) : JSON.stringify(body);
  return keptAnswer.parse({ status, headers: { 'content-type': JSON_TYPE, ...headers }, body: text });
}

const JSON_TYPE = 'application/json; charset=utf-8';

/** The answer to a request that was refused, as the error handler writes it. */
export function writeProblem(problem: ProblemError, requestId: string): KeptAnswer {
  return {
    status: PROBLEMS[problem.code].status,
    headers: { ...problem.headers, 'cache-control': 'no-store', 'content-type': 'application/problem+json' },
    body: JSON.stringify(makeProblem(problem, requestId)),
  };
}

/** Sends an answer for the first time. */
export function sendAnswer(reply: FastifyReply, { status, headers, body }: KeptAnswer): FastifyReply {
  return reply
    .code(status)
    .headers(headers)
    .send(body ?? undefined);
}

/** Sends an answer again, and says so. */
export function replayAnswer(reply: FastifyReply, answer: KeptAnswer): FastifyReply {
  return sendAnswer(reply.header('idempotency-replayed', 'true'), answer);
}
