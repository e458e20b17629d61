import { describe, expect, test } from 'vitest';
import { PHASES } from './phase.ts';
import { readResult, runReading } from './reading.ts';

const PAYLOADS = [
  {},
  { vulnerabilities: [{ severity: 'High' }, { severity: '__proto__' }, 7], durationMs: 1e300 },
  {
    validated: true,
    language: 'javascript',
    framework: 'mocha',
    tests_generated: 3,
    tests_passed: 2,
    tests_failed: 1,
  },
  { validationInconclusive: true, validated: false, vulnerabilities: null },
  { prUrl: 'https://example.com/pull/7', fixes: [{ file: 'a' }, { file: 'b' }], trustScore: 12.5 },
];

describe('a reading', () => {
  test.each(PHASES)('of a %s comes back from JSON as it was', (phase) => {
    for (const data of PAYLOADS) {
      const reading = readResult(phase, data);
      expect(runReading.parse(JSON.parse(JSON.stringify(reading)))).toEqual(reading);
    }
  });

  test('that lacks something is none', () => {
    const { derived } = readResult('scan', {});
    expect(runReading.safeParse({ derived }).success).toBe(false);
  });
});
