import { expect, test } from 'vitest';
import { AllowedMethods } from './allowed-methods.ts';

const allowed = new AllowedMethods();
allowed.add('/things', ['GET', 'HEAD']);
allowed.add('/things', 'POST');
allowed.add('/things/:id', 'PUT');
allowed.add('/things/:id', 'GET');
allowed.add('/things/new', 'POST');
allowed.add('/openapi.json', 'GET');

allowed.add('/static/*', 'GET');

test.each([
  { name: 'all methods of an address, sorted', path: '/things', want: ['GET', 'HEAD', 'POST'] },
  { name: 'a trailing slash', path: '/things/', want: ['GET', 'HEAD', 'POST'] },
  { name: 'a parameter', path: '/things/7', want: ['GET', 'PUT'] },
  { name: 'a literal path before a parameter', path: '/things/new', want: ['POST'] },
  { name: 'a parameter does not span segments', path: '/things/7/8', want: [] },
  { name: 'a dot is a dot', path: '/openapi-json', want: [] },
  { name: 'a wildcard', path: '/static/css/page.css', want: ['GET'] },
  { name: 'an unknown address', path: '/', want: [] },
])('$name', ({ path, want }) => {
  expect(allowed.find(path)).toEqual(want);
});

test.each([
  { path: '/things/new/', want: true },
  { path: '/things/7', want: false },
  { path: '/static/new', want: false },
  { path: '/unknown', want: false },
])('$path is named literally: $want', ({ path, want }) => {
  expect(allowed.isLiteral(path)).toBe(want);
});
