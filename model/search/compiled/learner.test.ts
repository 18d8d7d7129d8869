/**
 * Promises: what a learner remembers of the steps of a state are the steps that direct execution takes there, and is used again only there; that no two
 * values have one number; the regions that it makes do not overlap; a violation and missing room end a lesson, and the lock is free afterwards.
 */
import { join } from 'node:path';
import { packState } from '../../translate/packed/packer';
import { sourceProgram } from '../../translate/source-program';
import { ruleInstances } from '../machine';
import { applyInstance } from '../walk';
import { type Capacities, FIRST_CAPACITIES, numberAt } from './components';
import { LearnableModel } from './learnable';
import { Learner } from './learner';
import { type RegionSizes, regionAt, regionLayout } from './state-set';
import { LOCK, makeStepMemory, RECORD_HEAD, REGIONS_LIMIT } from './step-memory';
import { type Coupling, coupled } from './testing/coupled';

const sources = sourceProgram([join(__dirname, 'testing', 'coupled.ts')]);

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

const COUPLING: Coupling = { rules: ['toil', 'switchReady', 'wakeSleeping'], invariants: ['threadsApart'] };

function taught(coupling: Coupling, capacities: Capacities = FIRST_CAPACITIES) {
  const model = coupled(coupling);
  const from = new LearnableModel(model, undefined, { sources, full: true });
  const learnable = from.learnable(capacities);
  const { slots, masks } = learnable;
  const memory = makeStepMemory({ slots, wideWords: masks.words, capacities, renamings: 0, regionWords: 2 ** 30 });
  const learner = new Learner(learnable, memory);
  const { layout } = from.compiled;
  const collapsed = (state: ReturnType<typeof model.initial>, by = learner): Int32Array => {
    const wide = new Int32Array(layout.words);
    const words = new Int32Array(slots.words);
    expect(packState(layout, state, wide)).toBeUndefined();
    expect(by.collapse(wide, words)).toEqual({ kind: 'learnt' });
    return words;
  };
  return { model, learner, memory, slots, collapsed, capacities, learnable };
}

test('local steps are remembered as changes that lead where direct execution leads', () => {
  const { model, learner, memory, slots, collapsed } = taught(COUPLING, { ...FIRST_CAPACITIES, asleepIdle: 15 });
  const initial = model.initial();
  const before = collapsed(initial);
  expect(learner.learn(before, 0)).toEqual({ kind: 'learnt' });
  const toils = ruleInstances(model).filter(({ rule }) => rule === 'toil');
  for (const [cpu, slot] of slots.cpus.entries()) {
    const number = (before[slot.word] >>> slot.shift) & ((1 << slot.bits) - 1);
    const globals = (before[slots.globals.word] >>> slots.globals.shift) & ((1 << slots.globals.bits) - 1);
    const record = memory.local[cpu][(number << slots.globals.bits) | globals];
    expect(record).toBeGreaterThan(0);
    expect(memory.records[record]).toBe(1);
    const after = applyInstance(model, initial, toils[cpu]);
    if (after === undefined) throw new Error('a thread that has not worked can work');
    const change = memory.records.slice(record + RECORD_HEAD, record + RECORD_HEAD + slots.words);
    expect(before.map((word, i) => word ^ change[i])).toEqual(collapsed(after));
  }
});

/** What a learner remembers of a CPU's local steps in a state, as the states that these lead to. */
function remembered({ memory, slots }: ReturnType<typeof taught>, cpu: number, before: Int32Array): Int32Array[] {
  const slot = slots.cpus[cpu];
  const place = (numberAt(before, 0, slot) << slots.globals.bits) | numberAt(before, 0, slots.globals);
  const record = memory.local[cpu][place];
  return Array.from({ length: memory.records[record] }, (_, step) => {
    const at = record + RECORD_HEAD + step * slots.words;
    return before.map((word, w) => word ^ memory.records[at + w]);
  });
}

test('what is known of a CPU whatever the globals are hides no step that depends on them', () => {
  const learning = taught({ rules: ['advance', 'setMode', 'wrap', 'clearMode', 'toil'], waits: 1 });
  const { model, learner, collapsed } = learning;
  const instances = ruleInstances(model);
  for (const mode of [0, 1, 0])
    for (const pc of [0, 1, 2, 3]) {
      const state = model.initial();
      state.mode = mode;
      state.pc[0] = pc;
      const before = collapsed(state);
      expect(learner.learn(before, 0)).toEqual({ kind: 'learnt' });
      const direct = instances
        .filter(({ args }) => args[0] === 0)
        .flatMap((instance) => applyInstance(model, state, instance) ?? []);
      expect(remembered(learning, 0, before)).toEqual(direct.map((after) => collapsed(after)));
    }
});

test('each of many values has a number of its own, and keeps it', () => {
  const { model, memory, collapsed, learnable } = taught(
    { rules: ['toil'], invariants: ['threadsApart'], tasks: 4 },
    { ...FIRST_CAPACITIES, asleepTask: 1 },
  );
  const states = range(6).flatMap((thread) =>
    range(4 * 2 * 3 * 4).map((value) => {
      const state = model.initial();
      state.running = [thread, (thread + 1) % 6];
      state.pc[0] = value % 4;
      state.flag[0] = (value >> 2) % 2;
      state.work[thread] = (value >> 3) % 4;
      state.ready[thread] = value >> 5;
      return state;
    }),
  );
  const first = states.map((state) => collapsed(state).join());
  expect(new Set(first).size).toBe(states.length);
  const counts = memory.control.slice();
  const another = new Learner(learnable, memory);
  expect(states.map((state) => collapsed(state).join())).toEqual(first);
  expect(states.map((state) => collapsed(state, another).join())).toEqual(first);
  expect(memory.control).toEqual(counts);
});

test('what another thread has learnt is known, and given no second number', () => {
  const { model, memory, collapsed, learnable } = taught(COUPLING);
  const first = collapsed(model.initial());
  const counts = memory.control.slice();
  expect(collapsed(model.initial(), new Learner(learnable, memory))).toEqual(first);
  expect(memory.control).toEqual(counts);
});

test('regions do not overlap', () => {
  const { model, memory, slots, collapsed, capacities } = taught(COUPLING);
  const [cpus, threads] = [slots.cpus.length, slots.threads.length];
  const placed: { readonly from: number; readonly to: number }[] = [];
  for (let a = 0; a < threads; a++)
    for (let b = 0; b < threads; b++) {
      if (a === b) continue;
      const state = model.initial();
      state.running = [a, b];
      collapsed(state);
      const sizes: RegionSizes = {
        cpus: [a, b].map((thread) => (thread === 0 ? capacities.runningTask : capacities.runningIdle)),
        threads: [0, 1, 2].map((t) =>
          t === a || t === b ? 0 : t === 0 ? capacities.asleepTask : capacities.asleepIdle,
        ),
        globals: capacities.globals,
      };
      const { words, offset } = regionLayout(sizes);
      const from = memory.regions[regionAt({ cpus, threads, occupants: threads }, [a, b])] + offset;
      placed.push({ from, to: from + words });
    }
  placed.sort((x, y) => x.from - y.from);
  expect(placed).toHaveLength(6);
  expect(placed[0].from).toBeGreaterThan(0);
  for (let i = 1; i < placed.length; i++) expect(placed[i].from).toBeGreaterThanOrEqual(placed[i - 1].to);
  expect(placed[5].to).toBeLessThanOrEqual(memory.control[REGIONS_LIMIT]);
});

describe('what ends a lesson, and leaves the lock free', () => {
  test('a step that violates an invariant', () => {
    const { model, learner, memory, collapsed } = taught({
      rules: ['toil'],
      invariants: ['threadsApart', 'runnersAreFresh'],
    });
    const state = model.initial();
    state.work[0] = 2;
    expect(learner.learn(collapsed(state), 0)).toEqual({ kind: 'bad' });
    expect(memory.control[LOCK]).toBe(0);
  });

  test.each([
    ['records', { records: 2 }],
    ['runningTask', { runningTask: 1 }],
    ['runningIdle', { runningIdle: 1 }],
  ] as const)('no room for %s', (what, less) => {
    const { model, learner, memory, collapsed } = taught(
      { rules: ['toil'], invariants: ['threadsApart'] },
      { ...FIRST_CAPACITIES, ...less },
    );
    const before = collapsed(model.initial());
    expect(learner.learn(before, 0)).toEqual({ kind: 'full', what });
    expect(memory.control[LOCK]).toBe(0);
  });

  test('two CPUs that run one thread, where no invariant forbids it', () => {
    const { model, memory, collapsed } = taught({ rules: ['toil'] });
    const state = model.initial();
    state.running = [1, 1];
    expect(() => collapsed(state)).toThrow(/two CPUs run thread 1/);
    expect(memory.control[LOCK]).toBe(0);
  });
});
