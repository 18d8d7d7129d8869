/**
 * The vocabulary of the state schema: sorts (what a value is) and shapes (of what there is one value each). A schema is
 * one literal, `{ user: perCpu(bool), kind: perThread(perContext(range(6))), irqsLeft: global(range(3)) }`. Packing,
 * symmetry and the exported Promela and Murphi types are all read from it, and `State<typeof schema>` is the TypeScript
 * type of a state. Left out on purpose: a sort for "a task or none". Two fields say that better, and symmetry can then
 * permute tasks without exceptions.
 */

/** How large a model is. Flat integers only: the translator folds them into constants. */
export interface Bounds {
  readonly cpus: number;
  readonly tasks: number;
  readonly mms: number;
  /** Open contexts that one thread can have at a time. */
  readonly nesting: number;
  readonly nmis: number;
  readonly irqs: number;
}

export type Cpu = number;
export type Task = number;
export type Mm = number;
/** A user task (0..tasks-1) or the idle thread of CPU c (tasks+c). */
export type Thread = number;

/** A number of values, which may depend on the bounds. */
export type Size = number | ((bounds: Bounds) => number);

export type IndexSort = 'cpu' | 'task' | 'mm' | 'thread';

export type Sort =
  | { readonly kind: 'bool' }
  | { readonly kind: 'range'; readonly size: Size }
  | { readonly kind: IndexSort };

export const bool: Sort = { kind: 'bool' };
export const cpu: Sort = { kind: 'cpu' };
export const task: Sort = { kind: 'task' };
export const mm: Sort = { kind: 'mm' };
export const thread: Sort = { kind: 'thread' };

/** The values 0..size-1. */
export function range(size: Size): Sort {
  return { kind: 'range', size };
}

export type Dimension = IndexSort | 'context';

/** A sort repeated `bounds.nesting` times: one value for each context that can be open. */
interface PerContext {
  readonly contexts: Sort;
}

/**
 * One field of the schema. Its rank is the number of its indices, and decides between `number`, `number[]` and
 * `number[][]`.
 */
export interface Field<Rank extends 0 | 1 | 2 = 0 | 1 | 2> {
  readonly rank: Rank;
  readonly over: readonly Dimension[];
  readonly sort: Sort;
}

export type Schema = Readonly<Record<string, Field>>;

type RankOver<Of extends Sort | PerContext> = Of extends PerContext ? 2 : 1;
type ValueOf<F extends Field> = F['rank'] extends 0 ? number : F['rank'] extends 1 ? number[] : number[][];

/**
 * What every state has besides its fields: the number of the property that the last rule violated, or 0. It is never
 * packed.
 */
export interface Transient {
  failed: number;
}

/** A state of the schema: every value is a small integer (a bool is 0 or 1). */
export type State<S extends Schema> = { -readonly [Name in keyof S]: ValueOf<S[Name]> } & Transient;

function indexed<Of extends Sort | PerContext>(by: IndexSort, of: Of): Field<RankOver<Of>> {
  const field: Field =
    'contexts' in of ? { rank: 2, over: [by, 'context'], sort: of.contexts } : { rank: 1, over: [by], sort: of };
  return field as Field<RankOver<Of>>;
}

export function global(sort: Sort): Field<0> {
  return { rank: 0, over: [], sort };
}

export function perContext(sort: Sort): PerContext {
  return { contexts: sort };
}

export function perCpu<Of extends Sort | PerContext>(of: Of): Field<RankOver<Of>> {
  return indexed('cpu', of);
}

export function perTask<Of extends Sort | PerContext>(of: Of): Field<RankOver<Of>> {
  return indexed('task', of);
}

export function perMm<Of extends Sort | PerContext>(of: Of): Field<RankOver<Of>> {
  return indexed('mm', of);
}

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
