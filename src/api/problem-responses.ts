import { PROBLEMS, type ProblemCode, problemSchema } from './problem.ts';

interface DocumentedProblem {
  readonly description: string;
  readonly content: { readonly 'application/problem+json': { readonly schema: typeof problemSchema } };
}

/** The part of a route's `response` schema that documents these problems, by status. */
export function problemResponses(...codes: ProblemCode[]): Record<number, DocumentedProblem> {
  const byStatus = Map.groupBy(codes, (code) => PROBLEMS[code].status);
  const documented = [...byStatus].map(([status, group]) => {
    const description = group.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join(' ');
    return [
      status,
      { description, content: { 'application/problem+json': { schema: problemSchema } } },
    ] as const;
  });
  return Object.fromEntries(documented);
}
