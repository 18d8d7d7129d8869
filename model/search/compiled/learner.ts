/**
 * Learns the steps of states, one state at a time, by executing the generated code of all rules on it. What a step changes is remembered for every state
 * in which the step depends on the same (step-memory.ts), so this is done some ten thousand times in a search of any size.
 */
import type { Condition, Footprint, InteractionCode } from '../../translate/packed/interaction';
import { markedProperty, NO_CELL, NO_CODE } from '../../translate/packed/marker';
import { type Capacities, type Capacity, cellValue, type Masks, numberAt, type Slot, type Slots } from './components';
import { regionAt, regionLayout } from './state-set';
import {
  COUNTS,
  CROSSINGS,
  crossingStride,
  LOCK,
  RECORD_HEAD,
  RECORDS_END,
  REGIONS_END,
  REGIONS_LIMIT,
  rowsOf,
  type StepMemory,
} from './step-memory';

/** What the generated code of a model is, as far as it is needed here. Plain data. */
export interface Learnable {
  /** JavaScript: an InteractionCode (interaction.ts). */
  readonly code: string;
  readonly footprints: readonly Footprint[];
  readonly masks: Masks;
  readonly slots: Slots;
  readonly capacities: Capacities;
  /** Threads below this one are user tasks. */
  readonly tasks: number;
  /** With partial-order reduction. */
  readonly por?: PrivateSteps | undefined;
  /** With symmetry: the renamings, the identity among them. */
  readonly renamings?: readonly ComponentRenaming[] | undefined;
}

/** Partial-order reduction (search/partial-order.ts), by the numbers of instances. */
export interface PrivateSteps {
  /** Instances that go before all others. Whether one is enabled depends on the globals only. */
  readonly first: readonly boolean[];
  /** JavaScript, an array by the CPU: Conditions that answer 1 where the CPU is private. */
  readonly isPrivate: string;
}

/** What a renaming makes of each component (CPUs, threads, globals), and JavaScript: a function from the words of a state to those of its renaming. */
export interface ComponentRenaming {
  readonly images: readonly number[];
  readonly words: string;
}

export type Lesson =
  | { readonly kind: 'learnt' }
  /** Some step of the state violates a property, or is beyond what can be learnt: a search in order tells. */
  | { readonly kind: 'bad' }
  | { readonly kind: 'recompile'; readonly before: Int32Array; readonly instance: number }
  | { readonly kind: 'full'; readonly what: Capacity }
  | { readonly kind: 'memory' };

/** Ends a lesson in the middle. */
class Unfit extends Error {
  readonly lesson: Lesson;

  constructor(lesson: Lesson) {
    super(lesson.kind);
    this.lesson = lesson;
  }
}

type Renamer = (words: Int32Array) => number[];

/** Numbers of the instances of one CPU. */
interface Instances {
  readonly first: readonly number[];
  readonly local: readonly number[];
  readonly crossing: readonly number[];
}

const LEARNT: Lesson = { kind: 'learnt' };
const BAD: Lesson = { kind: 'bad' };
/** Of one CPU in one state. */
export const MOST_STEPS = 1 << 10;
/** Part of the memory of crossings that may be in use. */
const CROWDED = 0.7;
const NAP_MS = 1;

const { compareExchange, store, wait, notify } = Atomics;
const imul = Math.imul;

/** The place where the search for a key begins; kernel.ts generates the same. */
export function keyHash(key: Int32Array, instance: number): number {
  let h = instance;
  for (const word of key) {
    h = imul(h ^ word, 0x9e3779b1);
    h ^= h >>> 15;
  }
  return h >>> 0;
}

export class Learner {
  private readonly from: Learnable;
  private readonly memory: StepMemory;
  private readonly code: InteractionCode;
  private readonly instances: readonly Instances[];
  /** The bits of a CPU that runs a thread: by the CPU, then by the thread + 1. */
  private readonly own: readonly (readonly Int32Array[])[];
  private readonly keyMasks: readonly Int32Array[];
  private readonly isPrivate: readonly Condition[];
  private readonly renamers: readonly Renamer[];
  private readonly rows: readonly number[];
  /** For each component the number of each value; for each CPU the number of each view. Catches up with what other threads have added. */
  private readonly numbers: Map<string, number>[];
  private readonly views: Map<string, number>[];
  /** How many values of each counter of `control` this thread knows. */
  private readonly met: number[];
  /** Threads that a CPU can run, at least 1. */
  private readonly occupants: number;
  private readonly wide: Int32Array;
  /** Room for one successor, or for a marker and the state behind it. */
  private readonly out: Int32Array;
  /** Records by their contents: a CPU does the same whatever the globals are, more often than not. */
  private readonly recordsByContent = new Map<string, number>();

  constructor(from: Learnable, memory: StepMemory) {
    this.from = from;
    this.memory = memory;
    this.code = new Function(from.code)() as InteractionCode;
    this.instances = from.slots.cpus.map((_, cpu) => instancesOf(cpu, from));
    this.own = from.masks.cpus.map((mask) => [mask, ...from.masks.threads.map((thread) => or(mask, thread))]);
    this.keyMasks = from.footprints.map((footprint) => keyMask(from.slots, footprint));
    this.isPrivate = new Function(`return ${from.por?.isPrivate ?? '[]'};`)() as Learner['isPrivate'];
    this.renamers = (from.renamings ?? []).map(({ words }) => new Function(`return ${words};`)() as Renamer);
    this.rows = rowsOf(from.slots);
    this.occupants = Math.max(1, from.slots.threads.length);
    this.numbers = memory.values.map(() => new Map());
    this.met = new Array(memory.control.length - COUNTS).fill(0);
    this.views = from.slots.cpus.map(() => new Map());
    this.wide = new Int32Array(from.masks.words);
    this.out = new Int32Array(2 * from.masks.words);
  }

  violates(wide: Int32Array): boolean {
    return this.code.judge(wide) !== 0;
  }

  /** Writes the collapsed form of a state into `words`. */
  collapse(wide: Int32Array, words: Int32Array): Lesson {
    return this.attempt(() => {
      this.makeRegions(wide);
      words.set(this.encode(wide));
      return LEARNT;
    });
  }

  /** Learns every step of the collapsed state at words[at..]. */
  learn(words: Int32Array, at: number): Lesson {
    return this.attempt(() => this.learnSteps(words, at));
  }

  /** Learns what every renaming makes of the components of the collapsed state at words[at..]. */
  learnImages(words: Int32Array, at: number): Lesson {
    return this.attempt(() => {
      const wide = this.decode(words, at);
      this.from.renamings?.forEach(({ images }, renaming) => {
        this.rememberImages(renaming, images, words.subarray(at), this.encode(this.renamed(renaming, wide)));
      });
      return LEARNT;
    });
  }

  private renamed(renaming: number, wide: Int32Array): Int32Array {
    return Int32Array.from(this.renamers[renaming](wide));
  }

  private rememberImages(renaming: number, becomes: readonly number[], before: Int32Array, after: Int32Array): void {
    const { images, ranks } = this.memory;
    const { rows } = this;
    const start = renaming * rows[rows.length - 1];
    for (const [component, image] of becomes.entries()) {
      const to = this.slotOf(image);
      const number = numberAt(after, 0, to);
      const at = start + rows[component] + numberAt(before, 0, this.slotOf(component));
      ranks[at] = this.rankOf(image, number);
      store(images, at, number << to.shift);
    }
  }

  private slotOf(component: number): Slot {
    const { cpus, threads, globals } = this.from.slots;
    return cpus[component] ?? threads[component - cpus.length] ?? globals;
  }

  /** A hash of the value, so that no order in which values were met is seen in it; 0 for a thread that some CPU runs. */
  private rankOf(component: number, number: number): number {
    const { cpus, threads } = this.from.slots;
    const isRunning = number === 0 && component >= cpus.length && component < cpus.length + threads.length;
    if (isRunning) return 0;
    const { words } = this.from.masks;
    return keyHash(this.memory.values[component].subarray(number * words, (number + 1) * words), component) >>> 2;
  }

  private attempt(action: () => Lesson): Lesson {
    try {
      return this.locked(action);
    } catch (error) {
      if (error instanceof Unfit) return error.lesson;
      throw error;
    }
  }

  private locked<T>(action: () => T): T {
    const { control } = this.memory;
    while (compareExchange(control, LOCK, 0, 1) !== 0) wait(control, LOCK, 1, NAP_MS);
    try {
      this.catchUp();
      return action();
    } finally {
      store(control, LOCK, 0);
      notify(control, LOCK, 1);
    }
  }

  private learnSteps(words: Int32Array, at: number): Lesson {
    const { slots } = this.from;
    const { local, records } = this.memory;
    const wide = this.decode(words, at);
    const state = words.subarray(at, at + slots.words);
    const globals = numberAt(state, 0, slots.globals);
    for (const [cpu, slot] of slots.cpus.entries()) {
      const place = (numberAt(state, 0, slot) << slots.globals.bits) | globals;
      if (local[cpu][place] === 0) store(local[cpu], place, this.append(this.record(cpu, wide, state)));
      const record = local[cpu][place];
      const candidates = record + RECORD_HEAD + records[record] * slots.words;
      for (let i = 0; i < records[record + 1]; i++) this.rememberCrossing(records[candidates + i], wide, state);
    }
    return LEARNT;
  }

  private record(cpu: number, wide: Int32Array, state: Int32Array): number[] {
    const { first, local, crossing } = this.instances[cpu];
    const firstSteps = first.flatMap((instance) => this.step(instance, wide, state));
    if (firstSteps.length > 0) return this.recordOf(firstSteps, [], false);
    const steps = local.flatMap((instance) => this.step(instance, wide, state));
    const candidates = crossing.filter((instance) => this.code.mayCross[instance]?.(wide) === 1);
    // Beyond what the model promises: a CPU whose steps may depend on others is not private.
    const isPrivate = candidates.length === 0 && this.isPrivate[cpu]?.(wide) === 1;
    return this.recordOf(steps, candidates, isPrivate);
  }

  private recordOf(steps: readonly Int32Array[], candidates: readonly number[], isPrivate: boolean): number[] {
    if (steps.length + candidates.length > MOST_STEPS)
      throw new RangeError(`a CPU has more than ${MOST_STEPS} steps in one state; explore() takes any number`);
    const changes = steps.flatMap((change) => [...change]);
    return [steps.length, candidates.length, isPrivate ? 1 : 0, ...changes, ...candidates];
  }

  /** What the step changes in the collapsed state, or nothing if it is not enabled. */
  private step(instance: number, wide: Int32Array, state: Int32Array): Int32Array[] {
    const { out } = this;
    if (!this.code.steps[instance]?.(wide, out)) return [];
    if ((out[0] & 1) === 0) throw new Unfit(this.failure(out[0], instance, wide));
    const after = out.slice(0, wide.length);
    if (this.code.judge(after) !== 0) throw new Unfit(BAD);
    const change = this.change(wide, after, state);
    this.demandOwn(instance, wide, change);
    return [change];
  }

  /** A step changes its CPU's component, the thread that this runs, the globals, and for a crossing step what it is remembered by: nothing else. */
  private demandOwn(instance: number, wide: Int32Array, change: Int32Array): void {
    const { slots, footprints } = this.from;
    const { cpu, threads, crossing, globals } = footprints[instance];
    const mine = [...threads, this.running(wide)[cpu]];
    const slotsOfOthers = [
      ...slots.cpus.filter((_, each) => each !== cpu),
      ...slots.threads.filter((_, thread) => !mine.includes(thread)),
      ...(crossing && !globals ? [slots.globals] : []),
    ];
    if (slotsOfOthers.some((slot) => numberAt(change, 0, slot) !== 0)) throw new Unfit(BAD);
  }

  private failure(marker: number, instance: number, before: Int32Array): Lesson {
    const property = markedProperty(marker);
    if (property === NO_CELL)
      throw new RangeError(`rule instance ${instance} uses an index out of range: guardedModel() shows where`);
    return property === NO_CODE ? { kind: 'recompile', before: before.slice(), instance } : BAD;
  }

  private append(record: readonly number[]): number {
    const { control, records } = this.memory;
    const content = record.join();
    const known = this.recordsByContent.get(content);
    if (known !== undefined) return known;
    const at = control[RECORDS_END];
    if (at + record.length > records.length) throw new Unfit({ kind: 'full', what: 'records' });
    records.set(record, at);
    control[RECORDS_END] = at + record.length;
    this.recordsByContent.set(content, at);
    return at;
  }

  private rememberCrossing(instance: number, wide: Int32Array, state: Int32Array): void {
    const { slots } = this.from;
    const { control, crossings } = this.memory;
    const stride = crossingStride(slots.words);
    const slotsOfTable = crossings.length / stride;
    const key = this.keyOf(instance, state);
    let slot = keyHash(key, instance) & (slotsOfTable - 1);
    for (; crossings[slot * stride] !== 0; slot = (slot + 1) & (slotsOfTable - 1))
      if (this.isKey(slot * stride, key, instance)) return;
    if (++control[CROSSINGS] > slotsOfTable * CROWDED) throw new Unfit({ kind: 'full', what: 'crossings' });
    const [change] = this.step(instance, wide, state);
    if (change !== undefined) this.makeRegions(this.out);
    const at = slot * stride;
    crossings.set(key.subarray(1), at + 1);
    crossings[at + slots.words] = instance + 1;
    crossings[at + slots.words + 1] = change === undefined ? 0 : 1;
    if (change !== undefined) crossings.set(change, at + slots.words + 2);
    store(crossings, at, key[0]);
  }

  private isKey(at: number, key: Int32Array, instance: number): boolean {
    const { crossings } = this.memory;
    return key.every((word, i) => crossings[at + i] === word) && crossings[at + key.length] === instance + 1;
  }

  private keyOf(instance: number, state: Int32Array): Int32Array {
    const mask = this.keyMasks[instance];
    const key = state.map((word, i) => word & mask[i]);
    this.from.slots.cpus.forEach((slot, cpu) => {
      if (cpu !== this.from.footprints[instance].cpu)
        key[slot.word] |= this.memory.views[cpu][numberAt(state, 0, slot)];
    });
    return key;
  }

  private decode(words: Int32Array, at: number): Int32Array {
    const { wide } = this;
    const { slots } = this.from;
    wide.fill(1);
    const add = (component: number, slot: Slot) => {
      const from = numberAt(words, at, slot) * wide.length;
      for (let w = 0; w < wide.length; w++) wide[w] |= this.memory.values[component][from + w];
    };
    let component = 0;
    for (const slot of slots.cpus) add(component++, slot);
    for (const slot of slots.threads) add(component++, slot);
    add(component, slots.globals);
    return wide;
  }

  private encode(wide: Int32Array): Int32Array {
    const words = new Int32Array(this.from.slots.words).fill(1);
    this.eachComponent(wide, (component, slot, mask, thread) => {
      if (mask !== undefined) words[slot.word] |= this.numberOf(component, and(wide, mask), thread) << slot.shift;
    });
    return words;
  }

  /** What to change in `state`, the collapsed form of `before`, to get that of `after`. Hardly any step changes more than two components. */
  private change(before: Int32Array, after: Int32Array, state: Int32Array): Int32Array {
    const old: (Int32Array | undefined)[] = [];
    this.eachComponent(before, (component, _, mask) => {
      old[component] = mask;
    });
    const change = new Int32Array(state.length);
    this.eachComponent(after, (component, slot, mask, thread) => {
      if (mask === old[component] && (mask === undefined || isSame(before, after, mask))) return;
      const number = mask === undefined ? 0 : this.numberOf(component, and(after, mask), thread);
      change[slot.word] |= (number ^ numberAt(state, 0, slot)) << slot.shift;
    });
    return change;
  }

  private running(wide: Int32Array): number[] {
    return this.from.masks.running.map((cell) => (cell === undefined ? -1 : cellValue(wide, cell)));
  }

  /**
   * Calls `visit` with each component, the bits that belong to it (undefined for a thread that a CPU runs), and the thread that it is about (0 in a
   * model without threads).
   */
  private eachComponent(
    wide: Int32Array,
    visit: (component: number, slot: Slot, mask: Int32Array | undefined, thread: number) => void,
  ): void {
    const { slots, masks } = this.from;
    const { cpus, threads } = slots;
    const running = this.running(wide);
    running.forEach((thread, cpu) => {
      if (thread >= 0 && running.indexOf(thread) !== cpu)
        throw new RangeError(`two CPUs run thread ${thread}, and no invariant of the model forbids it`);
      visit(cpu, cpus[cpu], this.own[cpu][thread + 1], Math.max(0, thread));
    });
    threads.forEach((slot, thread) => {
      visit(cpus.length + thread, slot, running.includes(thread) ? undefined : masks.threads[thread], thread);
    });
    visit(cpus.length + threads.length, slots.globals, masks.globals, 0);
  }

  /** Where values are counted, and how many there may be. */
  private counterOf(component: number, thread: number): { readonly counter: number; readonly capacity: Capacity } {
    const { slots, tasks } = this.from;
    const cpus = slots.cpus.length;
    const isTask = thread < Math.max(1, tasks);
    if (component < cpus)
      return { counter: component * this.occupants + thread, capacity: isTask ? 'runningTask' : 'runningIdle' };
    const counter = cpus * this.occupants + component - cpus;
    if (component < cpus + slots.threads.length) return { counter, capacity: isTask ? 'asleepTask' : 'asleepIdle' };
    return { counter, capacity: 'globals' };
  }

  private numberOf(component: number, value: Int32Array, thread: number): number {
    const known = this.numbers[component].get(value.join());
    if (known !== undefined) return known;
    const { control, values } = this.memory;
    const { counter, capacity } = this.counterOf(component, thread);
    const count = control[COUNTS + counter];
    if (count === this.from.capacities[capacity]) throw new Unfit({ kind: 'full', what: capacity });
    values[component].set(value, this.numbered(component, thread, count) * value.length);
    control[COUNTS + counter] = count + 1;
    this.meet(component, thread, counter);
    return this.numbered(component, thread, count);
  }

  /** The number of the n-th value: among those of a CPU the thread that it runs comes first; those of threads begin with 1. */
  private numbered(component: number, thread: number, n: number): number {
    const { cpus, threads, localBits } = this.from.slots;
    if (component < cpus.length) return (thread << localBits) | n;
    return component < cpus.length + threads.length ? n + 1 : n;
  }

  /** Values that others have added since. */
  private catchUp(): void {
    const { cpus, threads } = this.from.slots;
    for (let cpu = 0; cpu < cpus.length; cpu++)
      for (let thread = 0; thread < this.occupants; thread++) this.meet(cpu, thread, cpu * this.occupants + thread);
    const others = cpus.length * this.occupants;
    for (let i = 0; i <= threads.length; i++) this.meet(cpus.length + i, i, others + i);
  }

  /** Learns the numbers of the values of a counter that this thread does not know yet. */
  private meet(component: number, thread: number, counter: number): void {
    for (; this.met[counter] < this.memory.control[COUNTS + counter]; this.met[counter]++)
      this.meetValue(component, this.numbered(component, thread, this.met[counter]));
  }

  private meetValue(component: number, number: number): void {
    const { words, shared } = this.from.masks;
    const value = this.memory.values[component].slice(number * words, (number + 1) * words);
    this.numbers[component].set(value.join(), number);
    const slot = this.from.slots.cpus[component];
    if (slot === undefined) return;
    const views = this.views[component];
    const shown = and(value, shared).join();
    // Whoever gave the value its number has numbered its view, too.
    const given = this.memory.views[component][number] >>> slot.shift;
    const view = given > 0 ? given : (views.get(shown) ?? views.size + 1);
    views.set(shown, view);
    this.memory.views[component][number] = view << slot.shift;
  }

  /** Makes the region of a state, and with symmetry those of its renamings. */
  private makeRegions(wide: Int32Array): void {
    this.makeRegion(this.running(wide));
    for (const renamer of this.renamers) this.makeRegion(this.running(Int32Array.from(renamer(wide))));
  }

  private makeRegion(running: readonly number[]): void {
    const { slots, capacities } = this.from;
    const { control, regions } = this.memory;
    const occupants = this.occupants;
    const [cpus, threads] = [slots.cpus.length, slots.threads.length];
    const at = regionAt(
      { cpus, threads, occupants },
      running.map((thread) => Math.max(0, thread)),
    );
    if (regions[at] !== 0) return;
    const capacity = (component: number, thread: number) =>
      capacities[this.counterOf(component, Math.max(0, thread)).capacity];
    const { strides, words, offset } = regionLayout({
      cpus: running.map((thread, cpu) => capacity(cpu, thread)),
      threads: slots.threads.map((_, thread) => (running.includes(thread) ? 0 : capacity(cpus + thread, thread))),
      globals: capacities.globals,
    });
    // 0 says that there is no region.
    const base = control[REGIONS_END] === offset ? offset + 1 : control[REGIONS_END];
    if (base + words > control[REGIONS_LIMIT]) throw new Unfit({ kind: 'memory' });
    control[REGIONS_END] = base + words;
    regions.set(strides, at + 1);
    store(regions, at, base - offset);
  }
}

function instancesOf(cpu: number, { footprints, por }: Learnable): Instances {
  const own = footprints.flatMap((footprint, instance) => (footprint.cpu === cpu ? [instance] : []));
  const isFirst = (instance: number) => por?.first[instance] ?? false;
  return {
    first: own.filter(isFirst),
    local: own.filter((instance) => !isFirst(instance) && !footprints[instance].crossing),
    crossing: own.filter((instance) => footprints[instance].crossing),
  };
}

function and(words: Int32Array, mask: Int32Array): Int32Array {
  return words.map((word, i) => word & mask[i]);
}

function or(words: Int32Array, mask: Int32Array): Int32Array {
  return words.map((word, i) => word | mask[i]);
}

function isSame(a: Int32Array, b: Int32Array, mask: Int32Array): boolean {
  for (let i = 0; i < mask.length; i++) if (((a[i] ^ b[i]) & mask[i]) !== 0) return false;
  return true;
}

/** The bits of a state that stay in the key of a crossing step; in the places of the other CPUs their views are put. */
export function keyMask(slots: Slots, { cpu, threads, globals }: Footprint): Int32Array {
  const mask = new Int32Array(slots.words).fill(1);
  const stay = ({ word, shift, bits }: Slot) => {
    mask[word] |= ((1 << bits) - 1) << shift;
  };
  if (cpu < 0) return mask;
  stay(slots.cpus[cpu]);
  for (const thread of threads) stay(slots.threads[thread]);
  if (globals) stay(slots.globals);
  return mask;
}
