/**
 * Exhaustive breadth-first search of a model, by direct execution of its rules. The first violation found is one at the
 * smallest depth, so its trace is a shortest one. Counts and traces are a function of the model and the options alone:
 * no clock and no chance decides anything, except where the caller's `shouldStop` or the memory ends the search.
 */

import type { Transient } from '../language/schema-types';
import type { InstanceTable, Model, PartialOrder, RuleInstance } from '../model';
import { instanceTable, ruleInstances } from '../model';
import type { Judge } from './judge';
import { DROPPED, makeJudge } from './judge';
import type { BoundState } from './packing';
import { partialOrderOf, type Steps, stepsOf } from './partial-order';
import { FULL, KNOWN, NO_PARENT, StateStore } from './state-store';
import { type Canonicalize, makeCanonicalizer } from './symmetry';

/** How far a search has come. */
export interface Progress {
  /** Distinct states met. */
  readonly states: number;
  /** States met but not yet expanded. */
  readonly frontier: number;
  /** Transitions from the initial state to those that are being expanded. */
  readonly depth: number;
  /** New states a second since the last report. */
  readonly rate: number;
  /** What the states take by now. */
  readonly bytes: number;
}

/** What a search is asked, and what it may use. */
export interface ExploreOptions<S> {
  /** Bound for the states and their table in MiB (2048); the rest of the process comes on top. */
  readonly memoryMiB?: number;
  /** Longest trace to look at. */
  readonly stopAtDepth?: number;
  /** Only violations of this property count. Whatever violates another one is neither reported nor followed. */
  readonly property?: number;
  /**
   * Ask for a shortest trace to such a state. Violations are then neither reported nor followed, except those of
   * `property`.
   */
  readonly goal?: (state: S) => boolean;
  /** The same for a transition. The function must not change or keep the states. */
  readonly goalTransition?: (before: S, instance: RuleInstance, after: S) => boolean;
  /**
   * Keep one state of each set that renaming CPUs, tasks and address spaces makes equal (symmetry.ts). A goal may tell
   * them apart, so the two do not go together. The trace, if any, is that of the plain search.
   */
  readonly symmetry?: boolean;
  /**
   * Follow one CPU where its steps commute with those of the others (partial-order.ts). Not with a goal; a search for
   * one property is not reduced. The depths of `stopAtDepth` are those of the reduced search. The trace, if any, is
   * that of the plain search.
   */
  readonly por?: boolean;
  /** Report a state without a successor. Default: yes, unless `property` or a goal asks for something else. */
  readonly deadlock?: boolean;
  /** Called about twice a second. */
  readonly onProgress?: (progress: Progress) => void;
  /** Polled every few milliseconds. */
  readonly shouldStop?: () => boolean;
}

/** What a search found. */
export interface Exploration {
  /** `unknown`: the search ended before it knew. */
  readonly verdict: 'holds' | 'violated' | 'deadlock' | 'unknown';
  /** The violated property. */
  readonly property?: number;
  /** Why nothing is known for sure; `capacity`: the model has no room for what it may do (`isLimit`). */
  readonly reason?: 'memory' | 'interrupted' | 'depth' | 'capacity';
  /** Was there such a state or transition? Where a goal was asked for. */
  readonly goalReached?: boolean;
  /** Distinct states met, without those that the filter of `property` or of a goal dropped. */
  readonly states: number;
  /** Rule applications that changed a state, violating ones included. */
  readonly transitions: number;
  /** The length of the trace; without one, the depth of the last state expanded. A search in bulk has no levels. */
  readonly depth?: number;
  /** With the reason `memory`, and beside `mostStates`: what all would have needed, where there is an estimate. */
  readonly neededMiB?: number;
  /** There was no room to count the states: there are no more than this, and `states` and `transitions` are 0. */
  readonly mostStates?: number;
  /** The reductions that were really used, if they are not those that were asked for: without one there was room. */
  readonly reductions?: readonly ('symmetry' | 'por')[];
  /** Most bytes that the states took, set and frontier, at the end of a level; where the search counts them. */
  readonly bytes?: number;
  /** Threads that took part, where there may be several: one that starts too late for a short search does not. */
  readonly joined?: number;
  /** To the violation, the deadlock or the goal. */
  readonly trace?: readonly RuleInstance[];
}

/** How a search ends: everything of its result but the counts. */
type Ending = Pick<Exploration, 'verdict' | 'property' | 'reason' | 'goalReached'> & {
  readonly path?: readonly number[];
};

const DEFAULT_MEMORY_MIB = 2048;
const POLL_EVERY = 1024;
const PROGRESS_MS = 500;

const now = performance.now.bind(performance);

/**
 * One run of the search: the store, and a scratch state that every rule application reuses, so that nothing is
 * allocated for a state.
 */
class Search<S extends Transient, D> {
  private readonly model: Model<S, D>;
  private readonly options: ExploreOptions<S>;
  /** With partial-order reduction: its conditions, and the instances that it tries. */
  private readonly order: (PartialOrder<S, D> & { readonly steps: Steps }) | undefined;
  /** The instances that are tried. */
  private readonly all: readonly number[];
  private readonly instances: readonly RuleInstance[];
  private readonly table: InstanceTable<S, D>;
  private readonly judge: Judge<S>;
  private readonly store: StateStore;
  private readonly scratch: S;
  private readonly bound: BoundState;
  /**
   * The state being expanded: what the scratch state holds between two rules. `before` is its copy for
   * `goalTransition`.
   */
  private readonly source: Uint32Array;
  private readonly before: S;
  private readonly successor: Uint32Array;
  /** The successor as it is stored. */
  private readonly stored: Uint32Array;
  private readonly canonicalize: Canonicalize | undefined;
  private readonly seeksGoal: boolean;
  /** Violations are filtered: each successor is judged before it is stored, not only each new state. */
  private readonly filters: boolean;
  private readonly reportsDeadlock: boolean;
  private transitions = 0;
  /** Instances that were enabled in the state being expanded. */
  private enabled = 0;
  private depth = 0;
  private lastReport = now();
  private lastStates = 0;

  constructor(plain: Model<S, D>, options: ExploreOptions<S>) {
    const order = options.por ? partialOrderOf(plain) : undefined;
    this.order = order && { ...order, steps: stepsOf(order) };
    const model = order?.model ?? plain;
    const { packing } = model;
    this.model = model;
    this.options = options;
    this.instances = ruleInstances(model);
    this.all = this.order?.steps.byCpu.flat() ?? this.instances.map(({ number }) => number);
    this.table = instanceTable(model);
    this.store = new StateStore(packing.words, (options.memoryMiB ?? DEFAULT_MEMORY_MIB) * 2 ** 20);
    this.scratch = packing.zero();
    this.bound = packing.bind(this.scratch);
    this.before = packing.zero();
    this.source = new Uint32Array(packing.words);
    this.successor = new Uint32Array(packing.words);
    this.stored = new Uint32Array(packing.words);
    this.canonicalize = options.symmetry ? makeCanonicalizer(packing, model.schema, model.bounds) : undefined;
    this.seeksGoal = options.goal !== undefined || options.goalTransition !== undefined;
    this.filters = this.seeksGoal || options.property !== undefined;
    this.judge = makeJudge(model, options.property, this.filters);
    this.reportsDeadlock = options.deadlock ?? !this.filters;
  }

  run(): Exploration {
    const { path, ...verdict } = this.start() ?? this.expandAll();
    const missed = this.seeksGoal && verdict.goalReached === undefined ? { goalReached: false } : {};
    const counts = { states: this.store.size, transitions: this.transitions };
    if (path === undefined) return { ...verdict, ...missed, ...counts, depth: this.depth };
    return {
      ...verdict,
      ...missed,
      ...counts,
      depth: path.length,
      trace: path.map((number) => this.instances[number]),
    };
  }

  private start(): Ending | undefined {
    this.model.packing.pack(this.model.initial(), this.successor, 0);
    this.bound.unpack(this.successor, 0);
    this.source.set(this.successor);
    return this.meet(NO_PARENT, 0);
  }

  private expandAll(): Ending {
    const { store, options } = this;
    let levelEnd = store.size;
    for (let record = 0; record < store.size; record++) {
      if (record === levelEnd) {
        this.depth++;
        levelEnd = store.size;
      }
      if (this.depth === options.stopAtDepth) return { verdict: 'unknown', reason: 'depth' };
      if (record % POLL_EVERY === 0 && this.interrupted(record)) return { verdict: 'unknown', reason: 'interrupted' };
      const ending = this.expand(record);
      if (ending !== undefined) return ending;
    }
    return { verdict: 'holds' };
  }

  private expand(record: number): Ending | undefined {
    const { model, scratch, bound, source, successor, order } = this;
    const { config, bounds } = model;
    this.store.read(record, successor);
    bound.restore(successor, source);
    source.set(successor);
    if (this.options.goalTransition !== undefined) model.packing.unpack(source, 0, this.before);
    this.enabled = 0;
    if (order !== undefined) {
      const { first, byCpu } = order.steps;
      const ending = this.tryAll(record, first);
      if (ending !== undefined || this.enabled > 0) return ending;
      for (let cpu = 0; cpu < byCpu.length; cpu++) {
        if (!order.isPrivate(config, bounds, scratch, cpu)) continue;
        const own = this.tryAll(record, byCpu[cpu]);
        if (own !== undefined || this.enabled > 0) return own;
      }
    }
    const ending = this.tryAll(record, this.all);
    if (ending !== undefined) return ending;
    if (this.enabled === 0 && this.reportsDeadlock) return { verdict: 'deadlock', path: this.store.path(record) };
    return undefined;
  }

  /** Applies these instances to the scratch state, which is `source` before and after. */
  private tryAll(record: number, numbers: readonly number[]): Ending | undefined {
    const { table, scratch, bound, source, successor } = this;
    const { config, bounds } = this.model;
    const { apply, first, second, third } = table;
    for (let n = 0; n < numbers.length; n++) {
      const i = numbers[n];
      const rule = apply[i];
      // A disabled rule has written nothing, so only a success needs a fresh copy.
      if (rule(config, bounds, scratch, first[i], second[i], third[i]) === false) continue;
      this.enabled++;
      const ending = this.follow(record, i);
      if (ending !== undefined) return ending;
      // What a violating rule has left behind was not packed.
      if (scratch.failed !== 0) bound.unpack(source, 0);
      else bound.restore(source, successor);
    }
    return undefined;
  }

  /** The scratch state is now a successor of this record. */
  private follow(record: number, instance: number): Ending | undefined {
    this.transitions++;
    const { goalTransition } = this.options;
    // A violating application ends here: its state is not packed, since the rule may have left it half-done.
    if (this.scratch.failed !== 0) return this.violation(this.judge(this.scratch), record, instance);
    if (goalTransition === undefined) {
      this.bound.pack(this.successor, 0);
      return this.meet(record, instance);
    }
    if (this.judge(this.scratch) === 0 && goalTransition(this.before, this.instances[instance], this.scratch))
      return this.reached(record, instance);
    this.bound.pack(this.successor, 0);
    return this.meet(record, instance);
  }

  /** Judges the scratch state, packed in `successor`, and stores it if it is new. */
  private meet(parent: number, instance: number): Ending | undefined {
    const { scratch, filters } = this;
    if (filters) {
      const property = this.judge(scratch);
      if (property !== 0) return this.violation(property, parent, instance);
    }
    const record = this.store.insert(this.canonical(), parent, instance);
    if (record === KNOWN) return undefined;
    if (record === FULL) return { verdict: 'unknown', reason: 'memory' };
    if (!filters) return this.violation(this.judge(scratch), parent, instance);
    return this.options.goal?.(scratch) ? this.reached(parent, instance) : undefined;
  }

  /** The successor, or the state that stands for it. */
  private canonical(): Uint32Array {
    if (this.canonicalize === undefined) return this.successor;
    this.stored.set(this.successor);
    this.canonicalize(this.stored);
    return this.stored;
  }

  private violation(property: number, parent: number, instance: number): Ending | undefined {
    if (property === 0 || property === DROPPED) return undefined;
    return { verdict: 'violated', property, path: this.pathTo(parent, instance) };
  }

  private reached(parent: number, instance: number): Ending {
    return { verdict: 'holds', goalReached: true, path: this.pathTo(parent, instance) };
  }

  private pathTo(parent: number, instance: number): number[] {
    return parent === NO_PARENT ? [] : [...this.store.path(parent), instance];
  }

  /** Reports progress when it is due, and asks whether to stop. */
  private interrupted(expanded: number): boolean {
    const { onProgress, shouldStop } = this.options;
    const { size, bytes } = this.store;
    const elapsed = now() - this.lastReport;
    if (onProgress !== undefined && elapsed >= PROGRESS_MS) {
      const rate = Math.round(((size - this.lastStates) * 1000) / elapsed);
      onProgress({ states: size, frontier: size - expanded, depth: this.depth, rate, bytes });
      this.lastReport = now();
      this.lastStates = size;
    }
    return shouldStop?.() ?? false;
  }
}

/**
 * Searches every reachable state by executing the rules. Blocks this thread meanwhile. Throws RangeError for options
 * that do not go together, and ValueRangeError where a rule stores a value that its sort does not have.
 */
export function explore<S extends Transient, D>(model: Model<S, D>, options: ExploreOptions<S> = {}): Exploration {
  const seeksGoal = (options.goal ?? options.goalTransition) !== undefined;
  if (options.symmetry && seeksGoal)
    throw new RangeError('a search for a goal cannot use symmetry: the goal may name a CPU');
  if (options.por && seeksGoal)
    throw new RangeError('a search for a goal cannot use partial-order reduction: the goal may look at several CPUs');
  const plain = { ...options, symmetry: false, por: false };
  const reduced = {
    ...plain,
    symmetry: options.symmetry ?? false,
    por: options.por === true && options.property === undefined,
  };
  const found = withoutLimit(model, new Search(model, reduced).run());
  if (!(reduced.symmetry || reduced.por) || found.trace === undefined) return found;
  // The steps of a reduced search belong to states that stand for others, or come in an order that is as good as
  // others.
  const shortest = withoutLimit(model, new Search(model, plain).run());
  return shortest.verdict === 'unknown' ? withoutTrace(found) : shortest;
}

/** The answer of a search, which is none if what it has found is that the model is too small. */
export function withoutLimit<S extends Transient, D>(model: Model<S, D>, found: Exploration): Exploration {
  if (!model.invariants.some(({ isLimit, property }) => isLimit && property === found.property)) return found;
  const { states, transitions } = found;
  return { verdict: 'unknown', reason: 'capacity', states, transitions };
}

/** What a reduced search has found, where there is no room for a plain one. */
function withoutTrace({ trace: _, ...found }: Exploration): Exploration {
  return found;
}
