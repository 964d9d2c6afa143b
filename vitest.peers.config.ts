import {defineConfig} from 'vitest/config';

/** The suites with real peers (servers, brokers, other distributions); `.ci/run` installs what they need. */
export default defineConfig({
  test: {
    include: ['test/peers/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 240_000,
    teardownTimeout: 10_000,
    // Real processes on a machine that others use, too: one more try there, none at a desk, where a doubtful test shall show.
    retry: process.env.CI ? 1 : 0,
    // .ci/run reads a report in JSON beside the one for people.
    reporters: process.env.VITEST_JSON
      ? ['default', ['json', {outputFile: process.env.VITEST_JSON}]]
      : ['default'],
  },
});
