/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';

/** Tests run from the TypeScript sources (swc, no type check: `npm run typecheck` does that); campaigns and benchmarks never run in Jest. */
const config: Config = {
  testEnvironment: 'node',
  // Jest leaves a core idle unless it is told not to.
  maxWorkers: '100%',
  roots: ['<rootDir>/model', '<rootDir>/emulator', '<rootDir>/properties', '<rootDir>/counterexamples'],
  testMatch: ['**/*.test.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
};
export default config;
