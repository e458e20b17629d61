import { assert, constantFrom, dictionary, jsonValue, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { measureResult } from './measure.ts';
import { PHASES } from './phase.ts';

describe('measureResult', () => {
  it('counts vulnerabilities by severity, whatever their form', () => {
    const named = ['HIGH', 'high', 'Blocker', '__proto__'].map((severity) => ({ severity }));
    const vulnerabilities = [...named, { type: 'xss' }, 'loose', null];
    expect(measureResult('scan', { vulnerabilities }).severities).toEqual({ high: 2, unknown: 5 });
  });

  it.each([
    [
      'counts that the client gives',
      { tests_generated: 3, tests_passed: 2, tests_failed: 1 },
      { generated: 3, passed: 2, failed: 1 },
    ],
    ['camel case', { testsGenerated: 3 }, { generated: 3 }],
    ['a list of tests', { redTests: [{}, {}] }, { generated: 2 }],
    ['a document around the list', { redTests: { redTests: [{}, {}] } }, { generated: 2 }],
    ['a count of them', { redTests: { count: 4, passed: 1 } }, { generated: 4 }],
    ['tests by name', { redTests: { red: { testName: 'x' } } }, { generated: 1 }],
    ['the older name', { generatedTests: [{}] }, { generated: 1 }],
    ['nothing', {}, {}],
    ['nonsense', { tests_generated: -1, redTests: 'many' }, {}],
  ])('takes the tests of a validation from %s', (_name, data, want) => {
    expect(measureResult('validation', data).tests).toEqual(want);
  });

  it.each([
    [{ validationInconclusive: true }, true],
    [{ infrastructureFailure: true }, true],
    [{ validated: false }, false],
  ])('knows whether %j is inconclusive', (data, want) => {
    expect(measureResult('validation', data).isInconclusive).toBe(want);
  });

  it('takes the duration that the client gives, and no other', () => {
    expect(measureResult('mitigation', { durationMs: 1500 }).durationMs).toBe(1500);
    expect(measureResult('mitigation', { durationMs: '1500' })).not.toHaveProperty('durationMs');
  });

  it('reads any JSON without throwing, and never counts below zero', () => {
    const data = dictionary(string(), jsonValue());
    assert(
      property(constantFrom(...PHASES), data, (phase, payload) => {
        const { severities, tests } = measureResult(phase, payload);
        expect([...Object.values(severities), ...Object.values(tests)].every((count) => count >= 0)).toBe(
          true,
        );
      }),
    );
  });
});
