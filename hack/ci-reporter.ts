import { writeFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestCase, TestModule } from 'vitest/node';

/**
 * A vitest reporter for .ci/run: names every skipped test with its reason, and writes to the file that TEST_COUNTS
 * names a line `<passed> <failed> <skipped>` and one for each failure with what was wrong. A file that could not be
 * loaded, and an error outside of any test, fail too.
 */
export default class CiReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const skipped = tests.filter((test) => test.result().state === 'skipped');
    const failed = tests.filter((test) => test.result().state === 'failed');
    const passed = tests.filter((test) => test.result().state === 'passed').length;
    for (const test of skipped) process.stdout.write(`skipped: ${test.fullName}: ${reasonOf(test)}\n`);
    const broken = modules.filter((module) => module.state() === 'failed' && hasNoFailedTest(module));
    const failures = [
      ...failed.map((test) =>
        failure(`${test.module.relativeModuleId} > ${test.fullName}`, test.result().errors),
      ),
      ...broken.map((module) => failure(module.relativeModuleId, module.errors())),
      ...unhandled.map((error) => failure('outside of any test', [error])),
    ];
    const file = process.env['TEST_COUNTS'];
    if (file !== undefined)
      writeFileSync(file, [`${passed} ${failures.length} ${skipped.length}`, ...failures, ''].join('\n'));
  }
}

/** In one line, so that it can stand at the end of a log of which only the end is shown. */
function failure(name: string, errors: readonly SerializedError[] | undefined): string {
  const message = errors?.map((error) => error.message).join('; ') ?? '';
  return `failed: ${name}: ${message.replaceAll(/\s+/g, ' ').slice(0, 500)}`;
}

function hasNoFailedTest(module: TestModule): boolean {
  return module.children.allTests('failed').next().done === true;
}

function reasonOf(test: TestCase): string {
  const result = test.result();
  return (result.state === 'skipped' ? result.note : undefined) ?? `${test.options.mode}, no reason given`;
}
