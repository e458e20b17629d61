import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // A run says how many tests there were, and a forgotten `only` fails it.
    reporters: ['default'],
    allowOnly: false,
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts', 'hack/**/*.test.ts'] } },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/fixtures/global-setup.ts'],
          // The servers of the run and of single files share the machine's cores with the tests.
          maxWorkers: 2,
          testTimeout: 60_000,
          hookTimeout: 120_000,
          expect: { poll: { timeout: 20_000 } },
        },
      },
      // On a cluster that hack/e2e starts or is given.
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 240_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
