import { z } from 'zod';

/** A schema as a CRD carries it: the structural subset of OpenAPI v3 (apiextensions.k8s.io/v1). */
export interface StructuralSchema {
  readonly [keyword: string]: unknown;
}

/**
 * Turns a zod schema into the structural schema that the API server understands.
 * @throws {Error} for what a structural schema cannot say (unions, tuples, recursion, transforms …), by name
 */
export function toStructuralSchema(schema: z.ZodType): StructuralSchema {
  const json = z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io: 'input',
    unrepresentable: 'throw',
    reused: 'inline',
    cycles: 'throw',
  });
  return walk(json, '');
}

const KEPT = new Set([
  'type',
  'format',
  'description',
  'default',
  'enum',
  'required',
  'pattern',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'maxItems',
  'x-kubernetes-validations',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
]);

function walk(schema: unknown, path: string): StructuralSchema {
  if (!isSchema(schema)) throw new Error(`${path || '.'} is not a schema`);
  return Object.assign(
    {},
    ...Object.entries(schema).map(([keyword, value]) => translate(keyword, value, path)),
  );
}

function translate(keyword: string, value: unknown, path: string): StructuralSchema {
  if (KEPT.has(keyword)) return { [keyword]: value };
  if (keyword === 'items') return { items: walk(value, `${path}[]`) };
  if (keyword === 'properties' && isSchema(value)) {
    const properties = Object.entries(value).map(([name, inner]) => [name, walk(inner, `${path}.${name}`)]);
    return { properties: Object.fromEntries(properties) };
  }
  // A strict object is the rule here, and not to be said; an open one is a value whose content nobody knows, and nobody owns in part.
  if (keyword === 'additionalProperties' && value === false) return {};
  if (keyword === 'additionalProperties' && isSchema(value) && Object.keys(value).length === 0) {
    return { 'x-kubernetes-preserve-unknown-fields': true, 'x-kubernetes-map-type': 'atomic' };
  }
  throw new Error(`${path || '.'}: a structural schema has no ${keyword} of ${JSON.stringify(value)}`);
}

function isSchema(value: unknown): value is StructuralSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
