/**
 * Is no property ever violated, with any number of CPUs, tasks and address spaces, of events, and any nesting? The
 * answer is a proof, a violation with its shortest trace at the smallest bounds that show it, or what stands in the way
 * of both. docs/proof.md has the method and why it is sound.
 */
import { type Bounds, sizeOf, type Transient } from '../language/schema-types';
import type { Model } from '../model';
import type { Alarm, Obstacle, Sleeper } from './element';
import { type Fixpoint, fixpoint } from './fixpoint';
import { sizesFor } from './proof-bounds';
import { type ProofSystem, proofSystem } from './proof-system';
import { type ModelAt, smallestViolation, type Violation } from './smallest';
import { StateReader } from './state-views';
import type { Values } from './views';

interface ProveOptions {
  /** Of one fixpoint, after which there is no proof. Default: 200,000. */
  readonly mostViews?: number;
  /** The search for a violation: the largest sum of what bounds are above the least ones. Default: 4. */
  readonly mostAbove?: number;
  /** The same: states of all its searches together, after which none is begun. Default: 2,000,000. */
  readonly mostStates?: number;
}

/** The set that was closed, or that in which an alarm was raised. */
interface Closure {
  readonly system: ProofSystem;
  readonly fixpoint: Fixpoint;
  /** Contexts that a thread has open at most. */
  readonly nesting: number;
}

export interface Proof {
  readonly verdict: 'proved' | 'violated' | 'unknown';
  readonly closure: Closure;
  /** With the verdict `violated`. */
  readonly violation?: Violation;
  /** With the verdict `unknown`: what could not be ruled out, and was not found at small bounds either. */
  readonly alarm?: Alarm;
}

const DEFAULTS: Required<ProveOptions> = { mostViews: 200_000, mostAbove: 4, mostStates: 2_000_000 };

const FIRST_NESTING = 8;
/** A value, such as a count of contexts or a thread, is one of 32 at most (code/layout.ts). */
const MOST_NESTING = 31;
const MOST_THREADS = 32;
/**
 * Sizes whose initial states are looked at, besides that of the proof: all that are not larger, with one CPU more than
 * a view has.
 */
const SAMPLED = { tasks: 3, mms: 2 };

type Sizes = Pick<Bounds, 'cpus' | 'tasks' | 'mms'>;

class Prover<S extends Transient, D> {
  private readonly modelAt: ModelAt<S, D>;
  /** Bounds with a 0 for what the model has none of. */
  private readonly like: Bounds;
  private readonly options: Required<ProveOptions>;

  constructor(modelAt: ModelAt<S, D>, like: Bounds, options: Required<ProveOptions>) {
    this.modelAt = modelAt;
    this.like = like;
    this.options = options;
  }

  prove(): Proof {
    const closure = this.close(1);
    if (closure.fixpoint.alarm === undefined) return { verdict: 'proved', closure };
    const least = {
      ...this.atMost({ cpus: 1, tasks: 1, mms: 1 }),
      nesting: Math.min(1, this.like.nesting),
      nmis: 0,
      irqs: 0,
    };
    const violation = smallestViolation(this.modelAt, { least, ...this.options });
    if (violation !== undefined) return { verdict: 'violated', closure, violation };
    return this.proveWithPairs();
  }

  /** A system of one CPU has no pair. */
  private proveWithPairs(): Proof {
    const alone = this.close(1, true);
    const closure = alone.fixpoint.alarm === undefined ? this.close(2) : alone;
    const { alarm } = closure.fixpoint;
    return alarm === undefined ? { verdict: 'proved', closure } : { verdict: 'unknown', closure, alarm };
  }

  /** None of what the model has none of. */
  private atMost({ cpus, tasks, mms }: Sizes): Sizes {
    const { like } = this;
    return { cpus, tasks: like.tasks === 0 ? 0 : tasks, mms: like.mms === 0 ? 0 : mms };
  }

  /** In a system that is large enough for the views that there turn out to be. `isAlone`: with one CPU and no other. */
  private close(tracked: number, isAlone = false): Closure {
    let nesting = Math.min(FIRST_NESTING, this.like.nesting * FIRST_NESTING);
    let sizes = this.atMost({ cpus: tracked + 2, tasks: 12, mms: 4 });
    for (;;) {
      const bounds = { ...sizes, cpus: isAlone ? 1 : sizes.cpus, nesting, nmis: 1, irqs: 1 };
      const closure = this.closeAt(bounds, tracked);
      const { alarm } = closure.fixpoint;
      const isDeep = nesting > 0 && closure.nesting >= nesting;
      if (alarm?.kind === 'property') return closure;
      if (isDeep && nesting < MOST_NESTING) nesting = Math.min(MOST_NESTING, 2 * nesting);
      else if (isDeep) return withAlarm(closure, 'nesting');
      else if (alarm !== undefined && alarm.kind !== 'names') return closure;
      else {
        const next = alarm === undefined ? this.needed(closure) : larger(sizes);
        if (isWithin(next, { ...sizes, cpus: isAlone ? next.cpus : sizes.cpus })) return closure;
        if (next.tasks + next.cpus > MOST_THREADS) return withAlarm(closure, 'names');
        sizes = this.atMost(next);
      }
    }
  }

  private needed({ system }: Closure): Sizes {
    return sizesFor(system.program, system.form.names());
  }

  private closeAt(bounds: Bounds, tracked: number): Closure {
    const model = this.modelAt(bounds);
    const system = proofSystem(model, tracked);
    const reader = new StateReader(system.layout, system.form, model.running);
    const views: Values[] = [];
    const sleepers: Sleeper[] = [];
    for (const at of [bounds, ...this.sampled(bounds, tracked)]) {
      const state = this.modelAt(at).initial();
      views.push(...reader.views(state, at));
      sleepers.push(...reader.sleepers(state, at));
    }
    const { mostViews } = this.options;
    const closed = fixpoint(system, views, sleepers, { budgets: budgetsOf(model, system), mostViews });
    return { system, fixpoint: closed, nesting: nestingOf(model, system, closed) };
  }

  private sampled({ cpus, nesting, nmis, irqs }: Bounds, tracked: number): Bounds[] {
    const upTo = (most: number) => Array.from({ length: most }, (_, i) => i + 1);
    const tasks = this.like.tasks === 0 ? [0] : upTo(SAMPLED.tasks);
    const mms = this.like.mms === 0 ? [0] : upTo(SAMPLED.mms);
    return upTo(Math.min(tracked + 1, cpus)).flatMap((c) =>
      tasks.flatMap((t) => mms.map((m) => ({ cpus: c, tasks: t, mms: m, nesting, nmis, irqs }))),
    );
  }
}

function withAlarm(closure: Closure, kind: Obstacle): Closure {
  return { ...closure, fixpoint: { ...closure.fixpoint, alarm: { kind, open: [] } } };
}

const tasksOfOneMm = ({ tasks, mms }: Sizes) => Math.floor(tasks / Math.max(1, mms));

function isWithin(next: Sizes, sizes: Sizes): boolean {
  return next.cpus <= sizes.cpus && next.mms <= sizes.mms && tasksOfOneMm(next) <= tasksOfOneMm(sizes);
}

function larger({ cpus, tasks, mms }: Sizes): Sizes {
  return { cpus: cpus + 1, mms: mms + 1, tasks: (tasksOfOneMm({ cpus, tasks, mms }) + 1) * (mms + 1) };
}

/** Globals of which there are as many values as the bounds have events: a system of any size has any number of them. */
function budgetsOf<S extends Transient, D>({ schema, bounds }: Model<S, D>, { layout }: ProofSystem): Set<number> {
  const more = { ...bounds, nmis: bounds.nmis + 1, irqs: bounds.irqs + 1 };
  const isBudget = (field: string) => sizeOf(schema[field].sort, bounds) !== sizeOf(schema[field].sort, more);
  return new Set(layout.cells.filter(({ field }) => isBudget(field)).map(({ number }) => number));
}

/** The most contexts that a view or a sleeper has: the deepest that holds anything, or what a field counts. */
function nestingOf<S extends Transient, D>(
  { schema, bounds }: Model<S, D>,
  { layout, form }: ProofSystem,
  { views, sleepers }: Fixpoint,
): number {
  const more = { ...bounds, nesting: bounds.nesting + 1 };
  const counts = (field: string) => sizeOf(schema[field].sort, bounds) !== sizeOf(schema[field].sort, more);
  /** By cell: the context that it is of, from 1; 0 where the value is a count; -1 for any other one. */
  const depths = layout.cells.map(({ field, index }) =>
    counts(field) ? 0 : schema[field].over[1] === 'context' ? index[1] + 1 : -1,
  );
  let most = 0;
  const look = (cells: readonly number[], values: Values) => {
    for (let i = 0; i < cells.length; i++) {
      const depth = depths[cells[i]];
      if (depth >= 0 && values[i] !== 0) most = Math.max(most, depth === 0 ? values[i] : depth);
    }
  };
  for (const { values } of views) look(form.cellsOf(form.runsOf(values)), values);
  for (const { values } of sleepers) look(form.threadCells(0), values);
  return most;
}

/**
 * Proves that no state of any system of the model violates a property, or shows one that does. `modelAt` makes the
 * model at given bounds; `like` are bounds of which it has some, with a 0 for what it has none of (a model without
 * tasks).
 */
export function prove<S extends Transient, D>(modelAt: ModelAt<S, D>, like: Bounds, options: ProveOptions = {}): Proof {
  return new Prover(modelAt, like, { ...DEFAULTS, ...options }).prove();
}
