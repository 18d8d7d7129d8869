/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';

/** The tests of `jest.searches.config.ts`. */
export const SEARCHES = '**/*.searches.test.ts';

/**
 * Tests run in plain Node, from what the build made of the sources (docs/decisions/0042-tests-in-plain-node.md).
 * Campaigns and benchmarks never run in Jest.
 */
const config: Config = {
  runner: ['jest-light-runner', { runtime: 'child_process' }],
  reporters: ['default', '<rootDir>/scripts/jest-not-run.js'],
  setupFiles: ['<rootDir>/scripts/jest-set-up.mjs'],
  // Jest leaves a core idle unless it is told not to.
  maxWorkers: '100%',
  roots: ['<rootDir>/model', '<rootDir>/emulator', '<rootDir>/properties', '<rootDir>/counterexamples'],
  testMatch: ['**/*.test.ts', `!${SEARCHES}`],
};
export default config;
