import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // A run says how many tests there were, and a forgotten `only` fails it.
    reporters: ['default'],
    allowOnly: false,
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts'] } },
      {
        test: {
          name: 'integration',
          include: ['test/**/*.test.ts'],
          globalSetup: ['test/fixtures/global-setup.ts'],
          // The servers of the run and of single files share the machine's cores with the tests.
          maxWorkers: 2,
          // Real servers on a shared machine: in CI a failure has to repeat itself to count, and the report tells of the first.
          retry: process.env['CI'] === 'true' ? 1 : 0,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
