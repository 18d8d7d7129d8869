/**
 * A model as JavaScript on packed words: the functions that the compiled search runs, made from text with `new Function`. The text is a function of the
 * program and the layout alone.
 */

import { unrollProgram } from '../fold';
import type { Program } from '../ir';
import { decide, grouped, instancesOf } from './decisions';
import { Emitter } from './emitter';
import type { Layout } from './layout';
import { MAX_INSTANCES } from './marker';
import { Executor } from './symbolic';

/** Functions of w0, w1, ... (as many as the layout has words). */
export interface PackedCode {
  /** (w0, ..., out, at): stores all successors, one after the other, from out[at] on; returns where they end. Self-loops included; see marker.ts. */
  readonly successors: (...wordsOutAt: (number | Int32Array)[]) => number;
  /** The lowest property among the invariants that the state violates, or 0. */
  readonly judge: (...words: number[]) => number;
}

/** The text of the functions of a PackedCode. The number of its instance follows each successor. */
export function packedSource(program: Program, layout: Layout): string {
  const flat = unrollProgram(program);
  const instances = instancesOf(flat.rules);
  if (instances.length > MAX_INSTANCES)
    throw new RangeError(`${instances.length} rule instances are more than packed code can number`);
  const executor = new Executor(layout);
  const facts = executor.anything();
  const emitter = new Emitter(layout, true);
  const trees = grouped(instances).map((group) => decide(executor, group, facts));
  const judged = flat.invariants.map(({ condition, property }) => executor.violation(condition, facts, property));
  return `'use strict';\n${emitter.successors('successors', trees)}\n${emitter.judge('judge', judged)}`;
}

export function evaluate(source: string): PackedCode {
  return new Function(`${source}\nreturn { successors, judge };`)() as PackedCode;
}
