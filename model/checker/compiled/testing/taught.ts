/** A learner of a model of coupled.ts, with a memory of its own. */
import { join } from 'node:path';
import { sourceProgram } from '../../translate/source-program';
import { packState } from '../code/packer';
import { type Capacities, FIRST_CAPACITIES } from '../components';
import { LearnableModel } from '../learnable';
import { Learner } from '../learner';
import type { Lesson } from '../lesson';
import { makeStepMemory } from '../step-memory';
import { type Coupling, coupled } from './coupled';

const sources = sourceProgram([join(__dirname, 'coupled.ts')]);

/** The model, a learner of it with its memory, and the collapsed form of a state that a learner gives. */
export function taught(coupling: Coupling, capacities: Capacities = FIRST_CAPACITIES) {
  const model = coupled(coupling);
  const from = new LearnableModel(model, undefined, { sources, full: true });
  const learnable = from.learnable(capacities);
  const { slots, masks } = learnable;
  const memory = makeStepMemory({ slots, wideWords: masks.words, capacities, renamings: 0, regionWords: 2 ** 30 });
  const learner = new Learner(learnable, memory);
  const { layout } = from.compiled;
  const collapse = (state: ReturnType<typeof model.initial>, words: Int32Array, by = learner): Lesson => {
    const wide = new Int32Array(layout.words);
    if (packState(layout, state, wide) !== undefined) throw new Error('a value has no code');
    return by.collapse(wide, words);
  };
  const collapsed = (state: ReturnType<typeof model.initial>, by = learner): Int32Array => {
    const words = new Int32Array(slots.words);
    const { kind } = collapse(state, words, by);
    if (kind !== 'learnt') throw new Error(`expected that the state gets its numbers, found: ${kind}`);
    return words;
  };
  return { model, learner, memory, slots, collapse, collapsed, capacities, learnable };
}
