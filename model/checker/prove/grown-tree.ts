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
  /** The outcome depends on a cell that is none of the walk's own. */
  asked(cell: number): void;
  /** A step or a failure; the sets are those of the states that come to it. */
  leaf(tree: Extract<Tree, { kind: 'step' | 'fail' }>): void;
}

const isSingle = (set: ValueSet) => (set & (set - 1)) === 0;

/**
 * Comes to each leaf that a state within the sets comes to; the sets are narrowed on the way, and are as before in the
 * end. `own`: by cell, 1 for those of which the walker hears nothing. False if it came to a part that is not grown:
 * then it has to be grown and walked again.
 */
export function walk(from: Tree, sets: ValueSets, own: Uint8Array, walker: Walker): boolean {
  let tree = from;
  // As long as every answer is known.
  for (; tree.kind === 'test'; ) {
    const { cell, values } = tree;
    if (own[cell] === 0) walker.asked(cell);
    const yes = sets[cell] & values;
    if (yes === sets[cell]) tree = tree.yes;
    else if (yes === 0) tree = tree.no;
    else return walkBoth(tree, sets, own, walker);
  }
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
    case 'split':
      return walkCases(tree, sets, own, walker);
    case 'same':
      return walkSame(tree, sets, own, walker);
    case 'all':
      return tree.trees.every((inner) => walk(inner, sets, own, walker));
  }
}

type Of<Kind extends Tree['kind']> = Extract<Tree, { kind: Kind }>;

function walkBoth({ cell, values, yes, no }: Of<'test'>, sets: ValueSets, own: Uint8Array, walker: Walker): boolean {
  const set = sets[cell];
  sets[cell] = set & values;
  const isComplete = walk(yes, sets, own, walker);
  sets[cell] = set & ~values;
  const both = walk(no, sets, own, walker) && isComplete;
  sets[cell] = set;
  return both;
}

function walkCases({ cell, cases }: Of<'split'>, sets: ValueSets, own: Uint8Array, walker: Walker): boolean {
  if (own[cell] === 0) walker.asked(cell);
  const set = sets[cell];
  let isComplete = true;
  for (let i = 0; i < cases.length; i++) {
    const { values, tree } = cases[i];
    if ((set & values) === 0) continue;
    sets[cell] = set & values;
    isComplete = walk(tree, sets, own, walker) && isComplete;
  }
  sets[cell] = set;
  return isComplete;
}

function walkSame({ cell, other, yes, no }: Of<'same'>, sets: ValueSets, own: Uint8Array, walker: Walker): boolean {
  if (own[cell] === 0) walker.asked(cell);
  if (own[other] === 0) walker.asked(other);
  const [left, right] = [sets[cell], sets[other]];
  const both = left & right;
  if (isSingle(left) && isSingle(right)) return walk(both === 0 ? no : yes, sets, own, walker);
  let isComplete = true;
  if (both !== 0) {
    sets[cell] = both;
    sets[other] = both;
    isComplete = walk(yes, sets, own, walker);
    sets[cell] = left;
    sets[other] = right;
  }
  return walk(no, sets, own, walker) && isComplete;
}
