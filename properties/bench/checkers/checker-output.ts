/** What SPIN's and rumur's checkers print, read into one form. */
import { modelPropertySlug } from '../../../model/property-names';

export interface Answer {
  /** `holds`, `deadlock`, or `violated <property>`. */
  readonly verdict: string;
  readonly states?: number;
  readonly transitions?: number;
  /** Peak of what the states take, where the checker says it. */
  readonly bytes?: number;
  /** Length of the trace; only where there is one. */
  readonly steps?: number;
}

/** What makes rumur ask our question: no symmetry, and a deadlock is a state in which no rule is enabled. */
export const RUMUR_FLAGS: readonly string[] = [
  '--deadlock-detection',
  'stuck',
  '--symmetry-reduction',
  'off',
  '--output-format',
  'machine-readable',
];

/** The number that the pattern captures; an error quotes the output, because it has nothing else to go by. */
function numberIn(text: string, pattern: RegExp): number {
  const found = pattern.exec(text);
  if (found === null)
    throw new Error(`expected ${pattern} in the output of the checker, found:\n${text.slice(0, 2000)}`);
  return Number(found[1]);
}

/**
 * SPIN names the depth of the last state before the error. An assertion of a rule fails in the step after that state;
 * an invariant (`0 || !n`) has failed in it. Its transitions are stored plus matched states, the initial one included.
 * `boot` is the number of steps that it makes before the initial state.
 */
export function readSpin(output: string, boot: number): Answer {
  const error = /^pan:\d+: (.*) \(at depth (\d+)\)$/m.exec(output);
  if (error === null) {
    if (/Search not completed|out of memory|max search depth too small/.test(output))
      throw new Error(`SPIN did not finish:\n${output}`);
    const states = numberIn(output, /(\d+) states, stored/) - boot;
    // From 10^8 on SPIN prints 1.6876056e+08: rounded, and so no count to compare.
    if (/e\+\d+ transitions/.test(output)) return { verdict: 'holds', states };
    return { verdict: 'holds', states, transitions: numberIn(output, /(\d+) transitions/) - 1 - boot };
  }
  const [, message] = error;
  const depth = Number(error[2]) - boot;
  if (message.startsWith('invalid end state')) return { verdict: 'deadlock', steps: depth };
  const property = numberIn(message, /!\s*\(?(\d+)\)?\)$/);
  const isInvariant = /^assertion violated \(0\|\|/.test(message);
  return { verdict: `violated ${modelPropertySlug(property)}`, steps: depth + (isInvariant ? 0 : 1) };
}

/** Bytes of a state as SPIN keeps it, without the table and the link to the next state. */
export function readSpinVector(output: string): number {
  return numberIn(output, /^State-vector (\d+) byte/m);
}

export function readRumur(output: string): Answer {
  const message = /<message>(.*?)<\/message>/s.exec(output)?.[1];
  if (message === undefined) {
    numberIn(output, /<summary .*errors="(0)"/);
    return {
      verdict: 'holds',
      states: numberIn(output, /<summary states="(\d+)"/),
      transitions: numberIn(output, /<summary .*rules_fired="(\d+)"/),
    };
  }
  const steps = output.match(/<transition>Rule /g)?.length ?? 0;
  if (message.includes('deadlock')) return { verdict: 'deadlock', steps };
  const [slug] = /[a-z]+(-[a-z0-9]+)+/.exec(message) ?? [message];
  return { verdict: `violated ${slug}`, steps };
}
