/**
 * Registers the matchers with Jest, for the test file that imports it: `import '../testing/jest'`.
 */
import type { Counterexample } from '../../counterexamples/format';
import { type Plan, toPass, toReproduce, toViolate } from './matchers';

declare global {
  // biome-ignore lint/style/noNamespace: this is how @types/jest is extended
  namespace jest {
    interface Matchers<R> {
      /** The subject holds in the random runs of a plan; or, of `{ subject, walk }`, the walk did not fail. */
      toPass(plan?: Plan): R;
      /** The first violation in the runs of a plan is one of the property with this slug. */
      toViolate(slug: string, plan: Plan): R;
      /** The saved case fails on the subject as it did when it was saved. */
      toReproduce(saved: Counterexample, file: string): R;
    }
  }
}

expect.extend({ toPass, toViolate, toReproduce });
