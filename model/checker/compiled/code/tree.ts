/**
 * Decision trees: what a rule does to a state, once everything that can be known beforehand is known. Inner nodes ask
 * for the value of one cell, leaves are new states. The symbolic executor builds them and the emitter prints them as
 * nested ifs.
 */
import type { ValueSet } from './layout';

/** A known integer, or the value that a cell had before the rule, plus a constant. */
export type Value =
  | { readonly kind: 'known'; readonly value: number }
  | { readonly kind: 'cell'; readonly cell: number; readonly plus: number };

/** A cell gets a constant. `held`: the values that it can have before. */
export interface Store {
  readonly cell: number;
  readonly held: ValueSet;
  readonly value: Extract<Value, { kind: 'known' }>;
}

/** A cell gets what another one had. `of`: the values that the other one can have. */
interface Copy {
  readonly cell: number;
  readonly held: ValueSet;
  readonly value: Extract<Value, { kind: 'cell' }>;
  readonly of: ValueSet;
}

export type Write = Store | Copy;

export function isCopy(write: Write): write is Copy {
  return write.value.kind === 'cell';
}

/** What is known about each cell: the values that it can have. */
export type Facts = Int32Array;

export type Tree =
  /** Nothing happens: the rule is not enabled. */
  | { readonly kind: 'none' }
  | {
      readonly kind: 'test';
      readonly cell: number;
      readonly of: ValueSet;
      readonly values: ValueSet;
      readonly yes: Tree;
      readonly no: Tree;
    }
  /** One subtree for each set of values of the cell. */
  | { readonly kind: 'split'; readonly cell: number; readonly cases: readonly Case[] }
  /** Do two cells have the same value? Asked where following each value of one of them would make many trees of one. */
  | { readonly kind: 'same'; readonly cell: number; readonly other: number; readonly yes: Tree; readonly no: Tree }
  /** A successor. */
  | { readonly kind: 'step'; readonly instance: number; readonly writes: readonly Write[] }
  /**
   * The application violates a property, or cannot be expressed in the layout: see the special properties in marker.ts.
   */
  | { readonly kind: 'fail'; readonly instance: number; readonly property: number }
  | { readonly kind: 'all'; readonly trees: readonly Tree[] };

export interface Case {
  readonly values: ValueSet;
  readonly tree: Tree;
}

export const NONE: Tree = { kind: 'none' };

export function known(value: number): Value {
  return { kind: 'known', value };
}

export function test(cell: number, of: ValueSet, values: ValueSet, yes: Tree, no: Tree): Tree {
  return yes.kind === 'none' && no.kind === 'none' ? NONE : { kind: 'test', cell, of, values, yes, no };
}

export function same(cell: number, other: number, yes: Tree, no: Tree): Tree {
  return yes.kind === 'none' && no.kind === 'none' ? NONE : { kind: 'same', cell, other, yes, no };
}

export function split(cell: number, cases: readonly Case[]): Tree {
  return cases.every(({ tree }) => tree.kind === 'none') ? NONE : { kind: 'split', cell, cases };
}

export function all(trees: readonly Tree[]): Tree {
  const live = trees.filter((tree) => tree.kind !== 'none');
  if (live.length === 0) return NONE;
  return live.length === 1 ? live[0] : { kind: 'all', trees: live };
}
