/**
 * Learns the steps of states, one state at a time, by executing the generated code of all rules on it. What a step
 * changes is remembered for every state in which the step depends on the same (step-memory.ts), so this is done some
 * ten thousand times in a search of any size.
 */

import { noteInBlock } from './block-summary';
import { markedProperty, NO_CELL, NO_CODE } from './code/marker';
import { Collapser } from './collapser';
import { numberAt } from './components';
import { bitsOf, CrossingMemory, footprintBits } from './crossing-memory';
import { BAD, LEARNT, type Learnable, type Lesson, Unfit } from './lesson';
import { hashOf, PlaceIndex } from './place-index';
import { FAR, isPlain, moveOf } from './state-set';
import { StepCode } from './step-code';
import { LOCK, RECORD_HEAD, RECORDS_END, rowsOf, type StepMemory, stepStride } from './step-memory';

/** Numbers of the instances of one CPU. */
interface Instances {
  readonly first: readonly number[];
  readonly local: readonly number[];
  readonly crossing: readonly number[];
}

/**
 * A local step, and what it changes wherever its CPU's component is the same; undefined for one that uses globals, and
 * has to be tried with each.
 */
interface LocalStep {
  readonly instance: number;
  readonly change: Int32Array | undefined;
}

/**
 * What a CPU's component tells of its steps without the globals. Hardly any instance uses these, and most components
 * are met with several values of them.
 */
interface OwnSteps {
  /** Without those that are not enabled. */
  readonly local: readonly LocalStep[];
  readonly crossing: readonly number[];
}

/** Of one CPU in one state. */
export const MOST_STEPS = 1 << 10;
const NAP_MS = 1;

const { compareExchange, store, wait, notify } = Atomics;

export class Learner {
  private readonly from: Learnable;
  private readonly memory: StepMemory;
  private readonly collapser: Collapser;
  private readonly crossings: CrossingMemory;
  private readonly code: StepCode;
  private readonly instances: readonly Instances[];
  /** By the CPU, then by the number of its component. */
  private readonly ownSteps: readonly Map<number, OwnSteps>[];
  /**
   * The bits of a collapsed state that the steps of an instance may change; and those of each thread, for the CPU that
   * runs it.
   */
  private readonly changeable: readonly Int32Array[];
  private readonly ofThreads: readonly Int32Array[];
  private readonly rows: readonly number[];
  /** A CPU does the same whatever the globals are, more often than not. */
  private readonly recordsByContent: PlaceIndex;
  /** Room for one successor, or for a marker and the state behind it. */
  private readonly out: Int32Array;
  private readonly record: Int32Array;
  private readonly change: Int32Array;

  constructor(from: Learnable, memory: StepMemory) {
    const { slots, masks, footprints } = from;
    this.from = from;
    this.memory = memory;
    this.collapser = new Collapser(from, memory);
    this.crossings = new CrossingMemory(from, memory);
    this.code = new StepCode(from.trees);
    this.instances = slots.cpus.map((_, cpu) => instancesOf(cpu, from));
    this.ownSteps = slots.cpus.map(() => new Map());
    this.changeable = footprints.map((footprint) => footprintBits(slots, footprint));
    this.ofThreads = slots.threads.map((slot) => bitsOf(slots, [slot]));
    this.rows = rowsOf(slots);
    this.recordsByContent = new PlaceIndex(memory.records);
    this.out = new Int32Array(2 * masks.words);
    this.record = new Int32Array(RECORD_HEAD + footprints.length * stepStride(slots.words));
    this.change = new Int32Array(slots.words);
  }

  violates(wide: Int32Array): boolean {
    return this.code.judge(wide) !== 0;
  }

  /** Writes the collapsed form of a state into `words`. */
  collapse(wide: Int32Array, words: Int32Array): Lesson {
    return this.attempt(() => {
      this.collapser.makeRegions(wide);
      this.collapser.encode(wide, words);
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
      const { collapser, out, change } = this;
      collapser.decode(words, at);
      this.from.renamings?.forEach(({ images }, renaming) => {
        out.set(collapser.renamers[renaming](collapser.wide));
        collapser.encode(out, change);
        this.rememberImages(renaming, images, collapser.state, change);
      });
      return LEARNT;
    });
  }

  private rememberImages(renaming: number, becomes: readonly number[], before: Int32Array, after: Int32Array): void {
    const { images, ranks } = this.memory;
    const { rows } = this;
    const { slots } = this.collapser;
    const start = renaming * rows[rows.length - 1];
    for (let component = 0; component < slots.length; component++) {
      const image = becomes[component];
      const number = numberAt(after, 0, slots[image]);
      const at = start + rows[component] + numberAt(before, 0, slots[component]);
      ranks[at] = this.rankOf(image, number);
      store(images, at, number << slots[image].shift);
    }
  }

  /**
   * A hash of the value, so that no order in which values were met is seen in it; 0 for a thread that some CPU runs.
   */
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
      this.collapser.catchUp();
      return action();
    } finally {
      store(control, LOCK, 0);
      notify(control, LOCK, 1);
    }
  }

  private learnSteps(words: Int32Array, at: number): Lesson {
    const { cpus, globals, words: width } = this.from.slots;
    const { local, records } = this.memory;
    const { state } = this.collapser;
    this.collapser.decode(words, at);
    for (let cpu = 0; cpu < cpus.length; cpu++) {
      const place = (numberAt(state, 0, cpus[cpu]) << globals.bits) | numberAt(state, 0, globals);
      if (local[cpu][place] === 0) {
        store(local[cpu], place, this.append(this.makeRecord(cpu)));
        if (cpu === cpus.length - 1) noteInBlock(this.memory, this.from.slots, place, local[cpu][place]);
      }
      const record = local[cpu][place];
      const candidates = record + RECORD_HEAD + records[record] * stepStride(width);
      for (let i = 0; i < records[record + 1]; i++) this.rememberCrossing(records[candidates + i]);
    }
    return LEARNT;
  }

  /** Leaves in `record` what the CPU does; answers its length. */
  private makeRecord(cpu: number): number {
    const afterFirst = this.putFirst(cpu, RECORD_HEAD);
    if (afterFirst > RECORD_HEAD) return this.headed(afterFirst, afterFirst, false);
    const { local, crossing } = this.ownStepsOf(cpu);
    const afterSteps = this.putLocal(cpu, local, RECORD_HEAD);
    const end = this.putCandidates(crossing, afterSteps);
    // Beyond what the model promises: a CPU whose steps may depend on others is not private.
    return this.headed(afterSteps, end, end === afterSteps && this.code.isPrivate[cpu]?.(this.collapser.wide) === 1);
  }

  private ownStepsOf(cpu: number): OwnSteps {
    const number = numberAt(this.collapser.state, 0, this.from.slots.cpus[cpu]);
    const known = this.ownSteps[cpu].get(number);
    if (known !== undefined) return known;
    const own = this.findOwnSteps(cpu);
    this.ownSteps[cpu].set(number, own);
    return own;
  }

  /**
   * Tries all instances of a CPU. What a step changes and whether it is judged to be good is told by the component
   * alone if it uses no globals: an instance that writes what a condition about globals and CPUs looks at is a crossing
   * one.
   */
  private findOwnSteps(cpu: number): OwnSteps {
    const { change, code } = this;
    const { wide } = this.collapser;
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
      if (this.step(instance, this.record, end)) end = this.putMove(cpu, end, true);
    return end;
  }

  private putLocal(cpu: number, steps: readonly LocalStep[], at: number): number {
    const { record } = this;
    const { words } = this.from.slots;
    let end = at;
    for (let i = 0; i < steps.length; i++) {
      const { instance, change } = steps[i];
      if (change === undefined && !this.step(instance, record, end)) continue;
      if (change !== undefined) for (let w = 0; w < words; w++) record[end + w] = change[w];
      end = this.putMove(cpu, end, change === undefined);
    }
    return end;
  }

  /**
   * Puts behind the change at record[at..] where it goes in the set of states; answers where that ends. What uses the
   * globals must not pass for plain.
   */
  private putMove(cpu: number, at: number, usesGlobals: boolean): number {
    const { slots } = this.from;
    const move = moveOf(slots, cpu, this.collapser.state, this.record, at);
    this.record[at + slots.words] = usesGlobals && isPlain(move) ? FAR : move;
    return at + stepStride(slots.words);
  }

  private putCandidates(instances: readonly number[], at: number): number {
    const { wide } = this.collapser;
    let end = at;
    for (let i = 0; i < instances.length; i++)
      if (this.code.mayCross[instances[i]]?.(wide) === 1) this.record[end++] = instances[i];
    return end;
  }

  /** Puts in front of the record how long its two parts are. */
  private headed(afterSteps: number, end: number, isPrivate: boolean): number {
    const steps = (afterSteps - RECORD_HEAD) / stepStride(this.from.slots.words);
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
    const { out, code } = this;
    const { wide } = this.collapser;
    if (!code.steps[instance]?.(wide, out)) return false;
    if ((out[0] & 1) === 0) throw new Unfit(this.failure(out[0], instance, wide));
    if (code.judge(out) !== 0) throw new Unfit(BAD);
    this.collapser.putChange(out, to, at);
    this.demandOwn(instance, to, at);
    return true;
  }

  /** A step changes its CPU's component, the thread that this runs, and what its footprint names: nothing else. */
  private demandOwn(instance: number, change: Int32Array, at: number): void {
    const { cpu } = this.from.footprints[instance];
    const changeable = this.changeable[instance];
    const ofThread = this.ofThreads[this.collapser.running[cpu]];
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
    const { collapser, crossings, change, out } = this;
    const at = crossings.reserve(instance, collapser.state);
    if (at < 0) return;
    const isEnabled = this.step(instance, change, 0);
    if (isEnabled) collapser.makeRegions(out);
    crossings.remember(at, instance, isEnabled ? change : undefined);
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
