/**
 * The code that the compiled search runs, as a file that a person can read: where each value lies in the words of a
 * state, the rules and invariants as functions on these words with the kernel of the ordered search, and the kernel of
 * the search that learns its steps. An earlier search may have widened the layout, and this one finds that.
 */
import type { Transient } from '../language/schema-types';
import { instanceName, type Model, ruleInstances } from '../model';
import type { Layout, PlacedCell } from './code/layout';
import { FIRST_CAPACITIES } from './components';
import { kernelShape, kernelSource } from './kernel-source';
import { LearnableModel } from './learnable';

/** The model as JavaScript. `design` is its name, for the heading. */
export function toJavaScript<S extends Transient, D>(model: Model<S, D>, design: string): string {
  const learnable = new LearnableModel(model, undefined, {});
  const { compiled } = learnable;
  // What the initial state holds has a code from here on.
  compiled.initial();
  const bounds = Object.entries(model.bounds).map(([name, value]) => `${name} ${value}`);
  const shape = kernelShape(learnable.learnable(learnable.recall('blocks', FIRST_CAPACITIES).capacities));
  return [
    `// The abstract machine of the design ${design}, as pti-check verify runs it, by pti-check export --to javascript.`,
    `// Bounds: ${bounds.join(', ')}.`,
    ...commented('Where the values of a state lie (word, bits, the value of each code); bit 0 of each word is 1:'),
    ...commented(placesInWords(compiled.layout)),
    ...commented('Rule instances:', instancesInWords(model)),
    '',
    ...commented(
      'The ordered search, which finds the shortest trace. successors() stores the state after each rule, and the number',
      'of the rule instance behind it; judge() answers the property that a state violates, or 0.',
    ),
    `exports.ordered = ${asFunction(compiled.source())};`,
    '',
    ...commented(
      'The search that learns its steps and counts. A state is here the numbers of the values of its components: a CPU',
      'with its thread, a thread that waits, the globals. All about steps is in the arrays of `memory`.',
    ),
    `exports.learned = ${asFunction(kernelSource(shape))};`,
    '',
  ].join('\n');
}

const commented = (...lines: readonly (string | readonly string[])[]) => lines.flat().map((line) => `// ${line}`);

function placesInWords({ cells }: Layout): string[] {
  const placed = cells.filter(({ bits }) => bits > 0);
  return placed.map(({ field, index, word, shift, bits, decoded }) => {
    const place = bits === 1 ? `bit ${shift}` : `bits ${shift} to ${shift + bits - 1}`;
    return `  ${nameOf({ field, index })}: w${word}, ${place}: ${decoded.join(', ')}`;
  });
}

function instancesInWords<S extends Transient, D>(model: Model<S, D>): string[] {
  return ruleInstances(model).map((instance) => `  ${instance.number}: ${instanceName(instance, model.bounds)}`);
}

function nameOf({ field, index }: Pick<PlacedCell, 'field' | 'index'>): string {
  return `${field}${index.map((i) => `[${i}]`).join('')}`;
}

/** The body of a function, called at once. */
function asFunction(body: string): string {
  return ['(() => {', ...indented(body).map((line) => (line === '' ? '' : `  ${line}`)), '})()'].join('\n');
}

/** The lines of generated text, which has braces in its code only, by the depth of their blocks. */
function indented(text: string): string[] {
  let depth = 0;
  return text.split('\n').map((raw) => {
    const line = raw.trim();
    const closes = /^[}\])]+/.exec(line)?.[0].length ?? 0;
    const shown = line === '' ? '' : '  '.repeat(Math.max(0, depth - closes)) + line;
    for (const character of line) {
      if ('{[('.includes(character)) depth++;
      if ('}])'.includes(character)) depth--;
    }
    return shown;
  });
}
