/**
 * What the search, the walks and the exports need to know of a model: its schema, its rules and its invariants. A rule
 * with parameters stands for one instance for each combination of arguments; instances are numbered once and for all,
 * rule by rule, so that a number in a stored state, a trace and a report all mean the same step.
 */

import type { Bounds, IndexSort, Schema, Transient } from './language/schema-types';
import { extentOf } from './language/schema-types';
import type { Packing } from './search/packing';

/**
 * A guarded step, and nothing but a function of its arguments. `apply` answers false before its first write, or changes
 * the state. A rule whose condition is violated sets `s.failed` to the number of the property. `apply` is declared as a
 * method so that rules with parameters of narrower types fit.
 */
export interface Rule<S, D> {
  /** What traces call it (`load-kernel-cr3`). */
  readonly name: string;
  /** An event comes from outside (an interrupt, a system call); everything else is a step of the kernel. */
  readonly event: boolean;
  /** What it is tried with: one sort for each argument after the state. */
  readonly params: readonly IndexSort[];
  /** Changes the state and answers nothing; or answers false, and has changed nothing. */
  apply(d: D, b: Bounds, s: S, ...args: number[]): false | void;
}

/** What every reachable state has to satisfy. */
export interface Invariant<S, D> {
  /** Its number, from 1. Of several that fail in one state the lowest is reported. */
  readonly property: number;
  /** What messages call it. */
  readonly name: string;
  /** Does the state satisfy it? */
  holds(d: D, b: Bounds, s: S): boolean;
  /** It says of the model that it is large enough, not of what it describes: where it fails there is no verdict. */
  readonly isLimit?: boolean;
}

/**
 * A model: states, and what leads from one to the next. All of a state is in its schema; nothing else may change. The
 * order of the rules, and of the arguments of each, is part of the model: the number of an instance, counts at a
 * violation and the choice among shortest traces follow from it, so it has to be the same in every process.
 */
export interface Model<S extends Transient, D = unknown> {
  /** The fields of a state. */
  readonly schema: Schema;
  /** How large the model is. */
  readonly bounds: Bounds;
  /** What the rules read as `d`: integers, and tables of integers. */
  readonly config: D;
  /** Where each value of a state lies: `makePacking(schema, bounds)`. */
  readonly packing: Packing<S>;
  /** The steps that there are. */
  readonly rules: readonly Rule<S, D>[];
  /** What every reachable state has to satisfy. */
  readonly invariants: readonly Invariant<S, D>[];
  /** The field that names the thread that a CPU runs, if the model has threads: a hint for the compiled search. */
  readonly running?: string;
  /** A new state: the one that the search begins with. */
  initial(): S;
  /**
   * The files with the TypeScript of the rules, the invariants and what they use, as absolute paths or file: URLs: what
   * is translated (compiled search, exports). Direct execution needs none.
   */
  ruleFiles?(): readonly (string | URL)[];
  /** The name of a property that a rule or an invariant has by number. Default: that of the invariant. */
  propertyName?(property: number): string;
  /** What a search by partial order needs, if the model provides for it. */
  partialOrder?(): PartialOrder<S, D>;
}

/** What partial-order reduction needs to know of a model, and what that has to promise: see partial-order.ts. */
export interface PartialOrder<S extends Transient, D> {
  /**
   * The model with more fields and more rules: those of the plain one come first, so their instances keep their
   * numbers.
   */
  readonly model: Model<S, D>;
  /** Rules of which the reduced search tries nothing else where one is enabled. */
  readonly first: readonly string[];
  /** Rules of the plain model in whose place the reduced search has others. */
  readonly replaced: readonly string[];
  /** Do the steps of this CPU stand for all? */
  isPrivate(d: D, b: Bounds, s: S, c: number): boolean;
}

/** A rule with its arguments. */
export interface RuleInstance {
  /** Its place in the order of all instances, from 0. */
  readonly number: number;
  /** The name of the rule. */
  readonly rule: string;
  /** Does it come from outside? */
  readonly event: boolean;
  /** The sorts of the arguments. */
  readonly params: readonly IndexSort[];
  /** What the rule is called with after the state. */
  readonly args: readonly number[];
}

/** More parameters would make more instances than a search can try in each state. */
const MAX_PARAMS = 3;

function argumentsOf(params: readonly IndexSort[], bounds: Bounds): number[][] {
  return params.reduce<number[][]>(
    (lists, param) =>
      lists.flatMap((args) => Array.from({ length: extentOf(param, bounds) }, (_, value) => [...args, value])),
    [[]],
  );
}

/** Every instance of every rule, in the order of their numbers: rule by rule, arguments in lexicographic order. */
export function ruleInstances<S extends Transient, D>(model: Model<S, D>): RuleInstance[] {
  return model.rules
    .flatMap(({ name, event, params }) => {
      if (params.length > MAX_PARAMS)
        throw new RangeError(`rule ${name} has ${params.length} parameters; the search takes at most ${MAX_PARAMS}`);
      return argumentsOf(params, model.bounds).map((args) => ({ rule: name, event, params, args }));
    })
    .map((instance, number) => ({ number, ...instance }));
}

/** `t1`, or `idle(c0)` for the idle thread of CPU 0: idle threads count on after the tasks. */
export function threadName(bounds: Pick<Bounds, 'tasks'>, t: number): string {
  return t < bounds.tasks ? `t${t}` : `idle(c${t - bounds.tasks})`;
}

const PREFIX: Readonly<Record<Exclude<IndexSort, 'thread'>, string>> = { cpu: 'c', task: 't', mm: 'm' };

/** The instance as a reader sees it: `switch-to(c0, t1)`, `switch-to(c0, idle(c0))`. */
export function instanceName(
  { rule, params, args }: Pick<RuleInstance, 'rule' | 'params' | 'args'>,
  bounds: Pick<Bounds, 'tasks'>,
): string {
  const names = args.map((arg, i) => {
    const sort = params[i];
    if (sort === undefined) return `${arg}`;
    return sort === 'thread' ? threadName(bounds, arg) : `${PREFIX[sort]}${arg}`;
  });
  return `${rule}(${names.join(', ')})`;
}

/**
 * Instances as columns, for loops that try each of them: unused arguments are 0, which a rule with fewer parameters
 * never sees.
 */
export interface InstanceTable<S, D> {
  readonly count: number;
  readonly apply: readonly Rule<S, D>['apply'][];
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly third: Int32Array;
}

export function instanceTable<S extends Transient, D>(model: Model<S, D>): InstanceTable<S, D> {
  const instances = ruleInstances(model);
  const column = (i: number) => Int32Array.from(instances, (instance) => instance.args[i] ?? 0);
  const apply = model.rules.flatMap((rule) => argumentsOf(rule.params, model.bounds).map(() => rule.apply));
  return { count: instances.length, apply, first: column(0), second: column(1), third: column(2) };
}

/** The properties that a state violates: by the rule that led to it, or as an invariant. Lowest first. */
export function violations<S extends Transient, D>(model: Model<S, D>, state: S): number[] {
  const broken = model.invariants
    .filter((invariant) => !invariant.holds(model.config, model.bounds, state))
    .map((invariant) => invariant.property);
  if (state.failed !== 0) broken.push(state.failed);
  return [...new Set(broken)].sort((a, b) => a - b);
}
