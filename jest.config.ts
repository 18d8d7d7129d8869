/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';

/** The tests of `jest.searches.config.ts`. */
export const SEARCHES = '**/*.searches.test.ts';

/**
 * Tests run from the TypeScript sources (no type check: `npm run typecheck` does that); campaigns and benchmarks never
 * run in Jest.
 */
const config: Config = {
  testEnvironment: 'node',
  setupFiles: ['<rootDir>/scripts/jest-collect.js'],
  // Jest leaves a core idle unless it is told not to.
  maxWorkers: '100%',
  // A test's modules run in a context of their own, where every look-up of a global goes through an interceptor, a
  // hundred times as slow as a parameter.
  sandboxInjectedGlobals: [
    'Array',
    'BigInt',
    'Int32Array',
    'JSON',
    'Map',
    'Math',
    'Number',
    'Object',
    'Reflect',
    'Set',
    'String',
    'Symbol',
    'Uint32Array',
    'Uint8Array',
  ],
  roots: ['<rootDir>/model', '<rootDir>/emulator', '<rootDir>/properties', '<rootDir>/counterexamples'],
  testMatch: ['**/*.test.ts', `!${SEARCHES}`],
  transform: { '^.+\\.ts$': '<rootDir>/scripts/jest-transform.js' },
};
export default config;
