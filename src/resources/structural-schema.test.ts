import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { toStructuralSchema } from './structural-schema.ts';

test('what a structural schema can say is said', () => {
  const schema = z
    .strictObject({
      phase: z.enum(['scan', 'validation']).default('scan').describe('The phase.'),
      count: z.int().min(1).max(5).meta({ format: 'int64' }),
      list: z
        .array(
          z.object({
            name: z
              .string()
              .min(1)
              .max(3)
              .regex(/^[a-z]+$/),
          }),
        )
        .max(2)
        .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] }),
      open: z.record(z.string(), z.unknown()).exactOptional(),
    })
    .refine(() => true)
    .meta({ 'x-kubernetes-validations': [{ rule: 'true', message: 'x' }] });
  expect(toStructuralSchema(schema)).toEqual({
    type: 'object',
    required: ['count', 'list'],
    'x-kubernetes-validations': [{ rule: 'true', message: 'x' }],
    properties: {
      phase: { type: 'string', enum: ['scan', 'validation'], default: 'scan', description: 'The phase.' },
      count: { type: 'integer', format: 'int64', minimum: 1, maximum: 5 },
      list: {
        type: 'array',
        maxItems: 2,
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
        items: {
          type: 'object',
          required: ['name'],
          properties: { name: { type: 'string', minLength: 1, maxLength: 3, pattern: '^[a-z]+$' } },
        },
      },
      open: {
        type: 'object',
        'x-kubernetes-preserve-unknown-fields': true,
        'x-kubernetes-map-type': 'atomic',
      },
    },
  });
});

describe('what it cannot is refused, rather than lost', () => {
  test.each<{ name: string; schema: z.ZodType; message: RegExp }>([
    {
      name: 'a union',
      schema: z.object({ a: z.union([z.string(), z.number()]) }),
      message: /^\.a: .* anyOf/,
    },
    { name: 'null', schema: z.object({ a: z.string().nullable() }), message: /^\.a: .* nullable/ },
    {
      name: 'a typed map',
      schema: z.object({ a: z.record(z.string(), z.string()) }),
      message: /^\.a: .* additionalProperties/,
    },
    {
      name: 'two patterns',
      schema: z.object({ a: z.string().regex(/a/).regex(/b/) }),
      message: /^\.a: .* allOf/,
    },
    {
      name: 'a tuple',
      schema: z.object({ a: z.array(z.tuple([z.string()])) }),
      message: /^\.a\[\]\[\]: .* anyOf/,
    },
    { name: 'a date', schema: z.object({ a: z.date() }), message: /Date/ },
  ])('$name', ({ schema, message }) => {
    expect(() => toStructuralSchema(schema)).toThrow(message);
  });
});
