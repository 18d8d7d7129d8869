/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';
import config, { SEARCHES } from './jest.config';

/**
 * Every design and mutant, searched in each way, and the answers compared: `npm run test:searches`, a step of
 * `.ci/run`. `npm test` compares some of them.
 */
const searches: Config = { ...config, testMatch: [SEARCHES] };
export default searches;
