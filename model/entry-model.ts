/**
 * The abstract machine of a design at given bounds: schema, rules, invariants and the state after boot, ready for the
 * search.
 */

import { type Bounds, type Limit, type OpenBounds, UNLIMITED } from './checker/language/schema-types';
import type { Model, PartialOrder } from './checker/model';
import { makePacking } from './checker/search/packing';
import { type DesignConfig, designTable } from './design-config';
import type { DesignTable } from './designs/design-table';
import { compileDesign } from './designs/environments';
import { ANY_NESTING, INVARIANTS } from './invariants';
import { KERNEL, SYSCALL } from './kinds';
import { modelPropertySlug } from './property-names';
import { ruleFiles } from './rule-files';
import { ALLOTMENT_RULES, RULES } from './rules';
import { isPrivate } from './rules/allotment';
import { allottedSchema } from './rules/allotted-schema';
import { mmOf } from './rules/predicates';
import { type State, schema } from './schema';

export type EntryModel = Model<State, DesignConfig>;

/**
 * Small bounds, for what has to have numbers: other model checkers, which go through the states one by one, and the
 * shortest trace for a case on the emulator. Two of everything that races, and one address space (a switch_mm is then
 * never needed).
 */
export const DEFAULT_BOUNDS: Bounds = { cpus: 2, tasks: 2, mms: 1, nesting: 2, nmis: 1, irqs: 2 };

/** Bounds of `verify` without flags: the same sizes; events and nesting have no bound. */
export const VERIFY_BOUNDS: OpenBounds = { ...DEFAULT_BOUNDS, nesting: 'any', nmis: 'any', irqs: 'any' };

/** Is something without a bound? Then nobody asks how deep the states lie. */
export function isOpen({ nesting, nmis, irqs }: OpenBounds): boolean {
  return [nesting, nmis, irqs].includes('any');
}

/**
 * Contexts that a thread of a model of any nesting has room for. The deepest nesting of the safe designs is 6; a search
 * that needs all of this room has no verdict.
 */
export const NESTING_CAPACITY = 8;

const eventsOf = (limit: Limit): number => (limit === 'any' ? UNLIMITED : limit);

/** The bounds that rules see. */
function closedBounds({ nesting, nmis, irqs, ...sizes }: OpenBounds): Bounds {
  return {
    ...sizes,
    nesting: nesting === 'any' ? NESTING_CAPACITY : nesting,
    nmis: eventsOf(nmis),
    irqs: eventsOf(irqs),
  };
}

/**
 * A user task runs in user mode on each CPU that has one; an idle thread elsewhere; the other tasks wait with a
 * first-run frame.
 */
function initialState(model: Pick<EntryModel, 'bounds' | 'packing' | 'config'>): State {
  const { bounds: b, packing, config: d } = model;
  const s = packing.zero();
  for (let c = 0; c < b.cpus; c++) {
    const t = c < b.tasks ? c : b.tasks + c;
    s.running[c] = t;
    s.current[c] = t;
    s.top[c] = t;
    s.interrupts[c] = 1;
    s.user[c] = c < b.tasks ? 1 : 0;
    s.userHalf[c] = c < b.tasks ? d.pti : 0;
    s.userGs[c] = c < b.tasks ? 1 : 0;
    s.stack[c] = c < b.tasks ? 0 : KERNEL;
    s.mm[c] = c < b.tasks ? mmOf(b, t) : 0;
    s.sp0[c] = d.perTaskEntry === 1 ? t : b.tasks + c;
  }
  for (let t = b.cpus; t < b.tasks; t++) firstRunFrame(d, s, t);
  for (let c = 0; c < b.cpus; c++) if (s.running[c] !== b.tasks + c) s.savedStack[b.tasks + c] = KERNEL;
  s.irqsLeft = Math.max(0, b.irqs);
  s.nmisLeft = Math.max(0, b.nmis);
  return s;
}

/** A task that has never run is switched to as if it slept in the body of a system call (fork). */
function firstRunFrame(d: DesignConfig, s: State, t: number): void {
  s.depth[t] = 1;
  s.kind[t][0] = SYSCALL;
  s.body[t][0] = 1;
  s.fromUser[t][0] = 1;
  s.savedStack[t] = d.firstRunStack;
}

/**
 * The abstract machine of a design or mutant; undefined for a name that the model does not have (see designTable). A
 * table that somebody else wrote is taken as it is: checkDesign says whether it makes sense.
 */
export function entryModel(design: string | DesignTable, asked: OpenBounds = DEFAULT_BOUNDS): EntryModel | undefined {
  const table = typeof design === 'string' ? designTable(design) : design;
  if (table === undefined) return undefined;
  const config = compileDesign(table);
  const bounds = closedBounds(asked);
  const packing = makePacking(schema, bounds);
  const half = {
    schema,
    bounds,
    config,
    packing,
    rules: RULES,
    invariants: asked.nesting === 'any' ? [...INVARIANTS, ANY_NESTING] : INVARIANTS,
    running: 'running',
    ruleFiles,
    propertyName: modelPropertySlug,
  };
  const model = { ...half, initial: () => initialState(half) };
  // Events without a limit can go round for ever on one CPU, which is then not private (C3 of partial-order.ts).
  if (bounds.nmis === UNLIMITED || bounds.irqs === UNLIMITED) return model;
  return { ...model, partialOrder: () => allotted(model) };
}

/** The model in which each CPU has its own events, and the conditions of the partial-order reduction on it. */
function allotted(model: EntryModel): PartialOrder<State, DesignConfig> {
  const packing = makePacking(allottedSchema, model.bounds);
  const rules = [...model.rules, ...ALLOTMENT_RULES];
  const initial = () => ({ ...packing.zero(), ...model.initial() });
  return {
    model: { ...model, schema: allottedSchema, packing, rules, initial },
    first: ['allot-irq', 'allot-nmi'],
    replaced: ['irq', 'nmi'],
    isPrivate,
  };
}
