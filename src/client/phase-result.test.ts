import { describe, expect, it } from 'vitest';
import { ClientUsageError } from './client-errors.ts';
import {
  type JsonObject,
  makePhaseResult,
  type PhaseMetadata,
  sharesSlot,
  toRequestBody,
} from './phase-result.ts';

const metadata: PhaseMetadata = { repo: 'acme/app', issueNumber: 7, commitSha: '7776c71' };
const circular: Record<string, unknown> = {};
circular['self'] = circular;

describe('makePhaseResult', () => {
  it.each<{
    name: string;
    phase?: string;
    data?: JsonObject;
    metadata?: Partial<PhaseMetadata>;
    want: RegExp;
  }>([
    { name: 'an unknown phase', phase: 'deploy', want: /phase must be/ },
    { name: 'a property of every object', phase: 'constructor', want: /phase must be/ },
    { name: 'a repo without an owner', metadata: { repo: 'app' }, want: /repo must be owner\/name/ },
    { name: 'an empty name', metadata: { repo: 'acme/' }, want: /repo must be owner\/name/ },
    { name: 'issue 0', metadata: { issueNumber: 0 }, want: /issueNumber must be a positive integer/ },
    { name: 'a broken issue', metadata: { issueNumber: Number.NaN }, want: /issueNumber must be a positive/ },
    { name: 'no commit', metadata: { commitSha: ' ' }, want: /commitSha is required/ },
    { name: 'data in a circle', data: circular, want: /data cannot be written as JSON/ },
    { name: 'data that JSON has no word for', data: { count: 1n }, want: /data cannot be written as JSON/ },
  ])('refuses $name and names it', ({ phase = 'validation', data = {}, metadata: changes, want }) => {
    const make = () => makePhaseResult(phase, data, { ...metadata, ...changes });
    expect(make).toThrow(ClientUsageError);
    expect(make).toThrow(want);
  });

  it('wants an issue for all phases but scan', () => {
    const scan = { repo: 'acme/app', commitSha: '7776c71' };
    expect(makePhaseResult('scan', {}, scan).phase).toBe('scan');
    expect(() => makePhaseResult('mitigate', {}, scan)).toThrow(/issueNumber is required for mitigation/);
  });

  it('gives every result its own key and a later time than the one before', () => {
    const [first, second] = [makePhaseResult('scan', {}, metadata), makePhaseResult('scan', {}, metadata)];
    expect(second.idempotencyKey).not.toBe(first.idempotencyKey);
    expect(second.timestamp > first.timestamp).toBe(true);
  });

  it('is not changed by what the caller does with the data afterwards', () => {
    const data = { found: ['a'] };
    const result = makePhaseResult('scan', data, metadata);
    data.found.push('b');
    expect(result.data).toEqual({ found: ['a'] });
  });
});

describe('toRequestBody', () => {
  it('is the same bytes after a trip to the disk', () => {
    const data: JsonObject = JSON.parse(
      '{"b":1,"10":2,"9":3,"__proto__":{"x":1},"u":"\\u2028 ü \\ud83d\\ude00","n":1e21}',
    );
    const result = makePhaseResult('validate', data, { ...metadata, branch: 'main' });
    expect(toRequestBody(JSON.parse(JSON.stringify(result)))).toBe(toRequestBody(result));
    expect(JSON.parse(toRequestBody(result))).toMatchObject({
      phase: 'validation',
      repo: 'acme/app',
      branch: 'main',
    });
  });
});

describe('sharesSlot', () => {
  const base = makePhaseResult('validation', {}, metadata);
  it.each<{ name: string; phase?: string; metadata?: Partial<PhaseMetadata>; want: boolean }>([
    { name: 'the same issue at another commit', metadata: { commitSha: 'other' }, want: true },
    { name: 'the mitigation of the issue', phase: 'mitigation', want: true },
    { name: 'the repository in other letters', metadata: { repo: 'Acme/App' }, want: true },
    { name: 'another issue', metadata: { issueNumber: 8 }, want: false },
    { name: 'another forge', metadata: { forge: 'gitlab' }, want: false },
    { name: 'a scan', phase: 'scan', want: false },
  ])('$name: $want', ({ phase = 'validation', metadata: changes, want }) => {
    expect(sharesSlot(base, makePhaseResult(phase, {}, { ...metadata, ...changes }))).toBe(want);
  });
});
