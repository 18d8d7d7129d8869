/**
 * What one CPU can do with a sleeping task while all others stand still: take it, and put it to sleep again with other
 * values. The states of one CPU and one task are searched by direct execution of the rules.
 */
import type { Bounds, Transient } from '../language/schema-types';
import { instanceTable, type Model } from '../model';
import type { ModelAt } from './smallest';
import type { StateReader } from './state-views';
import { keyOf } from './views';

/** A CPU that rests, and what it can make of a sleeping task meanwhile. */
interface Rearranging {
  /** Keys of sleepers: whichever of these values the task has, the CPU can bring about any other, and rest again. */
  readonly values: ReadonlySet<string>;
}

/** The states of a model of one CPU, by number, as far as they have been met. */
class Graph<S extends Transient, D> {
  readonly states: Uint32Array[] = [];
  /** By state, those that lead to it. */
  readonly before: number[][] = [];
  private readonly model: Model<S, D>;
  private readonly numbers = new Map<string, number>();

  constructor(model: Model<S, D>) {
    this.model = model;
    this.numberOf(model.initial());
  }

  state(number: number): S {
    const state = this.model.packing.zero();
    this.model.packing.unpack(this.states[number], 0, state);
    return state;
  }

  /** All states, or those up to the first for which `isEnd` holds; its number, or -1. */
  search(isEnd: (state: S) => boolean = () => false): number {
    for (let from = 0; from < this.states.length; from++) {
      if (isEnd(this.state(from))) return from;
      this.successors(from);
    }
    return -1;
  }

  /** The numbers of the states that the state leads to. */
  successors(from: number): number[] {
    const { config, bounds, packing } = this.model;
    const { apply, first, second, third, count } = instanceTable(this.model);
    const state = packing.zero();
    const bound = packing.bind(state);
    const found: number[] = [];
    for (let i = 0; i < count; i++) {
      bound.unpack(this.states[from], 0);
      if (apply[i](config, bounds, state, first[i], second[i], third[i]) === false) continue;
      const number = this.numberOf(state);
      this.before[number].push(from);
      found.push(number);
    }
    return found;
  }

  /** The states that lead to this one, however long that takes. */
  leadingTo(goal: number): Set<number> {
    const found = new Set([goal]);
    for (const each of found) for (const from of this.before[each]) found.add(from);
    return found;
  }

  private numberOf(state: S): number {
    const { packing } = this.model;
    const words = new Uint32Array(packing.words);
    packing.pack(state, words, 0);
    const key = words.join();
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    this.numbers.set(key, this.states.length);
    this.before.push([]);
    return this.states.push(words) - 1;
  }
}

/**
 * The key of the CPU's view if it rests: if it runs its idle thread and mentions no task. undefined if it does not.
 */
function restOf(state: Transient, bounds: Bounds, reader: StateReader): string | undefined {
  const rests = reader.runs(state, 0) === bounds.tasks && !reader.mentionsTask(state, bounds, 0);
  return rests ? keyOf(reader.view(state, bounds, [0])) : undefined;
}

/**
 * What a resting CPU can make of any sleeping task; nothing if it cannot. `bounds` have any number of events. With one
 * CPU and one task the recurrent states are found: those that lead back to the initial state, so that there is a way
 * from each to each. In those that count, the CPU rests in one and the same way, but for the address space.
 */
export function rearranging<S extends Transient, D>(
  modelAt: ModelAt<S, D>,
  bounds: Bounds,
  reader: StateReader,
): Rearranging {
  const one: Bounds = { ...bounds, cpus: 1, tasks: 1, mms: Math.min(1, bounds.mms) };
  const graph = new Graph(modelAt(one));
  graph.search();
  const values = new Set<string>();
  let rest: string | undefined;
  for (const number of [...graph.leadingTo(0)].sort((a, b) => a - b)) {
    const state = graph.state(number);
    const view = restOf(state, one, reader);
    rest ??= view;
    if (view !== undefined && view === rest) values.add(keyOf(reader.sleeper(state, one, 0).values));
  }
  const changes = bounds.mms < 2 || changesMm(modelAt, { ...bounds, cpus: 1, tasks: 2, mms: 2 }, reader, rest);
  return { values: changes ? values : new Set() };
}

/** Can a CPU that rests so go, in one step, to the address space of the other task and rest so there? */
function changesMm<S extends Transient, D>(
  modelAt: ModelAt<S, D>,
  bounds: Bounds,
  reader: StateReader,
  rest: string | undefined,
): boolean {
  const graph = new Graph(modelAt(bounds));
  const from = graph.search((state) => rest !== undefined && restOf(state, bounds, reader) === rest);
  if (from < 0) return false;
  const before = reader.raw(graph.state(from), 0).join();
  return graph.successors(from).some((number) => {
    const state = graph.state(number);
    return restOf(state, bounds, reader) === rest && reader.raw(state, 0).join() !== before;
  });
}
