import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { SCOPES } from '../../../src/store/principal.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { claimNamespace, makeTenant, send, startApi, startController } from './api-under-test.ts';

const { url: databaseUrl } = await freshDatabase();
const kubeconfigPath = inject('kubeconfigPath');
const api = await startApi({ kubeconfigPath, databaseUrl, namespace: await freshNamespace() });
await startController({ kubeconfigPath, databaseUrl });
const { customerId, apiKey } = await makeTenant(api.pool, { scopes: SCOPES });
// Whom the examples of the document are about.
await claimNamespace(api.pool, customerId, 'acme');

const parameter = z.object({
  name: z.string(),
  in: z.enum(['path', 'query', 'header']),
  required: z.boolean().optional(),
  description: z.string().optional(),
  example: z.unknown().optional(),
});

const media = z
  .object({
    example: z.unknown().optional(),
    examples: z.record(z.string(), z.object({ value: z.unknown() })).optional(),
  })
  .transform(({ example, examples = {} }) => example ?? Object.values(examples)[0]?.value)
  .refine((example) => example !== undefined, 'has no example');

const operation = z.object({
  operationId: z.string(),
  summary: z.string().min(1),
  tags: z.array(z.string()).length(1),
  security: z.array(z.record(z.string(), z.array(z.string()))).optional(),
  parameters: z.array(parameter).default([]),
  requestBody: z.object({ content: z.object({ 'application/json': media }) }).optional(),
  responses: z.record(z.string(), z.unknown()),
});

const { body: document } = await send(api, '/openapi.json');
const operations = Object.entries(
  z.record(z.string(), z.record(z.string(), operation)).parse(document.paths),
).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, found]) => ({ ...found, path, method: method.toUpperCase() })),
);

test('the document is OpenAPI 3.1', async () => {
  const validator = new Validator();
  expect(await validator.validate(structuredClone(document))).toEqual({ valid: true });
  expect(validator.version).toBe('3.1');
});

test('every reference leads somewhere', () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, to = '']) => to);
  const isThere = (to: string) => to.split('/').reduce((value, key) => value?.[key], document) !== undefined;
  expect(references.length).toBeGreaterThan(100);
  expect(references.filter((to) => !isThere(to))).toEqual([]);
});

test('every operation that asks who calls says what it may answer then', () => {
  const secured = operations.filter(({ security }) => security !== undefined);
  const wanted = ['400', '401', '403', '429', '503'];
  const silent = secured.filter(({ responses }) => wanted.some((status) => responses[status] === undefined));
  expect(secured.length).toBeGreaterThan(20);
  expect(silent.map(({ operationId }) => operationId)).toEqual([]);
});

test('every operation that changes something takes an Idempotency-Key', () => {
  const changing = operations.filter(({ method }) => method !== 'GET');
  const unsafe = changing.filter(({ parameters }) =>
    parameters.every(({ name }) => name !== 'idempotency-key'),
  );
  expect(changing.length).toBeGreaterThan(10);
  expect(unsafe.map(({ operationId }) => operationId)).toEqual([]);
});

describe('an example works', () => {
  test.each(operations)('$method $path', async ({ method, path, parameters, requestBody, responses }) => {
    const { address, headers } = exampleOf(path, parameters);
    const example = requestBody?.content['application/json'];
    const { status } = await send(api, address, {
      method,
      headers: {
        ...headers,
        'x-api-key': apiKey,
        ...(example !== undefined && { 'content-type': 'application/json' }),
      },
      ...(example !== undefined && { body: JSON.stringify(example) }),
    });
    // What an id names exists for no example.
    const succeeded = path.includes('{id}') ? [404] : [200, 201, 202, 204];
    expect(succeeded).toContain(status);
    expect(Object.keys(responses)).toContain(String(status));
  });
});

/** The request that the examples of its parameters make; those without one are left out. */
function exampleOf(path: string, parameters: readonly z.infer<typeof parameter>[]) {
  const given = parameters.filter(({ example }) => example !== undefined);
  const at = (place: string) =>
    given
      .filter((one) => one.in === place)
      .map(({ name, example }): [string, string] => [name, String(example)]);
  const filled = at('path').reduce(
    (address, [name, value]) => address.replace(`{${name}}`, encodeURIComponent(value)),
    path,
  );
  return {
    address: `${filled}?${new URLSearchParams(at('query')).toString()}`,
    headers: Object.fromEntries(at('header')),
  };
}
