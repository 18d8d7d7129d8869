/**
 * Decision trees that are grown where values go. A whole tree of a rule has a branch for each combination of answers,
 * in a deep stack of contexts more than memory holds; the values that a proof meets take a few of them. So a tree
 * begins as one leaf that says "not grown". Each value that comes to such a leaf has the rule executed once more, along
 * its own answers (code/symbolic.ts), and the branch joined to the tree.
 */

import type { Layout, ValueSet } from '../compiled/code/layout';
import { NOT_GROWN } from '../compiled/code/marker';
import { Path } from '../compiled/code/path';
import { Executor } from '../compiled/code/symbolic';
import type { Tree } from '../compiled/code/tree';

/** By the number of the cell, the values that it may have. */
export type ValueSets = Int32Array;

const NOTHING_GROWN: Tree = { kind: 'fail', instance: 0, property: NOT_GROWN };

/** A path that goes where a guide does; what the guide does not come to is not grown. */
class GuidedPath extends Path {
  guide: ValueSets | undefined;

  override learn(cell: number, values: ValueSet, then: () => Tree): Tree {
    if (this.guide !== undefined && (this.guide[cell] & values) === 0) return NOTHING_GROWN;
    return super.learn(cell, values, then);
  }
}

/** Executes rules and conditions along the answers that a guide gives. */
export class GuidedExecutor extends Executor {
  private readonly guided: GuidedPath;

  constructor(layout: Layout) {
    const guided = new GuidedPath(layout);
    super(layout, guided);
    this.guided = guided;
  }

  /** The tree that `execute` makes, grown only where the guide goes. */
  along(guide: ValueSets, execute: () => Tree): Tree {
    this.guided.guide = guide;
    const tree = execute();
    this.guided.guide = undefined;
    return tree;
  }
}

const isNotGrown = (tree: Tree) => tree.kind === 'fail' && tree.property === NOT_GROWN;

/**
 * Two growths of one tree, joined. Both come from the same execution, so where both have grown they ask the same; a
 * part that turned out to be `none` throughout has lost its questions, and stands for whatever the other one has there.
 */
export function joined(a: Tree, b: Tree): Tree {
  if (isNotGrown(a) || b.kind === 'none') return b;
  if (isNotGrown(b) || a.kind === 'none') return a;
  if ((a.kind === 'test' && b.kind === 'test') || (a.kind === 'same' && b.kind === 'same'))
    return { ...a, yes: joined(a.yes, b.yes), no: joined(a.no, b.no) };
  if (a.kind === 'split' && b.kind === 'split')
    return { ...a, cases: a.cases.map(({ values, tree }, i) => ({ values, tree: joined(tree, b.cases[i].tree) })) };
  return a;
}

/** A tree that grows. */
export class GrownTree {
  tree: Tree = NOTHING_GROWN;
  private readonly executor: GuidedExecutor;
  private readonly execute: () => Tree;

  /** `execute` makes the whole tree, with this executor. */
  constructor(executor: GuidedExecutor, execute: () => Tree) {
    this.executor = executor;
    this.execute = execute;
  }

  /** After this no state within the sets comes to a part that is not grown. */
  grow(sets: ValueSets): void {
    this.tree = joined(this.tree, this.executor.along(sets, this.execute));
  }
}

/** What a walk of a tree hears of. */
export interface Walker {
  /** The cell is asked whether it has one of these values. */
  asked(cell: number, values: ValueSet): void;
  /** A step or a failure; the sets are those of the states that come to it. */
  leaf(tree: Extract<Tree, { kind: 'step' | 'fail' }>): void;
}

const isSingle = (set: ValueSet) => (set & (set - 1)) === 0;

/**
 * Comes to each leaf that a state within the sets comes to; the sets are narrowed on the way, and are as before in the
 * end. False if it came to a part that is not grown: then it has to be grown and walked again.
 */
export function walk(tree: Tree, sets: ValueSets, walker: Walker): boolean {
  switch (tree.kind) {
    case 'none':
      return true;
    case 'fail':
      if (tree.property === NOT_GROWN) return false;
      walker.leaf(tree);
      return true;
    case 'step':
      walker.leaf(tree);
      return true;
    case 'test': {
      walker.asked(tree.cell, tree.values);
      const set = sets[tree.cell];
      const yes = set & tree.values;
      if (yes === set) return walk(tree.yes, sets, walker);
      if (yes === 0) return walk(tree.no, sets, walker);
      sets[tree.cell] = yes;
      const isComplete = walk(tree.yes, sets, walker);
      sets[tree.cell] = set & ~tree.values;
      const both = walk(tree.no, sets, walker) && isComplete;
      sets[tree.cell] = set;
      return both;
    }
    case 'split': {
      const set = sets[tree.cell];
      let isComplete = true;
      for (const { values, tree: inner } of tree.cases) {
        walker.asked(tree.cell, values);
        if ((set & values) === 0) continue;
        sets[tree.cell] = set & values;
        isComplete = walk(inner, sets, walker) && isComplete;
      }
      sets[tree.cell] = set;
      return isComplete;
    }
    case 'same': {
      const [left, right] = [sets[tree.cell], sets[tree.other]];
      const both = left & right;
      walker.asked(tree.cell, right);
      walker.asked(tree.other, left);
      const areKnown = isSingle(left) && isSingle(right);
      if (areKnown) return walk(both === 0 ? tree.no : tree.yes, sets, walker);
      let isComplete = true;
      if (both !== 0) {
        sets[tree.cell] = both;
        sets[tree.other] = both;
        isComplete = walk(tree.yes, sets, walker);
        sets[tree.cell] = left;
        sets[tree.other] = right;
      }
      return walk(tree.no, sets, walker) && isComplete;
    }
    case 'all':
      return tree.trees.every((inner) => walk(inner, sets, walker));
  }
}
