import {defineConfig} from 'vitest/config';

/** The suite of `npm test`: needs nothing beyond Node, gcc and cmake. Timing never fails a test. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/peers/**', 'test/bench/**', 'node_modules/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 10_000,
    // Real processes on a machine that others use, too: one more try there, none at a desk, where a doubtful test shall show.
    retry: process.env.CI ? 1 : 0,
    // .ci/run reads a report in JSON beside the one for people.
    reporters: process.env.VITEST_JSON
      ? ['default', ['json', {outputFile: process.env.VITEST_JSON}]]
      : ['default'],
  },
});
