import type { z } from 'zod';
import type { JsonObject } from './run.ts';

/** What is wrong with a request, and where: `path` is the field as the client spelled it. */
export interface FieldProblem {
  readonly path: string;
  /** A sentence that begins with the path. */
  readonly message: string;
}

/** The names under which a field is accepted; the first that is there wins, and is the one to document. */
export type Spellings<Field extends string> = Readonly<Record<Field, readonly [string, ...string[]]>>;

/** A request's fields under one name each, with the spelling that the client used. */
export interface SpelledFields<Field extends string> {
  readonly values: { readonly [F in Field]?: unknown };
  readonly spelling: Readonly<Record<Field, string>>;
}

/**
 * Gathers the fields of a request by any of their spellings. Null is how many clients say absent, so the next
 * spelling is asked; it is kept only where nothing better is, for the schema to judge.
 */
export function gatherFields<Field extends string>(
  source: JsonObject,
  spellings: Spellings<Field>,
): SpelledFields<Field> {
  const fields = Object.keys(spellings) as Field[];
  const spelling = Object.fromEntries(
    fields.map((field) => [field, findSpelling(source, spellings[field])]),
  ) as Record<Field, string>;
  const values = Object.fromEntries(
    fields.map((field) => [field, own(source, spelling[field])]),
  ) as SpelledFields<Field>['values'];
  return { values, spelling };
}

/** Names the fields of a failed parse as the client spelled them, in the order of the schema. */
export function nameProblems(
  issues: readonly z.core.$ZodIssue[],
  spelling: Readonly<Record<string, string>>,
): FieldProblem[] {
  return issues.map((issue) => {
    const field = String(issue.path[0]);
    return problemOf(spelling[field] ?? field, issue.message);
  });
}

/** @param sentence what the field must be, without its name */
export function problemOf(path: string, sentence: string): FieldProblem {
  return { path, message: `${path} ${sentence}` };
}

function findSpelling(source: JsonObject, spellings: readonly [string, ...string[]]): string {
  const there = spellings.filter((name) => own(source, name) !== undefined);
  return there.find((name) => source[name] !== null) ?? there[0] ?? spellings[0];
}

function own(source: JsonObject, name: string): unknown {
  return Object.hasOwn(source, name) ? source[name] : undefined;
}
