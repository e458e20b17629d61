import { CommanderError } from 'commander';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ClientUsageError } from '../client/phase-data-client.ts';
import { KubeError } from '../kube/kube-error.ts';
import { DatabaseError } from '../store/errors.ts';
import { CommandFailure, reportFailure } from './failure.ts';

let said: string;

beforeEach(() => {
  said = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe('reportFailure', () => {
  it.each([
    {
      name: 'advice',
      error: new CommandFailure('no a', { advice: 'Make one.' }),
      code: 1,
      want: /^error: no a\nMake one\.\n$/,
    },
    {
      name: 'usage',
      error: new ClientUsageError('repo must be owner/name'),
      code: 2,
      want: /^error: repo must be owner\/name\n$/,
    },
    {
      name: 'a database that is not migrated',
      error: new DatabaseError('unavailable', '42P01', new Error('no relation')),
      code: 1,
      want: /^error: .*no relation\n.*phaserun migrate\n$/,
    },
    {
      name: 'a cluster that is away',
      error: new KubeError({ status: 0, reason: 'Unreachable', message: 'nobody answers' }),
      code: 1,
      want: /^error: nobody answers\nCheck KUBECONFIG/,
    },
    {
      name: 'a port that is taken',
      error: systemError('EADDRINUSE'),
      code: 1,
      want: /^error: listen\nAnother program listens/,
    },
    {
      name: 'a defect, with its place',
      error: new TypeError('x is no function'),
      code: 1,
      want: /x is no function\n +at .*failure\.test/,
    },
    { name: 'what is no error at all', error: 'lost', code: 1, want: /^error: 'lost'\n$/ },
    {
      name: 'nothing twice',
      error: new CommanderError(1, 'commander.unknownOption', 'said'),
      code: 2,
      want: /^$/,
    },
    {
      name: 'nothing of help',
      error: new CommanderError(0, 'commander.helpDisplayed', ''),
      code: 0,
      want: /^$/,
    },
  ])('says $name and ends with $code', ({ error, code, want }) => {
    expect(reportFailure(error)).toBe(code);
    expect(said).toMatch(want);
  });
});

function systemError(code: string): Error {
  return Object.assign(new Error('listen'), { code, syscall: 'listen' });
}
