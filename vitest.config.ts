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
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
