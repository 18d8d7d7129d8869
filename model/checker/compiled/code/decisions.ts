/**
 * Orders the questions: instances of different rules ask the same things (is the CPU in user mode, which thread runs,
 * what is its innermost context), so a question that begins many of their trees is asked once for all of them. Each
 * answer is learnt before the rules are executed again, and most of them are then out of the question. This is what
 * makes the code a specialised one for each CPU, thread and phase.
 */
import type { RuleInfo } from '../../translate/ir';
import type { ValueSet } from './layout';
import type { Executor } from './symbolic';
import { all, type Facts, split, type Tree } from './tree';

export interface Instance {
  readonly number: number;
  readonly rule: RuleInfo;
  readonly args: readonly number[];
}

/** A question is asked for all when it begins at least this many trees. */
const WORTH_SHARING = 2;
/**
 * A question is asked first of all, for all instances, when at least this many and this part of them ask it somewhere.
 */
const WORTH_HOISTING = 4;
const COMMON = 0.8;

export function instancesOf(rules: readonly RuleInfo[]): Instance[] {
  return rules.flatMap((rule) => {
    const lists = rule.params.reduce<number[][]>(
      (outer, { extent }) => outer.flatMap((args) => Array.from({ length: extent }, (_, i) => [...args, i])),
      [[]],
    );
    return lists.map((args, i) => ({ number: rule.firstInstance + i, rule, args }));
  });
}

/** Instances that ask about the same things: those of one CPU. */
export function grouped(instances: readonly Instance[]): Instance[][] {
  const groups = new Map<string, Instance[]>();
  for (const instance of instances) {
    const cpu = instance.rule.params.findIndex(({ sort }) => sort === 'cpu');
    const key = cpu < 0 ? 'none' : String(instance.args[cpu]);
    groups.set(key, [...(groups.get(key) ?? []), instance]);
  }
  return [...groups.values()];
}

interface Candidate {
  readonly instance: Instance;
  readonly tree: Tree;
}

const asks = (tree: Tree, cell: number) => (tree.kind === 'test' || tree.kind === 'split') && tree.cell === cell;

/**
 * Calls `note` for each question of a tree, wherever in it: a cell, and a set of values that is told apart from the
 * others.
 */
function eachQuestion(tree: Tree, note: (cell: number, values: ValueSet) => void): void {
  if (tree.kind === 'test') {
    note(tree.cell, tree.values);
    eachQuestion(tree.yes, note);
    eachQuestion(tree.no, note);
  } else if (tree.kind === 'split') {
    for (const { values, tree: inner } of tree.cases) {
      note(tree.cell, values);
      eachQuestion(inner, note);
    }
  } else if (tree.kind === 'same') {
    eachQuestion(tree.yes, note);
    eachQuestion(tree.no, note);
  }
}

/** The cells that a tree asks for. */
function askedCells(tree: Tree): Set<number> {
  const cells = new Set<number>();
  eachQuestion(tree, (cell) => cells.add(cell));
  return cells;
}

/** The cell that most trees ask for somewhere, if enough of them do; -1 otherwise. */
function commonQuestion(candidates: readonly Candidate[]): number {
  const counts = new Map<number, number>();
  for (const { tree } of candidates) for (const cell of askedCells(tree)) counts.set(cell, (counts.get(cell) ?? 0) + 1);
  let best = -1;
  let most = Math.max(WORTH_HOISTING, candidates.length * COMMON) - 0.5;
  for (const [cell, count] of counts)
    if (count > most) {
      best = cell;
      most = count;
    }
  return best;
}

/** The cell that most trees ask for first; -1 if too few agree. */
function sharedQuestion(candidates: readonly Candidate[]): number {
  const counts = new Map<number, number>();
  for (const { tree } of candidates)
    if (tree.kind === 'test' || tree.kind === 'split') counts.set(tree.cell, (counts.get(tree.cell) ?? 0) + 1);
  let best = -1;
  let most = WORTH_SHARING - 1;
  for (const [cell, count] of counts)
    if (count > most) {
      best = cell;
      most = count;
    }
  return best;
}

/** The coarsest sets of values of which each of these sets is a union. */
function classes(of: ValueSet, sets: Iterable<ValueSet>): ValueSet[] {
  let result = [of];
  for (const set of sets) result = result.flatMap((part) => [part & set, part & ~set].filter((rest) => rest !== 0));
  return result;
}

/** Can the tree end in something, where the cell has one of these values? */
function possible(tree: Tree, cell: number, values: ValueSet): boolean {
  switch (tree.kind) {
    case 'none':
      return false;
    case 'test': {
      const of = tree.cell === cell ? tree.of & values : tree.of;
      return (
        ((of & tree.values) !== 0 && possible(tree.yes, cell, values)) ||
        ((of & ~tree.values) !== 0 && possible(tree.no, cell, values))
      );
    }
    case 'split':
      return tree.cases.some(
        (each) => (tree.cell !== cell || (each.values & values) !== 0) && possible(each.tree, cell, values),
      );
    case 'same':
      return possible(tree.yes, cell, values) || possible(tree.no, cell, values);
    default:
      return true;
  }
}

/** One tree for all the instances, where these facts hold. */
export function decide(executor: Executor, instances: readonly Instance[], facts: Facts): Tree {
  const candidates = instances
    .map((instance) => ({ instance, tree: execute(executor, instance, facts) }))
    .filter(({ tree }) => tree.kind !== 'none');
  const common = commonQuestion(candidates);
  return common < 0 ? share(executor, candidates, facts) : follow(executor, candidates, common, facts);
}

/** Asks for a cell, and decides for each answer. */
function follow(executor: Executor, candidates: readonly Candidate[], cell: number, facts: Facts): Tree {
  const told = new Set<ValueSet>();
  for (const { tree } of candidates)
    eachQuestion(tree, (asked, values) => {
      if (asked === cell) told.add(values);
    });
  const cases = classes(facts[cell], told).map((values) => {
    const learnt = facts.slice();
    learnt[cell] = values;
    const instances = candidates.filter(({ tree }) => possible(tree, cell, values)).map(({ instance }) => instance);
    return { values, tree: decide(executor, instances, learnt) };
  });
  return split(cell, cases);
}

/**
 * No question is common to most: the trees that begin with the same one share it. The others stay outside: inside they
 * would be repeated.
 */
function share(executor: Executor, candidates: readonly Candidate[], facts: Facts): Tree {
  let open = candidates;
  const decided: Tree[] = [];
  for (let cell = next(); cell >= 0; cell = next()) {
    const sharing = open.filter(({ tree }) => asks(tree, cell));
    open = open.filter(({ tree }) => !asks(tree, cell));
    decided.push(follow(executor, sharing, cell, facts));
  }
  return all([...decided, ...open.map(({ tree }) => tree)]);

  function next(): number {
    return sharedQuestion(open);
  }
}

function execute(executor: Executor, { rule, args, number }: Instance, facts: Facts): Tree {
  return executor.rule(
    rule.body,
    rule.params.map(({ name }) => name),
    args,
    number,
    facts,
  );
}
