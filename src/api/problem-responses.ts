import { PROBLEMS, type ProblemCode, problemSchema } from './problem.ts';

/** How the document shows a problem that an operation may answer. */
export interface DocumentedProblem {
  readonly description: string;
  readonly content: { readonly 'application/problem+json': { readonly schema: typeof problemSchema } };
}

/** What any route may answer that asks who calls. */
const EVERYWHERE = [
  'REQUEST_TIMEOUT',
  'URI_TOO_LONG',
  'EXPECTATION_FAILED',
  'RATE_LIMITED',
  'HEADERS_TOO_LARGE',
  'OVERLOADED',
] as const satisfies readonly ProblemCode[];

/** The part of a route's `response` schema that documents these problems, by status, and those of every such route. */
export function problemResponses(...codes: ProblemCode[]): Record<number, DocumentedProblem> {
  const byStatus = Map.groupBy(new Set([...codes, ...EVERYWHERE]), (code) => PROBLEMS[code].status);
  const documented = [...byStatus].map(([status, group]) => {
    const description = group.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join(' ');
    return [
      status,
      { description, content: { 'application/problem+json': { schema: problemSchema } } },
    ] as const;
  });
  return Object.fromEntries(documented);
}
