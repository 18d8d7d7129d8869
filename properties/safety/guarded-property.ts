/**
 * Somebody else's property is code that nobody here has read: what it throws, and an answer that is none, are told as a
 * mistake in that property and not as one of ours.
 */
import { BadInputError } from '../bad-input';
import type { Answer, Moment, Moments } from './moments';
import type { Property } from './property';

type Check = (...given: readonly unknown[]) => unknown;

function guarded(slug: string, moment: string, check: Check): (...given: readonly unknown[]) => Answer {
  return (...given) => {
    const answer = answerOf(slug, moment, check, given);
    if (answer === undefined || (typeof answer === 'string' && answer !== '')) return answer;
    throw new BadInputError(
      `expected the property ${slug} to answer undefined or a sentence at ${moment}, found ${JSON.stringify(answer)}; mend its file`,
    );
  };
}

function answerOf(slug: string, moment: string, check: Check, given: readonly unknown[]): unknown {
  try {
    return check(...given);
  } catch (error) {
    const [what, where = ''] = error instanceof Error && error.stack ? error.stack.split('\n') : [String(error)];
    throw new BadInputError(
      `expected the property ${slug} to answer at ${moment}, found that it throws: ${what}; mend its file`,
      [where],
    );
  }
}

/** The property with checks that throw BadInputError, which names it and the moment, for whatever is wrong in them. */
export function guardedProperty<P extends Property>(property: P): P {
  const { slug, moments } = property;
  const guard = (checks: Moments): Moments =>
    Object.fromEntries(
      Object.entries(checks).map(([moment, check]) => [moment as Moment, guarded(slug, moment, check as Check)]),
    );
  return { ...property, moments: typeof moments === 'function' ? (view) => guard(moments(view)) : guard(moments) };
}
