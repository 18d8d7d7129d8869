/**
 * Promises: a rule of a CPU reads and writes of the threads only the one that the CPU runs and the one that it switches
 * to, and of the other CPUs it reads only what they run. On that the memory of judged steps relies, which leaves
 * everything else out of its keys.
 */

import { instanceTable, type RuleInstance, ruleInstances } from '../../model/checker/model';
import { applyInstance, enabledInstances } from '../../model/checker/search/successors';
import { DESIGN_NAMES, MUTANT_NAMES } from '../../model/design-config';
import { type EntryModel, entryModel } from '../../model/entry-model';
import type { State } from '../../model/schema';
import { randomStream } from '../exploration/seeded-random';

const BOUNDS = { cpus: 2, tasks: 3, mms: 2, nesting: 3, nmis: 2, irqs: 2 };
const STEPS = 60;
const MODELS = [...DESIGN_NAMES, ...MUTANT_NAMES];

type Note = (field: string, over: 'cpu' | 'thread', index: number, access: 'reads' | 'writes') => void;

/** The state, in which every access to a row of a field by CPU or by thread is noted. */
function watched(model: EntryModel, state: State, note: Note): State {
  const fields = Object.entries(state).map(([name, value]) => {
    const over = model.schema[name]?.over[0];
    if (over !== 'cpu' && over !== 'thread') return [name, value];
    const rows = new Proxy(value as number[], {
      get(target, key) {
        if (/^\d+$/.test(String(key))) note(name, over, Number(key), 'reads');
        return Reflect.get(target, key);
      },
      set(target, key, to) {
        note(name, over, Number(key), 'writes');
        return Reflect.set(target, key, to);
      },
    });
    return [name, rows];
  });
  return Object.fromEntries(fields);
}

/** What rules touch that is not theirs, and rules that are about a thread to which they do not switch. */
function strangers(model: EntryModel, instances: readonly RuleInstance[], state: State): string[] {
  const found: string[] = [];
  const { apply } = instanceTable(model);
  let tried = instances[0];
  const aboutOf = ({ args, params }: RuleInstance) => (params[1] === 'thread' ? args[1] : state.running[args[0]]);
  const note: Note = (field, over, index, access) => {
    const [c] = tried.args;
    const own = over === 'cpu' ? index === c : index === state.running[c] || index === aboutOf(tried);
    if (!own && !(field === 'running' && access === 'reads')) found.push(`${tried.rule} ${access} ${field}[${index}]`);
  };
  let copy = watched(model, structuredClone(state), note);
  for (tried of instances) {
    const { number, args, params, rule } = tried;
    // A rule that is not enabled has written nothing.
    if (apply[number](model.config, model.bounds, copy, ...args) === false) continue;
    const switched = params[1] !== 'thread' || copy.running[args[0]] === args[1];
    if (!switched) found.push(`${rule} does not switch`);
    copy = watched(model, structuredClone(state), note);
  }
  return found;
}

test.each(MODELS)('%s: no rule touches what belongs to others', (id) => {
  const model = entryModel(id, BOUNDS) as EntryModel;
  const draw = randomStream(`locality of ${id}`);
  const instances = ruleInstances(model);
  let state = model.initial();
  for (let i = 0; i < STEPS; i++) {
    expect(strangers(model, instances, state)).toEqual([]);
    const enabled = enabledInstances(model, state);
    const next = applyInstance(model, state, enabled[Math.floor(draw() * enabled.length)]);
    state = next === undefined || next.failed !== 0 ? model.initial() : { ...next, irqsLeft: 2, nmisLeft: 2 };
  }
});
