import type { z } from 'zod';

/**
 * A rule of the PhaseRun kind in CEL, which the Kubernetes API server checks, with the same rule in TypeScript,
 * which zod checks.
 */
export interface CelRule<Self> {
  readonly rule: string;
  /** A sentence for whoever wrote the object: what is wanted, and why. */
  readonly message: string;
  readonly holds: (self: Self) => boolean;
}

/** A schema that keeps the rules, and carries them into the CRD. */
export function withRules<Schema extends z.ZodObject>(
  schema: Schema,
  description: string,
  rules: readonly CelRule<z.infer<Schema>>[],
): Schema {
  const checked = rules.reduce((inner, { holds, message }) => inner.refine(holds, message), schema);
  return checked.meta({
    description,
    'x-kubernetes-validations': rules.map(({ rule, message }) => ({ rule, message })),
  });
}
