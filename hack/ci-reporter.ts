import { writeFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestCase, TestModule } from 'vitest/node';

/**
 * A vitest reporter for .ci/run: names every skipped test with its reason, and writes `<passed> <failed> <skipped>`
 * to the file that TEST_COUNTS names. A file that could not be loaded, and an error outside of any test, fail too.
 */
export default class CiReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const skipped = tests.filter((test) => test.result().state === 'skipped');
    const failed = tests.filter((test) => test.result().state === 'failed').length;
    const passed = tests.filter((test) => test.result().state === 'passed').length;
    for (const test of skipped) process.stdout.write(`skipped: ${test.fullName}: ${reasonOf(test)}\n`);
    const broken = modules.filter((module) => module.state() === 'failed' && hasNoFailedTest(module)).length;
    const file = process.env['TEST_COUNTS'];
    if (file !== undefined)
      writeFileSync(file, `${passed} ${failed + broken + unhandled.length} ${skipped.length}\n`);
  }
}

function hasNoFailedTest(module: TestModule): boolean {
  return module.children.allTests('failed').next().done === true;
}

function reasonOf(test: TestCase): string {
  const result = test.result();
  return (result.state === 'skipped' ? result.note : undefined) ?? `${test.options.mode}, no reason given`;
}
