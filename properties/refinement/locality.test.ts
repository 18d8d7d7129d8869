/**
 * Promises: a rule of a CPU reads and writes of the threads only the one that the CPU runs and the one that it switches
 * to, and of the other CPUs it reads only what they run. On that the memory of judged steps relies, which leaves
 * everything else out of its keys.
 */
import { DESIGN_NAMES, MUTANT_NAMES } from '../../model/design-config';
import { type EntryModel, entryModel } from '../../model/entry-model';
import type { State } from '../../model/schema';
import { instanceTable, ruleInstances } from '../../model/search/machine';
import { applyInstance, enabledInstances } from '../../model/search/walk';
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
function strangers(model: EntryModel, state: State): string[] {
  const found: string[] = [];
  const { apply } = instanceTable(model);
  for (const { rule, args, number, params } of ruleInstances(model)) {
    const [c] = args;
    const about = params[1] === 'thread' ? args[1] : state.running[c];
    const copy = watched(model, structuredClone(state), (field, over, index, access) => {
      const own = over === 'cpu' ? index === c : index === state.running[c] || index === about;
      if (!own && !(field === 'running' && access === 'reads')) found.push(`${rule} ${access} ${field}[${index}]`);
    });
    const enabled = apply[number](model.config, model.bounds, copy, ...args) !== false;
    if (enabled && params[1] === 'thread' && copy.running[c] !== about) found.push(`${rule} does not switch`);
  }
  return found;
}

test.each(MODELS)('%s: no rule touches what belongs to others', (id) => {
  const model = entryModel(id, BOUNDS) as EntryModel;
  const draw = randomStream(`locality of ${id}`);
  let state = model.initial();
  for (let i = 0; i < STEPS; i++) {
    expect(strangers(model, state)).toEqual([]);
    const enabled = enabledInstances(model, state);
    const next = applyInstance(model, state, enabled[Math.floor(draw() * enabled.length)]);
    state = next === undefined || next.failed !== 0 ? model.initial() : { ...next, irqsLeft: 2, nmisLeft: 2 };
  }
});
