/**
 * Promises: each combination of component values has a bit of its own in its region, within the words that the region
 * takes; regions do not overlap; a move says where a step leads within a region, and is FAR where it leads out of it.
 */
import fc from 'fast-check';
import { FIRST_CAPACITIES, makeSlots, type Slot, type Slots } from './components';
import {
  BLOCK_STATES,
  BLOCK_WORDS,
  FAR,
  isPlain,
  moveOf,
  type RegionSizes,
  regionAt,
  regionLayout,
  regionLength,
} from './state-set';

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const product = (lists: readonly (readonly number[])[]): number[][] =>
  lists.reduce<number[][]>((outer, list) => outer.flatMap((prefix) => list.map((value) => [...prefix, value])), [[]]);

/** The place of the block of a combination, in words. `last`: which of the values is that of the last CPU. */
function placeOf(values: readonly number[], strides: readonly number[], last: number): number {
  const steps = values.map((value, i) => (i === last ? Math.floor(value / BLOCK_STATES) : value));
  return steps.reduce((sum, step, i) => sum + step * strides[i], 0);
}

/** The bit of a combination, counted from the beginning of its region. */
function bitOf(
  { cpus, threads }: RegionSizes,
  values: readonly number[],
  strides: readonly number[],
  offset: number,
): number {
  const last = cpus.length - 1;
  // Not by `expect`, which would take most of the time of a call.
  if (strides.length !== cpus.length + threads.length + 1) throw new Error(`${strides.length} strides`);
  const block = placeOf(values, strides, last) - offset;
  // The words of a block are its own: what is marked in the first one is not the hint of another.
  if (block % BLOCK_WORDS !== 0) throw new Error(`${values}: a block that begins at word ${block} of its region`);
  return block * BLOCK_STATES + (values[last] % BLOCK_STATES);
}

describe('a region', () => {
  test.each<RegionSizes>([
    { cpus: [3, 40], threads: [0, 2, 3], globals: 2 },
    { cpus: [33], threads: [0, 4], globals: 3 },
    { cpus: [2, 3, 5], threads: [], globals: 1 },
    { cpus: [1, 1], threads: [0, 0], globals: 1 },
    { cpus: [4, 64], threads: [0, 1, 0, 5], globals: 7 },
  ])('%j: every combination has its own bit', (sizes) => {
    const { strides, words, offset } = regionLayout(sizes, BLOCK_WORDS);
    const values = product([
      ...sizes.cpus.map(range),
      ...sizes.threads.map((size) => (size === 0 ? [0] : range(size).map((value) => value + 1))),
      range(sizes.globals),
    ]);
    const bits = values.map((each) => bitOf(sizes, each, strides, offset));
    expect(new Set(bits).size).toBe(values.length);
    expect(Math.min(...bits)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...bits)).toBeLessThan(words * 32);
  });

  test('every combination of threads has its own entry', () => {
    for (const [cpus, threads] of [
      [1, 0],
      [2, 0],
      [2, 4],
      [3, 5],
    ]) {
      const occupants = Math.max(1, threads);
      const places = product(range(cpus).map(() => range(occupants))).map((running) =>
        regionAt({ cpus, threads, occupants }, running),
      );
      expect(places.sort((a, b) => a - b)).toEqual(
        range(occupants ** cpus).map((i) => i * regionLength(cpus, threads)),
      );
    }
  });
});

/** Numbers of the values of a state: of each CPU among those with its thread, of each thread, of the globals. */
interface Numbers {
  readonly running: readonly number[];
  readonly cpus: readonly number[];
  readonly threads: readonly number[];
  readonly globals: number;
}

const ROOM = { ...FIRST_CAPACITIES, runningTask: 700, runningIdle: 300, asleepTask: 6, asleepIdle: 3, globals: 9 };
const TASKS = 2;

/** A state with these numbers: a thread that runs has none. */
function stateWith(slots: Slots, { running, cpus, threads, globals }: Numbers): Int32Array {
  const words = new Int32Array(slots.words).fill(1);
  const put = ({ word, shift }: Slot, number: number) => {
    words[word] |= number << shift;
  };
  slots.cpus.forEach((slot, cpu) => {
    put(slot, (running[cpu] << slots.localBits) | cpus[cpu]);
  });
  slots.threads.forEach((slot, thread) => {
    put(slot, threads[thread]);
  });
  put(slots.globals, globals);
  return words;
}

const runningRoom = (thread: number) => (thread < TASKS ? ROOM.runningTask : ROOM.runningIdle);
const asleepRoom = (thread: number) => (thread < TASKS ? ROOM.asleepTask : ROOM.asleepIdle);

/** Any state of a model with so many CPUs and threads; without threads all CPUs run "thread 0". */
function someNumbers(cpus: number, threads: number): fc.Arbitrary<Numbers> {
  const all = fc.shuffledSubarray(range(threads), { minLength: threads, maxLength: threads });
  return all.chain((order) => {
    const running = range(cpus).map((cpu) => order[cpu] ?? 0);
    return fc.record({
      running: fc.constant(running),
      cpus: fc.tuple(...running.map((thread) => fc.nat(runningRoom(thread) - 1))),
      threads: fc.tuple(
        ...range(threads).map((t) =>
          running.includes(t) ? fc.constant(0) : fc.integer({ min: 1, max: asleepRoom(t) }),
        ),
      ),
      globals: fc.nat(ROOM.globals - 1),
    });
  });
}

/** The move of the step of a CPU from one state to the other; its change stands behind other words, as in a record. */
function moveBetween(slots: Slots, cpu: number, before: Int32Array, after: Int32Array): number {
  const change = Int32Array.from([-1, ...before.map((word, w) => word ^ after[w])]);
  return moveOf(slots, cpu, before, change, 1);
}

const SHAPES = [
  { cpus: 1, threads: 0 },
  { cpus: 2, threads: 0 },
  { cpus: 2, threads: 4 },
  { cpus: 3, threads: 5 },
];

describe('a move', () => {
  test.each(SHAPES)(
    '%j: leads from the place of a state to that of its successor, and is plain if the globals stay',
    ({ cpus, threads }) => {
      const slots = makeSlots(cpus, threads, ROOM);
      const met = { back: 0, globalsBack: 0, plain: 0, within: 0 };
      const step = fc.record({ cpu: fc.nat(cpus - 1), to: fc.nat(), globals: fc.option(fc.nat(ROOM.globals - 1)) });
      fc.assert(
        fc.property(someNumbers(cpus, threads), step, (from, { cpu, to, globals }) => {
          const { running } = from;
          const next = {
            ...from,
            cpus: from.cpus.map((number, c) => (c === cpu ? to % runningRoom(running[c]) : number)),
            globals: globals ?? from.globals,
          };
          const { strides } = regionLayout(
            {
              cpus: running.map(runningRoom),
              threads: range(threads).map((t) => (running.includes(t) ? 0 : asleepRoom(t))),
              globals: ROOM.globals,
            },
            BLOCK_WORDS,
          );
          const place = (n: Numbers) => placeOf([...n.cpus, ...n.threads, n.globals], strides, cpus - 1);
          const move = moveBetween(slots, cpu, stateWith(slots, from), stateWith(slots, next));
          const [values, byGlobals] = [move >> 16, (move << 16) >> 16];
          const reached = place(from) + values * strides[cpu] + byGlobals * strides[strides.length - 1];
          expect([move === FAR, reached, isPlain(move)]).toEqual([false, place(next), from.globals === next.globals]);
          met.back += values < 0 ? 1 : 0;
          met.globalsBack += byGlobals < 0 ? 1 : 0;
          met.plain += isPlain(move) ? 1 : 0;
          met.within += values === 0 && next.cpus[cpu] !== from.cpus[cpu] ? 1 : 0;
        }),
        { numRuns: 500, seed: 1 },
      );
      for (const count of Object.values(met)) expect(count).toBeGreaterThan(0);
    },
  );

  test.each(SHAPES.filter(({ threads }) => threads > 0))(
    '%j: is FAR, and not plain, to another thread or with a change of one that sleeps',
    ({ cpus, threads }) => {
      const slots = makeSlots(cpus, threads, ROOM);
      fc.assert(
        fc.property(someNumbers(cpus, threads), fc.nat(cpus - 1), fc.nat(), (from, cpu, choice) => {
          const asleep = range(threads).filter((t) => !from.running.includes(t));
          const thread = asleep[choice % asleep.length];
          const before = stateWith(slots, from);
          const woken = {
            ...from,
            running: from.running.map((t, c) => (c === cpu ? thread : t)),
            threads: from.threads.map((n, t) => (t === thread ? 0 : t === from.running[cpu] ? 1 : n)),
          };
          const touched = {
            ...from,
            threads: from.threads.map((n, t) => (t === thread ? (n % asleepRoom(t)) + 1 : n)),
          };
          // A switch alone is FAR as well: one that is told by the CPU only, whatever the threads' numbers are.
          const switched = { ...woken, threads: from.threads };
          for (const to of [woken, switched, ...(asleepRoom(thread) > 1 ? [touched] : [])]) {
            const move = moveBetween(slots, cpu, before, stateWith(slots, to));
            expect(move).toBe(FAR);
            expect(isPlain(move)).toBe(false);
          }
        }),
        { numRuns: 500, seed: 1 },
      );
    },
  );

  test('is FAR where 16 bits do not hold it', () => {
    const slots = makeSlots(2, 0, { ...ROOM, runningTask: 2 ** 17, globals: 2 });
    const at = (number: number) => stateWith(slots, { running: [0, 0], cpus: [number, 0], threads: [], globals: 0 });
    const limit = 2 ** 15;
    expect(moveBetween(slots, 0, at(0), at(limit - 1)) >> 16).toBe(limit - 1);
    expect(moveBetween(slots, 0, at(limit - 1), at(0)) >> 16).toBe(1 - limit);
    for (const far of [limit, 2 * limit, 3 * limit]) {
      expect(moveBetween(slots, 0, at(0), at(far))).toBe(FAR);
      expect(moveBetween(slots, 0, at(far), at(0))).toBe(FAR);
    }
    const many = makeSlots(1, 0, { ...ROOM, globals: 2 ** 15 + 1 });
    const state = stateWith(many, { running: [0], cpus: [0], threads: [], globals: 0 });
    expect(moveBetween(many, 0, state, state)).toBe(FAR);
  });
});
