import { expect, test } from 'vitest';
import { parseManifests } from './manifest.ts';

test('documents become objects, empty ones are skipped, and nothing is dropped', () => {
  const yaml = `
# a comment
---
apiVersion: v1
kind: Namespace
metadata: { name: a, labels: { b: c } }
---
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: things.example.com }
spec: { x-kubernetes-preserve-unknown-fields: true }
`;
  expect(parseManifests(yaml)).toEqual([
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a', labels: { b: 'c' } } },
    {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'things.example.com' },
      spec: { 'x-kubernetes-preserve-unknown-fields': true },
    },
  ]);
});

test.each([
  { name: 'no kind', yaml: 'apiVersion: v1\nmetadata: { name: a }', want: /document 1 .*kind/s },
  { name: 'no object', yaml: 'apiVersion: v1\nkind: A\nmetadata: { name: a }\n---\n- 1', want: /document 2/ },
  { name: 'no YAML', yaml: 'a: [', want: /flow/i },
])('$name is refused', ({ yaml, want }) => {
  expect(() => parseManifests(yaml)).toThrow(want);
});
