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

/** A local step, and what it changes wherever its CPU's component is the same; undefined for one that uses globals, and has to be tried with each. */
interface LocalStep {
  readonly instance: number;
  readonly change: Int32Array | undefined;
}

/** What a CPU's component tells of its steps without the globals. Hardly any instance uses these, and most components are met with several values of them. */
interface OwnSteps {
  /** Without those that are not enabled. */
  readonly local: readonly LocalStep[];
  readonly crossing: readonly number[];
}

const LEARNT: Lesson = { kind: 'learnt' };
const BAD: Lesson = { kind: 'bad' };
/** Of one CPU in one state. */
export const MOST_STEPS = 1 << 10;
/** Part of the memory of crossings that may be in use. */
const CROWDED = 0.7;
const NAP_MS = 1;
/** Room of a PlaceIndex to begin with; a power of two. */
const FIRST_PLACES = 1 << 10;

const { compareExchange, store, wait, notify } = Atomics;
const imul = Math.imul;

function hashOf(words: Int32Array, from: number, length: number, seed: number): number {
  let h = seed;
  for (let i = from; i < from + length; i++) {
    h = imul(h ^ words[i], 0x9e3779b1);
    h ^= h >>> 15;
  }
  return h;
}

/** The place where the search for a key begins; kernel.ts generates the same. */
export function keyHash(key: Int32Array, instance: number): number {
  return hashOf(key, 0, key.length, instance) >>> 0;
}

/** Finds words among those that stand at some places of an array (open addressing). To make a string of them, for a Map, takes longer than a step. */
class PlaceIndex {
  private readonly within: Int32Array;
  /** -1: free. */
  private places = new Int32Array(FIRST_PLACES).fill(-1);
  private hashes = new Int32Array(FIRST_PLACES);
  private count = 0;

  constructor(within: Int32Array) {
    this.within = within;
  }

  get size(): number {
    return this.count;
  }

  /** The place where the first words of `content` stand, or -1. */
  find(content: Int32Array, length: number): number {
    const { places, hashes } = this;
    const last = places.length - 1;
    const hash = hashOf(content, 0, length, 0);
    let i = hash & last;
    while (places[i] >= 0 && (hashes[i] !== hash || !this.standsAt(places[i], content, length))) i = (i + 1) & last;
    return places[i];
  }

  add(place: number, length: number): void {
    if (2 * ++this.count > this.places.length) this.grow();
    this.insert(place, hashOf(this.within, place, length, 0));
  }

  private standsAt(place: number, content: Int32Array, length: number): boolean {
    for (let i = 0; i < length; i++) if (content[i] !== this.within[place + i]) return false;
    return true;
  }

  private insert(place: number, hash: number): void {
    const last = this.places.length - 1;
    let i = hash & last;
    while (this.places[i] >= 0) i = (i + 1) & last;
    this.places[i] = place;
    this.hashes[i] = hash;
  }

  private grow(): void {
    const { places, hashes } = this;
    this.places = new Int32Array(2 * places.length).fill(-1);
    this.hashes = new Int32Array(2 * places.length);
    for (let i = 0; i < places.length; i++) if (places[i] >= 0) this.insert(places[i], hashes[i]);
  }
}

export class Learner {
  private readonly from: Learnable;
  private readonly memory: StepMemory;
  private readonly code: InteractionCode;
  private readonly instances: readonly Instances[];
  /** By the CPU, then by the number of its component. */
  private readonly ownSteps: readonly Map<number, OwnSteps>[];
  /** The bits of a CPU that runs a thread: by the CPU, then by the thread + 1. */
  private readonly own: readonly (readonly Int32Array[])[];
  private readonly keyMasks: readonly Int32Array[];
  /** The bits of a collapsed state that the steps of an instance may change; and those of each thread, for the CPU that runs it. */
  private readonly changeable: readonly Int32Array[];
  private readonly ofThreads: readonly Int32Array[];
  private readonly isPrivate: readonly Condition[];
  private readonly renamers: readonly Renamer[];
  private readonly rows: readonly number[];
  /** Of the components: CPUs, threads, globals. */
  private readonly slots: readonly Slot[];
  /** For each component where its values stand. Catches up with what other threads have added. */
  private readonly valuesByContent: readonly PlaceIndex[];
  /** For each CPU the words of each view, and where they stand. */
  private readonly shown: readonly Int32Array[];
  private readonly viewsByContent: readonly PlaceIndex[];
  /** How many values of each counter of `control` this thread knows. */
  private readonly met: Int32Array;
  /** Threads that a CPU can run, at least 1. */
  private readonly occupants: number;
  /** A CPU does the same whatever the globals are, more often than not. */
  private readonly recordsByContent: PlaceIndex;

  // What a lesson works on is allocated once: to make a typed array takes longer than most of what is done with it.

  /** The state that a lesson is about: collapsed, not collapsed, and the threads that its CPUs run (-1 in a model without threads). */
  private readonly state: Int32Array;
  private readonly wide: Int32Array;
  private readonly running: number[];
  /** Room for one successor, or for a marker and the state behind it; and the threads that the CPUs run there. */
  private readonly out: Int32Array;
  private readonly runningAfter: number[];
  private readonly value: Int32Array;
  private readonly view: Int32Array;
  private readonly record: Int32Array;
  private readonly key: Int32Array;
  private readonly change: Int32Array;

  constructor(from: Learnable, memory: StepMemory) {
    const { slots, masks, footprints } = from;
    this.from = from;
    this.memory = memory;
    this.code = new Function(from.code)() as InteractionCode;
    this.instances = slots.cpus.map((_, cpu) => instancesOf(cpu, from));
    this.ownSteps = slots.cpus.map(() => new Map());
    this.own = masks.cpus.map((mask) => [mask, ...masks.threads.map((thread) => or(mask, thread))]);
    this.keyMasks = footprints.map((footprint) => keyMask(slots, footprint));
    this.changeable = footprints.map((footprint) => bitsOf(slots, slotsIn(slots, footprint)));
    this.ofThreads = slots.threads.map((slot) => bitsOf(slots, [slot]));
    this.isPrivate = new Function(`return ${from.por?.isPrivate ?? '[]'};`)() as Learner['isPrivate'];
    this.renamers = (from.renamings ?? []).map(({ words }) => new Function(`return ${words};`)() as Renamer);
    this.rows = rowsOf(slots);
    this.slots = [...slots.cpus, ...slots.threads, slots.globals];
    this.valuesByContent = memory.values.map((values) => new PlaceIndex(values));
    this.shown = slots.cpus.map(({ bits }) => new Int32Array((2 ** bits + 1) * masks.words));
    this.viewsByContent = this.shown.map((shown) => new PlaceIndex(shown));
    this.met = new Int32Array(memory.control.length - COUNTS);
    this.occupants = Math.max(1, slots.threads.length);
    this.recordsByContent = new PlaceIndex(memory.records);
    this.state = new Int32Array(slots.words);
    this.wide = new Int32Array(masks.words);
    this.running = slots.cpus.map(() => -1);
    this.out = new Int32Array(2 * masks.words);
    this.runningAfter = slots.cpus.map(() => -1);
    this.value = new Int32Array(masks.words);
    this.view = new Int32Array(masks.words);
    this.record = new Int32Array(RECORD_HEAD + footprints.length * slots.words);
    this.key = new Int32Array(slots.words);
    this.change = new Int32Array(slots.words);
  }

  violates(wide: Int32Array): boolean {
    return this.code.judge(wide) !== 0;
  }

  /** Writes the collapsed form of a state into `words`. */
  collapse(wide: Int32Array, words: Int32Array): Lesson {
    return this.attempt(() => {
      this.makeRegions(wide);
      this.encode(wide, words);
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
      this.decode(words, at);
      this.from.renamings?.forEach(({ images }, renaming) => {
        this.out.set(this.renamers[renaming](this.wide));
        this.encode(this.out, this.change);
        this.rememberImages(renaming, images, this.state, this.change);
      });
      return LEARNT;
    });
  }

  private rememberImages(renaming: number, becomes: readonly number[], before: Int32Array, after: Int32Array): void {
    const { images, ranks } = this.memory;
    const { rows, slots } = this;
    const start = renaming * rows[rows.length - 1];
    for (let component = 0; component < slots.length; component++) {
      const image = becomes[component];
      const number = numberAt(after, 0, slots[image]);
      const at = start + rows[component] + numberAt(before, 0, slots[component]);
      ranks[at] = this.rankOf(image, number);
      store(images, at, number << slots[image].shift);
    }
  }

  /** A hash of the value, so that no order in which values were met is seen in it; 0 for a thread that some CPU runs. */
  private rankOf(component: number, number: number): number {
    const { cpus, threads } = this.from.slots;
    const isRunning = number === 0 && component >= cpus.length && component < cpus.length + threads.length;
    if (isRunning) return 0;
    const { words } = this.from.masks;
    return hashOf(this.memory.values[component], number * words, words, component) >>> 2;
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
    const { cpus, globals, words: width } = this.from.slots;
    const { local, records } = this.memory;
    const { state } = this;
    this.decode(words, at);
    for (let cpu = 0; cpu < cpus.length; cpu++) {
      const place = (numberAt(state, 0, cpus[cpu]) << globals.bits) | numberAt(state, 0, globals);
      if (local[cpu][place] === 0) store(local[cpu], place, this.append(this.makeRecord(cpu)));
      const record = local[cpu][place];
      const candidates = record + RECORD_HEAD + records[record] * width;
      for (let i = 0; i < records[record + 1]; i++) this.rememberCrossing(records[candidates + i]);
    }
    return LEARNT;
  }

  /** Leaves in `record` what the CPU does; answers its length. */
  private makeRecord(cpu: number): number {
    const afterFirst = this.putFirst(cpu, RECORD_HEAD);
    if (afterFirst > RECORD_HEAD) return this.headed(afterFirst, afterFirst, false);
    const { local, crossing } = this.ownStepsOf(cpu);
    const afterSteps = this.putLocal(local, RECORD_HEAD);
    const end = this.putCandidates(crossing, afterSteps);
    // Beyond what the model promises: a CPU whose steps may depend on others is not private.
    return this.headed(afterSteps, end, end === afterSteps && this.isPrivate[cpu]?.(this.wide) === 1);
  }

  private ownStepsOf(cpu: number): OwnSteps {
    const number = numberAt(this.state, 0, this.from.slots.cpus[cpu]);
    const known = this.ownSteps[cpu].get(number);
    if (known !== undefined) return known;
    const own = this.findOwnSteps(cpu);
    this.ownSteps[cpu].set(number, own);
    return own;
  }

  /**
   * Tries all instances of a CPU. What a step changes and whether it is judged to be good is told by the component alone if it uses no globals: an instance
   * that writes what a condition about globals and CPUs looks at is a crossing one.
   */
  private findOwnSteps(cpu: number): OwnSteps {
    const { change, wide, code } = this;
    const { footprints } = this.from;
    const local: LocalStep[] = [];
    for (const instance of this.instances[cpu].local) {
      const isEnabled = this.step(instance, change, 0);
      if (footprints[instance].globals) local.push({ instance, change: undefined });
      else if (isEnabled) local.push({ instance, change: change.slice() });
    }
    const crossing = this.instances[cpu].crossing.filter(
      (instance) => footprints[instance].globals || code.mayCross[instance]?.(wide) === 1,
    );
    return { local, crossing };
  }

  /** Puts at record[at..] what steps change that go before all others; answers where that ends. */
  private putFirst(cpu: number, at: number): number {
    let end = at;
    for (const instance of this.instances[cpu].first)
      if (this.step(instance, this.record, end)) end += this.from.slots.words;
    return end;
  }

  private putLocal(steps: readonly LocalStep[], at: number): number {
    const { record } = this;
    const { words } = this.from.slots;
    let end = at;
    for (let i = 0; i < steps.length; i++) {
      const { instance, change } = steps[i];
      if (change === undefined && !this.step(instance, record, end)) continue;
      if (change !== undefined) for (let w = 0; w < words; w++) record[end + w] = change[w];
      end += words;
    }
    return end;
  }

  private putCandidates(instances: readonly number[], at: number): number {
    let end = at;
    for (let i = 0; i < instances.length; i++)
      if (this.code.mayCross[instances[i]]?.(this.wide) === 1) this.record[end++] = instances[i];
    return end;
  }

  /** Puts in front of the record how long its two parts are. */
  private headed(afterSteps: number, end: number, isPrivate: boolean): number {
    const steps = (afterSteps - RECORD_HEAD) / this.from.slots.words;
    const candidates = end - afterSteps;
    if (steps + candidates > MOST_STEPS)
      throw new RangeError(`a CPU has more than ${MOST_STEPS} steps in one state; explore() takes any number`);
    this.record[0] = steps;
    this.record[1] = candidates;
    this.record[2] = isPrivate ? 1 : 0;
    return end;
  }

  /** Puts at to[at..] what the step changes in the collapsed state; answers whether it is enabled. */
  private step(instance: number, to: Int32Array, at: number): boolean {
    const { out, wide, code } = this;
    if (!code.steps[instance]?.(wide, out)) return false;
    if ((out[0] & 1) === 0) throw new Unfit(this.failure(out[0], instance, wide));
    if (code.judge(out) !== 0) throw new Unfit(BAD);
    this.putChange(to, at);
    this.demandOwn(instance, to, at);
    return true;
  }

  /** A step changes its CPU's component, the thread that this runs, and what its footprint names: nothing else. */
  private demandOwn(instance: number, change: Int32Array, at: number): void {
    const { cpu } = this.from.footprints[instance];
    const changeable = this.changeable[instance];
    const ofThread = this.ofThreads[this.running[cpu]];
    for (let w = 0; w < changeable.length; w++)
      if ((change[at + w] & ~(changeable[w] | (ofThread === undefined ? 0 : ofThread[w]))) !== 0) throw new Unfit(BAD);
  }

  private failure(marker: number, instance: number, before: Int32Array): Lesson {
    const property = markedProperty(marker);
    if (property === NO_CELL)
      throw new RangeError(`rule instance ${instance} uses an index out of range: guardedModel() shows where`);
    return property === NO_CODE ? { kind: 'recompile', before: before.slice(), instance } : BAD;
  }

  /** Where the first words of `record` stand among the records. */
  private append(length: number): number {
    const { control, records } = this.memory;
    const known = this.recordsByContent.find(this.record, length);
    if (known >= 0) return known;
    const at = control[RECORDS_END];
    if (at + length > records.length) throw new Unfit({ kind: 'full', what: 'records' });
    for (let i = 0; i < length; i++) records[at + i] = this.record[i];
    control[RECORDS_END] = at + length;
    this.recordsByContent.add(at, length);
    return at;
  }

  private rememberCrossing(instance: number): void {
    const { words } = this.from.slots;
    const { control, crossings } = this.memory;
    const { key, change } = this;
    const stride = crossingStride(words);
    const slotsOfTable = crossings.length / stride;
    this.makeKey(instance);
    let slot = keyHash(key, instance) & (slotsOfTable - 1);
    for (; crossings[slot * stride] !== 0; slot = (slot + 1) & (slotsOfTable - 1))
      if (this.isKey(slot * stride, instance)) return;
    if (++control[CROSSINGS] > slotsOfTable * CROWDED) throw new Unfit({ kind: 'full', what: 'crossings' });
    const isEnabled = this.step(instance, change, 0);
    if (isEnabled) this.makeRegions(this.out);
    const at = slot * stride;
    for (let w = 1; w < words; w++) crossings[at + w] = key[w];
    crossings[at + words] = instance + 1;
    crossings[at + words + 1] = isEnabled ? 1 : 0;
    if (isEnabled) crossings.set(change, at + words + 2);
    store(crossings, at, key[0]);
  }

  private isKey(at: number, instance: number): boolean {
    const { key } = this;
    const { crossings } = this.memory;
    for (let w = 0; w < key.length; w++) if (crossings[at + w] !== key[w]) return false;
    return crossings[at + key.length] === instance + 1;
  }

  /** Leaves in `key` what the crossing step is remembered by. */
  private makeKey(instance: number): void {
    const { key, state } = this;
    const { cpus } = this.from.slots;
    const { cpu } = this.from.footprints[instance];
    const mask = this.keyMasks[instance];
    for (let w = 0; w < key.length; w++) key[w] = state[w] & mask[w];
    for (let other = 0; other < cpus.length; other++)
      if (other !== cpu) key[cpus[other].word] |= this.memory.views[other][numberAt(state, 0, cpus[other])];
  }

  /** Makes the collapsed state at words[at..] the one that the lesson is about. */
  private decode(words: Int32Array, at: number): void {
    const { state, wide, slots } = this;
    const { values } = this.memory;
    for (let w = 0; w < state.length; w++) state[w] = words[at + w];
    for (let w = 0; w < wide.length; w++) wide[w] = 1;
    for (let component = 0; component < slots.length; component++) {
      const from = numberAt(state, 0, slots[component]) * wide.length;
      for (let w = 0; w < wide.length; w++) wide[w] |= values[component][from + w];
    }
    this.findRunning(wide, this.running);
  }

  private encode(wide: Int32Array, words: Int32Array): void {
    const { slots, runningAfter } = this;
    this.findRunning(wide, runningAfter);
    for (let w = 0; w < this.state.length; w++) words[w] = 1;
    for (let component = 0; component < slots.length; component++) {
      const { word, shift } = slots[component];
      words[word] |= this.numberIn(wide, component, runningAfter) << shift;
    }
  }

  /** Puts at to[at..] what to change in `state` to get the collapsed form of `out`. Hardly any step changes more than two components. */
  private putChange(to: Int32Array, at: number): void {
    const { state, wide, out, slots, running, runningAfter } = this;
    this.findRunning(out, runningAfter);
    for (let w = 0; w < state.length; w++) to[at + w] = 0;
    for (let component = 0; component < slots.length; component++) {
      const mask = this.maskOf(component, runningAfter);
      if (mask === this.maskOf(component, running) && (mask === undefined || isSame(wide, out, mask))) continue;
      const slot = slots[component];
      to[at + slot.word] |= (this.numberIn(out, component, runningAfter) ^ numberAt(state, 0, slot)) << slot.shift;
    }
  }

  /** Leaves in `running` the threads that the CPUs run. */
  private findRunning(wide: Int32Array, running: number[]): void {
    const cells = this.from.masks.running;
    for (let cpu = 0; cpu < running.length; cpu++) {
      const cell = cells[cpu];
      const thread = cell === undefined ? -1 : cellValue(wide, cell);
      running[cpu] = thread;
      if (thread >= 0 && running.indexOf(thread) !== cpu)
        throw new RangeError(`two CPUs run thread ${thread}, and no invariant of the model forbids it`);
    }
  }

  /** The bits that belong to a component; undefined for a thread that a CPU runs. */
  private maskOf(component: number, running: readonly number[]): Int32Array | undefined {
    const { masks } = this.from;
    const cpus = running.length;
    if (component < cpus) return this.own[component][running[component] + 1];
    if (component === cpus + masks.threads.length) return masks.globals;
    return running.includes(component - cpus) ? undefined : masks.threads[component - cpus];
  }

  /** The number of a component's value in a state whose CPUs run these threads. */
  private numberIn(wide: Int32Array, component: number, running: readonly number[]): number {
    const mask = this.maskOf(component, running);
    if (mask === undefined) return 0;
    for (let w = 0; w < mask.length; w++) this.value[w] = wide[w] & mask[w];
    const known = this.valuesByContent[component].find(this.value, mask.length);
    return known < 0 ? this.give(component, this.threadOf(component, running)) : known / mask.length;
  }

  /** The thread that a component is about; 0 for the globals, and in a model without threads. */
  private threadOf(component: number, running: readonly number[]): number {
    const cpus = running.length;
    if (component < cpus) return Math.max(0, running[component]);
    return component < cpus + this.from.slots.threads.length ? component - cpus : 0;
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

  /** Gives a number to what stands in `value`. */
  private give(component: number, thread: number): number {
    const { control, values } = this.memory;
    const { counter, capacity } = this.counterOf(component, thread);
    const count = control[COUNTS + counter];
    if (count === this.from.capacities[capacity]) throw new Unfit({ kind: 'full', what: capacity });
    const number = this.numbered(component, thread, count);
    values[component].set(this.value, number * this.value.length);
    control[COUNTS + counter] = count + 1;
    this.meet(component, thread, counter);
    return number;
  }

  /** The number of the n-th value: among those of a CPU the thread that it runs comes first; those of threads begin with 1. */
  private numbered(component: number, thread: number, n: number): number {
    const { cpus, threads, localBits } = this.from.slots;
    if (component < cpus.length) return (thread << localBits) | n;
    return component < cpus.length + threads.length ? n + 1 : n;
  }

  /** Values that others have added since. */
  private catchUp(): void {
    const { met, memory } = this;
    for (let counter = 0; counter < met.length; counter++)
      if (met[counter] !== memory.control[COUNTS + counter]) return this.meetAll();
  }

  private meetAll(): void {
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
    const { words } = this.from.masks;
    this.valuesByContent[component].add(number * words, words);
    if (component < this.shown.length) this.meetView(component, number);
  }

  private meetView(cpu: number, number: number): void {
    const { view, memory } = this;
    const { shared } = this.from.masks;
    const { shift } = this.from.slots.cpus[cpu];
    const from = number * view.length;
    for (let w = 0; w < view.length; w++) view[w] = memory.values[cpu][from + w] & shared[w];
    // Whoever gave the value its number has numbered its view, too.
    const given = memory.views[cpu][number] >>> shift;
    memory.views[cpu][number] = this.numberOfView(cpu, given) << shift;
  }

  /** The number of what stands in `view`: the one that it has, or the one that another thread has given, or the next one. */
  private numberOfView(cpu: number, given: number): number {
    const { view } = this;
    const index = this.viewsByContent[cpu];
    const known = index.find(view, view.length);
    if (known >= 0) return known / view.length;
    const number = given > 0 ? given : index.size + 1;
    this.shown[cpu].set(view, number * view.length);
    index.add(number * view.length, view.length);
    return number;
  }

  /** Makes the region of a state, and with symmetry those of its renamings. */
  private makeRegions(wide: Int32Array): void {
    this.makeRegionOf(wide);
    for (const renamer of this.renamers) this.makeRegionOf(Int32Array.from(renamer(wide)));
  }

  private makeRegionOf(wide: Int32Array): void {
    this.findRunning(wide, this.runningAfter);
    this.makeRegion(this.runningAfter);
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

function or(words: Int32Array, mask: Int32Array): Int32Array {
  return words.map((word, i) => word | mask[i]);
}

function isSame(a: Int32Array, b: Int32Array, mask: Int32Array): boolean {
  for (let i = 0; i < mask.length; i++) if (((a[i] ^ b[i]) & mask[i]) !== 0) return false;
  return true;
}

function bitsOf({ words }: Slots, slots: readonly Slot[]): Int32Array {
  const mask = new Int32Array(words);
  for (const { word, shift, bits } of slots) mask[word] |= ((1 << bits) - 1) << shift;
  return mask;
}

/** The components that a footprint names. */
function slotsIn(slots: Slots, { cpu, threads, globals }: Footprint): Slot[] {
  if (cpu < 0) return [];
  return [slots.cpus[cpu], ...threads.map((thread) => slots.threads[thread]), ...(globals ? [slots.globals] : [])];
}

/** The bits of a state that stay in the key of a crossing step; in the places of the other CPUs their views are put. */
export function keyMask(slots: Slots, footprint: Footprint): Int32Array {
  return bitsOf(slots, slotsIn(slots, footprint)).map((word) => word | 1);
}
