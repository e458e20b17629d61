import { expect, test } from 'vitest';
import { keyOf } from './kube-object.ts';
import { collectionPath, objectPath } from './resource-path.ts';

test.each([
  { target: { namespace: 'acme', name: 'a' }, key: 'acme/a' },
  { target: { name: 'acme' }, key: 'acme' },
])('$key names the object', ({ target, key }) => {
  expect(keyOf(target)).toBe(key);
});

const LEASES = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases' };
const NAMESPACES = { group: '', version: 'v1', plural: 'namespaces' };

test.each([
  { path: collectionPath(NAMESPACES), want: '/api/v1/namespaces' },
  { path: collectionPath(LEASES), want: '/apis/coordination.k8s.io/v1/leases' },
  { path: collectionPath(LEASES, 'acme'), want: '/apis/coordination.k8s.io/v1/namespaces/acme/leases' },
  { path: objectPath(NAMESPACES, { name: 'acme' }), want: '/api/v1/namespaces/acme' },
  {
    path: objectPath(LEASES, { namespace: 'acme', name: '../../../api/v1/secrets?a=b' }),
    want: '/apis/coordination.k8s.io/v1/namespaces/acme/leases/..%2F..%2F..%2Fapi%2Fv1%2Fsecrets%3Fa%3Db',
  },
])('$want', ({ path, want }) => {
  expect(path).toBe(want);
});
