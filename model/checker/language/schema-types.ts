/**
 * The vocabulary of the state schema: sorts (what a value is) and shapes (of what there is one value each). A schema is
 * one literal, `{ user: perCpu(bool), kind: perThread(perContext(range(6))), irqsLeft: global(range(3)) }`. Packing,
 * symmetry and the exported Promela and Murphi types are all read from it, and `State<typeof schema>` is the TypeScript
 * type of a state. Left out on purpose: a sort for "a task or none". Two fields say that better, and symmetry can then
 * permute tasks without exceptions.
 */

/** How large a model is. Flat integers only: the translator folds them into constants. */
export interface Bounds {
  /** CPUs, numbered 0..cpus-1. */
  readonly cpus: number;
  /** User tasks; with the idle thread of each CPU they are the threads. */
  readonly tasks: number;
  /** Address spaces. */
  readonly mms: number;
  /** Open contexts that one thread can have at a time. */
  readonly nesting: number;
  /** NMIs that a trace can have, or UNLIMITED. */
  readonly nmis: number;
  /** Maskable interrupts that a trace can have, or UNLIMITED. */
  readonly irqs: number;
}

/** As a bound of events: any number of them, and nothing counts them. Rules ask whether the bound is negative. */
export const UNLIMITED = -1;

/** A bound, or that there is none. */
export type Limit = number | 'any';

/** How large a model is asked to be; `Bounds` are what becomes of it. */
export interface OpenBounds extends Omit<Bounds, 'nesting' | 'nmis' | 'irqs'> {
  /** Open contexts of a thread at a time. */
  readonly nesting: Limit;
  /** NMIs of a trace. */
  readonly nmis: Limit;
  /** Maskable interrupts of a trace. */
  readonly irqs: Limit;
}

/** A CPU, 0..cpus-1. */
export type Cpu = number;
/** A user task, 0..tasks-1. */
export type Task = number;
/** An address space, 0..mms-1. */
export type Mm = number;
/** A user task (0..tasks-1) or the idle thread of CPU c (tasks+c). */
export type Thread = number;

/** A number of values, which may depend on the bounds. */
export type Size = number | ((bounds: Bounds) => number);

/** The sorts whose values number things; symmetry renames them. */
export type IndexSort = 'cpu' | 'task' | 'mm' | 'thread';

/** What a value is. Made by `bool`, `cpu`, `task`, `mm`, `thread` and `range`. */
export type Sort =
  | {
      /** 0 or 1. */
      readonly kind: 'bool';
    }
  | {
      /** 0..size-1. */
      readonly kind: 'range';
      /** How many values there are. */
      readonly size: Size;
    }
  | {
      /** A number of a CPU, task, address space or thread. */
      readonly kind: IndexSort;
    };

/** 0 or 1. */
export const bool: Sort = { kind: 'bool' };
/** The number of a CPU. */
export const cpu: Sort = { kind: 'cpu' };
/** The number of a user task. */
export const task: Sort = { kind: 'task' };
/** The number of an address space. */
export const mm: Sort = { kind: 'mm' };
/** The number of a thread: a user task, or the idle thread of a CPU. */
export const thread: Sort = { kind: 'thread' };

/** The values 0..size-1. */
export function range(size: Size): Sort {
  return { kind: 'range', size };
}

/** What a field can have one value each of. */
export type Dimension = IndexSort | 'context';

/** A sort repeated `bounds.nesting` times: one value for each context that can be open. */
export interface PerContext {
  /** What each of these values is. */
  readonly contexts: Sort;
}

/**
 * One field of the schema. Its rank is the number of its indices, and decides between `number`, `number[]` and
 * `number[][]`.
 */
export interface Field<Rank extends 0 | 1 | 2 = 0 | 1 | 2> {
  /** How many indices it has. */
  readonly rank: Rank;
  /** What they number. */
  readonly over: readonly Dimension[];
  /** What each of its values is. */
  readonly sort: Sort;
}

/** The fields of a state, by their names. */
export type Schema = Readonly<Record<string, Field>>;

type RankOver<Of extends Sort | PerContext> = Of extends PerContext ? 2 : 1;
type ValueOf<F extends Field> = F['rank'] extends 0 ? number : F['rank'] extends 1 ? number[] : number[][];

/**
 * What every state has besides its fields: the number of the property that the last rule violated, or 0. It is never
 * packed.
 */
export interface Transient {
  /** The number of the property, or 0. */
  failed: number;
}

/** A state of the schema: every value is a small integer (a bool is 0 or 1). */
export type State<S extends Schema> = { -readonly [Name in keyof S]: ValueOf<S[Name]> } & Transient;

function indexed<Of extends Sort | PerContext>(by: IndexSort, of: Of): Field<RankOver<Of>> {
  const field: Field =
    'contexts' in of ? { rank: 2, over: [by, 'context'], sort: of.contexts } : { rank: 1, over: [by], sort: of };
  return field as Field<RankOver<Of>>;
}

/** One value. */
export function global(sort: Sort): Field<0> {
  return { rank: 0, over: [], sort };
}

/** One value for each context that can be open; inside of `perCpu`, `perTask`, `perMm` or `perThread`. */
export function perContext(sort: Sort): PerContext {
  return { contexts: sort };
}

/** One value, or one for each context, of each CPU. */
export function perCpu<Of extends Sort | PerContext>(of: Of): Field<RankOver<Of>> {
  return indexed('cpu', of);
}

/** One value, or one for each context, of each user task. */
export function perTask<Of extends Sort | PerContext>(of: Of): Field<RankOver<Of>> {
  return indexed('task', of);
}

/** One value, or one for each context, of each address space. */
export function perMm<Of extends Sort | PerContext>(of: Of): Field<RankOver<Of>> {
  return indexed('mm', of);
}

/** One value, or one for each context, of each thread. */
export function perThread<Of extends Sort | PerContext>(of: Of): Field<RankOver<Of>> {
  return indexed('thread', of);
}

/** How many indices a dimension has. */
export function extentOf(dimension: Dimension, bounds: Bounds): number {
  switch (dimension) {
    case 'cpu':
      return bounds.cpus;
    case 'task':
      return bounds.tasks;
    case 'mm':
      return bounds.mms;
    case 'thread':
      return bounds.tasks + bounds.cpus;
    case 'context':
      return bounds.nesting;
  }
}

/** How many values a sort has. */
export function sizeOf(sort: Sort, bounds: Bounds): number {
  switch (sort.kind) {
    case 'bool':
      return 2;
    case 'range':
      return typeof sort.size === 'number' ? sort.size : sort.size(bounds);
    default:
      return extentOf(sort.kind, bounds);
  }
}
