/**
 * The decision trees of steps as functions. A tree is printed and compiled once in a thread, when it is first needed:
 * designs that have a rule in common have its trees in common (interaction.ts), and then code that is warm.
 */
import { Emitter } from './emitter';
import type { InteractionTrees } from './interaction';
import type { Layout } from './layout';
import type { Tree } from './tree';

/** A function of the words of a state. */
export type Condition = (words: Int32Array) => number;

/** Stores the successor of one instance, if it is enabled; returns the number of words stored. See marker.ts. */
type StepFunction = (words: Int32Array, out: Int32Array) => number;

/** The arrays go by the number of the instance. */
export interface InteractionCode {
  /** Null for one that is never enabled. */
  readonly steps: readonly (StepFunction | null)[];
  /**
   * 1 where a crossing instance may be enabled, as far as its own component tells; 0 where it is not, whatever the
   * others do. Null for a local one.
   */
  readonly mayCross: readonly (Condition | null)[];
}

/** A tree, or a list of trees, belongs to one layout, so it has one function. */
const stepFunctions = new WeakMap<Tree, StepFunction>();
const conditions = new WeakMap<readonly Tree[] | Tree, Condition>();

function once<K extends object, F>(made: WeakMap<K, F>, key: K, text: () => string): F {
  const known = made.get(key);
  if (known !== undefined) return known;
  const fresh = new Function(`'use strict';\n${text()}`)() as F;
  made.set(key, fresh);
  return fresh;
}

function wordsOf(layout: Layout): string {
  return Array.from({ length: layout.words }, (_, i) => `W[${i}]`).join(', ');
}

/** JavaScript: the property of the first tree that fails, or 0. */
function conditionText(layout: Layout, trees: readonly Tree[]): string {
  return `${new Emitter(layout, false).judge('test', trees)}\nreturn (W) => test(${wordsOf(layout)});`;
}

function stepText(layout: Layout, tree: Tree): string {
  const step = new Emitter(layout, false).successors('step', [tree]);
  return `${step}\nreturn (W, o) => step(${wordsOf(layout)}, o, 0);`;
}

/** The property of the first tree that fails, or 0. */
export function judgeOf(layout: Layout, trees: readonly Tree[]): Condition {
  return once(conditions, trees, () => conditionText(layout, trees));
}

/** The property that the tree fails with, or 0. */
export function conditionOf(layout: Layout, tree: Tree): Condition {
  return once(conditions, tree, () => conditionText(layout, [tree]));
}

export function interactionCode(layout: Layout, { steps, mayCross }: InteractionTrees): InteractionCode {
  const stepOf = (tree: Tree) => once(stepFunctions, tree, () => stepText(layout, tree));
  return {
    steps: steps.map((tree) => (tree.kind === 'none' ? null : stepOf(tree))),
    mayCross: mayCross.map((tree) => (tree.kind === 'none' ? null : conditionOf(layout, tree))),
  };
}
