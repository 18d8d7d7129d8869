import { ruleInstances } from '../model';
import { applyInstance } from '../search/successors';
import { FIRST_CAPACITIES, numberAt } from './components';
import { Learner } from './learner';
import { BLOCK_BITS, FAR, moveOf } from './state-set';
import { BLOCK_RECORD, COUNT_BITS, dump, LOCK, RECORD_HEAD, restore, stepStride } from './step-memory';
import type { Coupling } from './testing/coupled';
import { taught } from './testing/taught';

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

const COUPLING: Coupling = { rules: ['toil', 'switchReady', 'wakeSleeping'], invariants: ['threadsApart'] };

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
    const at = record + RECORD_HEAD + step * stepStride(slots.words);
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

const LOCAL: Coupling = { rules: ['advance', 'wrap', 'setMode', 'toil'], invariants: ['threadsApart'] };
const MANY: Coupling = { ...LOCAL, rules: [...LOCAL.rules, 'wakeSleeping'] };

/**
 * States with all values that the last CPU can have with each thread of its own, and some for which nothing is learnt.
 */
function manyStates(model: ReturnType<typeof taught>['model']) {
  return range(2 * 2 * 4 * 2 * 4 * 3).map((value) => {
    const state = model.initial();
    state.running = [0, 1 + (value % 2)];
    const thread = state.running[1];
    state.mode = (value >> 1) % 2;
    state.pc[1] = (value >> 2) % 4;
    state.flag[1] = (value >> 4) % 2;
    state.work[thread] = (value >> 5) % 4;
    state.ready[thread] = value >> 7;
    return state;
  });
}

/**
 * Learns states by the learners in turn, the i-th state by the learner i % n; those that `isSkipped` says are only
 * given numbers.
 */
function learnAll(learning: ReturnType<typeof taught>, by: readonly Learner[], isSkipped = (_: number) => false): void {
  manyStates(learning.model).forEach((state, i) => {
    const learner = by[i % by.length];
    const words = learning.collapsed(state, learner);
    if (!isSkipped(i)) expect(learner.learn(words, 0)).toEqual({ kind: 'learnt' });
  });
}

/** What `blocks` has to say of a value of the last CPU, found out from its record. */
function summaryOf({ memory, slots }: ReturnType<typeof taught>, value: number, globals: number) {
  const last = slots.cpus[slots.cpus.length - 1];
  const record = memory.local[slots.cpus.length - 1][(value << slots.globals.bits) | globals];
  if (record === 0) return { isKnown: false, isQuiet: false, hasSteps: false, count: 0 };
  const steps = memory.records[record];
  const changes = range(steps).map((step) => {
    const at = record + RECORD_HEAD + step * stepStride(slots.words);
    return memory.records.slice(at, at + slots.words);
  });
  const isOwn = (change: Int32Array) =>
    change.every((word, w) => (w === last.word ? (word & ~(((1 << last.bits) - 1) << last.shift)) === 0 : word === 0));
  const isQuiet = memory.records[record + 1] === 0 && steps < 2 ** COUNT_BITS && changes.every(isOwn);
  return { isKnown: true, isQuiet, hasSteps: steps > 0, count: steps % 2 ** COUNT_BITS };
}

/** What it says. */
function inBlocks({ memory, slots }: ReturnType<typeof taught>, value: number, globals: number) {
  const block = (Math.floor(value / 2 ** BLOCK_BITS) * 2 ** slots.globals.bits + globals) * BLOCK_RECORD;
  const bit = (word: number) => (memory.blocks[block + word] >>> (value % 2 ** BLOCK_BITS)) & 1;
  const count = range(COUNT_BITS).reduce((sum, i) => sum + bit(3 + i) * 2 ** i, 0);
  return { isKnown: bit(0) === 1, isQuiet: bit(1) === 1, hasSteps: bit(2) === 1, count };
}

describe('what is said of 32 values at once', () => {
  test.each([
    { coupling: LOCAL, otherCounts: [2, 3] },
    { coupling: MANY, otherCounts: [1, 2] },
  ])('$coupling.rules: is what their records say', ({ coupling, otherCounts }) => {
    const learning = taught(coupling, { ...FIRST_CAPACITIES, asleepIdle: 15 });
    const { learner, slots } = learning;
    learnAll(learning, [learner], (i) => i % 7 === 3);
    const kinds = new Map<string, number>();
    // One expectation for all: there are 65,536 of them, and an expectation is slower than what it looks at.
    const wrong: string[] = [];
    for (const value of range(2 ** slots.cpus[1].bits))
      for (const globals of range(2 ** slots.globals.bits)) {
        const kind = JSON.stringify(inBlocks(learning, value, globals));
        const recorded = JSON.stringify(summaryOf(learning, value, globals));
        if (kind !== recorded) wrong.push(`value ${value}, globals ${globals}: ${kind}, recorded ${recorded}`);
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      }
    expect(wrong).toEqual([]);
    const countOf = (isQuiet: boolean, count: number) =>
      kinds.get(JSON.stringify({ isKnown: true, isQuiet, hasSteps: true, count })) ?? 0;
    for (const count of [1, 2]) expect(countOf(true, count)).toBeGreaterThan(0);
    for (const count of otherCounts) expect(countOf(false, count)).toBeGreaterThan(0);
  });

  test('stays, whichever learners of one memory learn', () => {
    const alone = taught(MANY, { ...FIRST_CAPACITIES, asleepIdle: 15 });
    learnAll(alone, [alone.learner]);
    const shared = taught(MANY, { ...FIRST_CAPACITIES, asleepIdle: 15 });
    const another = new Learner(shared.learnable, shared.memory);
    learnAll(shared, [shared.learner, another]);
    expect(shared.memory.blocks).toEqual(alone.memory.blocks);
    learnAll(shared, [another, shared.learner]);
    expect(shared.memory.blocks).toEqual(alone.memory.blocks);
  });

  test('is kept with the steps', () => {
    const before = taught(MANY, { ...FIRST_CAPACITIES, asleepIdle: 15 });
    learnAll(before, [before.learner]);
    const after = taught(MANY, { ...FIRST_CAPACITIES, asleepIdle: 15 });
    restore(after.memory, dump(before.memory));
    expect(after.memory.blocks).toEqual(before.memory.blocks);
    learnAll(after, [new Learner(after.learnable, after.memory)]);
    expect(after.memory.blocks).toEqual(before.memory.blocks);
  });
});

test('each step of a record says how far it goes', () => {
  const learning = taught(MANY, { ...FIRST_CAPACITIES, asleepIdle: 15 });
  const { memory, slots, model, collapsed, learner } = learning;
  learnAll(learning, [learner]);
  const moves = new Set<number>();
  for (const state of manyStates(model)) {
    const before = collapsed(state);
    for (const [cpu, slot] of slots.cpus.entries()) {
      const place = (numberAt(before, 0, slot) << slots.globals.bits) | numberAt(before, 0, slots.globals);
      const record = memory.local[cpu][place];
      for (let step = 0; step < memory.records[record]; step++) {
        const at = record + RECORD_HEAD + step * stepStride(slots.words);
        const move = memory.records[at + slots.words];
        expect(move).toBe(moveOf(slots, cpu, before, memory.records, at));
        expect(move).not.toBe(FAR);
        moves.add(move);
      }
    }
  }
  expect(moves.size).toBeGreaterThan(2);
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
