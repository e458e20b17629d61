import { describe, expect, test } from 'vitest';
import { digestOf } from './digest.ts';
import { PHASES } from './phase.ts';
import { READING_VERSION, readResult, runReading } from './reading.ts';

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

  test('has another version where the same payload reads differently', () => {
    const readings = PHASES.map((phase) => PAYLOADS.map((data) => readResult(phase, data)));
    const { sha256 } = digestOf({ readings });
    expect([READING_VERSION, sha256.slice(0, 12)]).toEqual([1, 'fe5072d4fcac']);
  });

  test('that lacks something is none', () => {
    const { derived } = readResult('scan', {});
    expect(runReading.safeParse({ derived }).success).toBe(false);
  });
});
