/**
 * A model as JavaScript on packed words: the functions that the compiled search runs, made from text with `new
 * Function`. The trees are a function of the program and the layout alone, the text of the trees and the layout. Only
 * the trees are ever kept: they are most of the work.
 */

import { unrollProgram } from '../../translate/fold';
import type { Program } from '../../translate/ir';
import { decide, grouped, instancesOf } from './decisions';
import { Emitter } from './emitter';
import type { Layout } from './layout';
import { MAX_INSTANCES } from './marker';
import { Executor } from './symbolic';
import type { Tree } from './tree';
import { putTrees, TreeReader } from './tree-words';

/** The decision trees of the two functions. */
export interface PackedTrees {
  /** One tree for the instances of each CPU. */
  readonly successors: readonly Tree[];
  /** One tree for each invariant, in the order in which they are judged. */
  readonly judge: readonly Tree[];
}

export function packedTrees(program: Program, layout: Layout): PackedTrees {
  const flat = unrollProgram(program);
  const instances = instancesOf(flat.rules);
  if (instances.length > MAX_INSTANCES)
    throw new RangeError(`${instances.length} rule instances are more than packed code can number`);
  const executor = new Executor(layout);
  const facts = executor.anything();
  return {
    successors: grouped(instances).map((group) => decide(executor, group, facts)),
    judge: flat.invariants.map(({ condition, property }) => executor.violation(condition, facts, property)),
  };
}

/**
 * The text of two functions of the words of a state, w0, w1, ... (as many as the layout has):
 *
 *   successors(w0, ..., out, at)  stores all successors, one after the other, from out[at] on, each with the number of
 *                                 its instance behind it; returns where they end. Self-loops included; see marker.ts.
 *   judge(w0, ...)                the lowest property among the invariants that the state violates, or 0
 */
export function packedSource({ successors, judge }: PackedTrees, layout: Layout): string {
  const emitter = new Emitter(layout, true);
  return `'use strict';\n${emitter.successors('successors', successors)}\n${emitter.judge('judge', judge)}`;
}

export function packedWords({ successors, judge }: PackedTrees): Int32Array {
  const words: number[] = [];
  putTrees(successors, words);
  putTrees(judge, words);
  return Int32Array.from(words);
}

/** Throws Malformed for words that are not those of some PackedTrees in this layout. */
export function readPackedTrees(words: Int32Array, layout: Layout): PackedTrees {
  const reader = new TreeReader(words, layout);
  const trees = { successors: reader.trees(), judge: reader.trees() };
  reader.words.end();
  return trees;
}
