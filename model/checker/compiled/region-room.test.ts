/**
 * Promises: regions do not overlap, with spare room or without; without it they are smaller, what has been learnt holds
 * in them, and there is no room for a value more.
 */
import { type Capacities, makeSlots } from './components';
import { Learner } from './learner';
import { tighten } from './region-room';
import { BLOCK_WORDS, type RegionSizes, regionAt, regionLayout } from './state-set';
import { REGIONS_END, REGIONS_LIMIT } from './step-memory';
import type { Coupling } from './testing/coupled';
import { taught } from './testing/taught';

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

const COUPLING: Coupling = { rules: ['toil', 'switchReady', 'wakeSleeping'], invariants: ['threadsApart'] };

/** Where the regions for every two threads on the two CPUs begin and end, by their place. */
function placedRegions({ memory, slots }: ReturnType<typeof taught>, capacities: Capacities) {
  const [cpus, threads] = [slots.cpus.length, slots.threads.length];
  const placed: { readonly from: number; readonly to: number }[] = [];
  for (const [a, b] of pairs(threads)) {
    const sizes: RegionSizes = {
      cpus: [a, b].map((thread) => (thread === 0 ? capacities.runningTask : capacities.runningIdle)),
      threads: [0, 1, 2].map((t) => (t === a || t === b ? 0 : t === 0 ? capacities.asleepTask : capacities.asleepIdle)),
      globals: capacities.globals,
    };
    const { words, offset } = regionLayout(sizes, BLOCK_WORDS);
    const from = memory.regions[regionAt({ cpus, threads, occupants: threads }, [a, b])] + offset;
    placed.push({ from, to: from + words });
  }
  return placed.sort((x, y) => x.from - y.from);
}

const pairs = (threads: number) =>
  range(threads).flatMap((a) => range(threads).flatMap((b) => (a === b ? [] : [[a, b]])));

/** All states that differ in the threads on the CPUs. */
function metRegions({ model, slots, learner, collapsed }: ReturnType<typeof taught>, by = learner): Int32Array[] {
  return pairs(slots.threads.length).map((running) => {
    const state = model.initial();
    state.running = running;
    return collapsed(state, by);
  });
}

function expectApart(placed: ReturnType<typeof placedRegions>, limit: number): void {
  expect(placed).toHaveLength(6);
  expect(placed[0].from).toBeGreaterThan(0);
  for (const { from } of placed) expect(from % BLOCK_WORDS).toBe(0);
  for (let i = 1; i < placed.length; i++) expect(placed[i].from).toBeGreaterThanOrEqual(placed[i - 1].to);
  expect(placed[5].to).toBeLessThanOrEqual(limit);
}

test('regions do not overlap', () => {
  const learning = taught(COUPLING);
  metRegions(learning);
  expectApart(placedRegions(learning, learning.capacities), learning.memory.control[REGIONS_LIMIT]);
});

test('without spare room regions are smaller and do not overlap, numbers stay, and one value more is too much', () => {
  const learning = taught(COUPLING);
  const { memory, learnable, slots, model } = learning;
  const before = metRegions(learning);
  const [spared] = placedRegions(learning, learning.capacities).slice(-1);
  const capacities = tighten(learnable, memory);
  expectApart(placedRegions(learning, capacities), memory.control[REGIONS_LIMIT]);
  expect(memory.control[REGIONS_END]).toBeLessThan(spared.to);
  expect(makeSlots(slots.cpus.length, slots.threads.length, capacities)).toEqual(slots);
  const again = new Learner({ ...learnable, capacities }, memory);
  expect(metRegions(learning, again)).toEqual(before);
  const other = model.initial();
  other.work = other.work.map(() => 3);
  expect(learning.collapse(other, new Int32Array(slots.words), again)).toMatchObject({ kind: 'full' });
});
