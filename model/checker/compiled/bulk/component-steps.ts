/**
 * What CPUs do with each value of their components, learnt by executing the rules (learner.ts): local steps as pairs of
 * values, and the crossing instances that may be enabled. The values of a CPU that runs one thread are numbered from 0.
 */
import { numberAt } from '../components';
import { CrossingMemory } from '../crossing-memory';
import { Learner } from '../learner';
import { type Learnable, type Lesson, Unfit } from '../lesson';
import {
  amountLearnt,
  COUNTS,
  dump,
  makeStepMemory,
  RECORD_HEAD,
  restore,
  type StepMemory,
  stepStride,
} from '../step-memory';

/** The values of one CPU that runs one thread. */
export interface Values {
  /** By value: the values that its local steps lead to. */
  readonly steps: Int32Array[];
  /** The values with which crossing steps may be enabled, in the order in which they were met. */
  readonly crossing: number[];
  /** For each of these the instances that may be enabled. */
  readonly candidates: Int32Array[];
}

/** What a crossing step changes in a state, or that it is not enabled. */
type Crossing = Int32Array | undefined;

/** Two CPUs tell from a third one more than which thread it runs: a bulk search cannot take its states together. */
export const UNSUITABLE: Lesson = { kind: 'bad' };

export class ComponentSteps {
  readonly from: Learnable;
  /** By the CPU, then by the thread. */
  readonly values: readonly (readonly Values[])[];
  private readonly memory: StepMemory;
  private readonly learner: Learner;
  private readonly crossings: CrossingMemory;
  private readonly state: Int32Array;
  private readonly remembered: number;

  constructor(from: Learnable, known?: Int32Array) {
    const { slots, masks, capacities } = from;
    const threads = Math.max(1, slots.threads.length);
    this.from = from;
    this.memory = makeStepMemory({ slots, wideWords: masks.words, capacities, renamings: 0, regionWords: 0 });
    if (known !== undefined) restore(this.memory, known);
    this.remembered = amountLearnt(this.memory);
    this.learner = new Learner(from, this.memory);
    this.crossings = new CrossingMemory(from, this.memory);
    this.state = new Int32Array(slots.words);
    this.values = slots.cpus.map(() =>
      Array.from({ length: threads }, () => ({
        steps: [],
        crossing: [],
        candidates: [],
      })),
    );
  }

  /** What has been learnt, if that is more than was known before. */
  learnt(): Int32Array | undefined {
    return amountLearnt(this.memory) > this.remembered ? dump(this.memory) : undefined;
  }

  /** The collapsed form of a state; throws Unfit for one that violates a property. */
  collapse(wide: Int32Array): Int32Array {
    if (this.learner.violates(wide)) throw new Unfit({ kind: 'bad' });
    const words = new Int32Array(this.from.slots.words);
    heed(this.learner.collapse(wide, words));
    return words;
  }

  /** How many values of the CPU with this thread have a number. */
  count(cpu: number, thread: number): number {
    return this.memory.control[COUNTS + cpu * this.values[cpu].length + thread];
  }

  threadOf(words: Int32Array, cpu: number): number {
    return numberAt(words, 0, this.from.slots.cpus[cpu]) >> this.from.slots.localBits;
  }

  valueOf(words: Int32Array, cpu: number): number {
    return numberAt(words, 0, this.from.slots.cpus[cpu]) & ((1 << this.from.slots.localBits) - 1);
  }

  /** Puts a value of the CPU that runs this thread into a state. */
  put(words: Int32Array, cpu: number, thread: number, value: number): void {
    const { cpus, localBits } = this.from.slots;
    const { word, shift, bits } = cpus[cpu];
    const mask = ((1 << bits) - 1) << shift;
    words[word] = (words[word] & ~mask) | (((thread << localBits) | value) << shift);
  }

  /** Learns all values that local steps of the CPU lead to from its value in a state. */
  reach(cpu: number, words: Int32Array): void {
    const thread = this.threadOf(words, cpu);
    const { steps } = this.values[cpu][thread];
    const open = [this.valueOf(words, cpu)];
    this.state.set(words);
    for (let value = open.pop(); value !== undefined; value = open.pop()) {
      if (steps[value] !== undefined) continue;
      this.put(this.state, cpu, thread, value);
      open.push(...this.learnSteps(cpu, thread, value));
    }
  }

  /** What the crossing instance does in a state. */
  cross(instance: number, words: Int32Array): Crossing {
    const { crossings } = this;
    if (crossings.find(instance, words) < 0) heed(this.learner.learn(words, 0));
    return crossings.changeAt(crossings.find(instance, words));
  }

  /** The local steps of the value that the CPU has in `state`. */
  private learnSteps(cpu: number, thread: number, value: number): Int32Array {
    const { steps, candidates, crossing } = this.values[cpu][thread];
    const { state, memory } = this;
    const { cpus, globals, words, localBits } = this.from.slots;
    const number = numberAt(state, 0, cpus[cpu]);
    const place = (number << globals.bits) | numberAt(state, 0, globals);
    if (memory.local[cpu][place] === 0) heed(this.learner.learn(state, 0));
    this.demandView(cpu, thread, number);
    const record = memory.local[cpu][place];
    const [count, crossings] = [memory.records[record], memory.records[record + 1]];
    const end = record + RECORD_HEAD + count * stepStride(words);
    const made = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      const change = numberAt(memory.records, record + RECORD_HEAD + i * stepStride(words), cpus[cpu]);
      made[i] = (number ^ change) & ((1 << localBits) - 1);
    }
    steps[value] = made;
    if (crossings > 0) {
      candidates.push(memory.records.slice(end, end + crossings));
      crossing.push(value);
    }
    return made;
  }

  /** All values of a CPU with one thread have to show the same to the others. */
  private demandView(cpu: number, thread: number, number: number): void {
    const first = thread << this.from.slots.localBits;
    if (this.memory.views[cpu][number] !== this.memory.views[cpu][first]) throw new Unfit(UNSUITABLE);
  }
}

function heed(lesson: Lesson): void {
  if (lesson.kind !== 'learnt') throw new Unfit(lesson);
}
