/**
 * Orders the questions: instances of different rules ask the same things (is the CPU in user mode, which thread runs, what is its innermost context),
 * so a question that begins many of their trees is asked once for all of them. Each answer is learnt before the rules are executed again, and most of
 * them are then out of the question. This is what makes the code a specialised one for each CPU, thread and phase.
 */
import type { RuleInfo } from '../ir';
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

/** Values between which none of the trees, which all ask for the cell first, sees a difference there. */
function classes(of: ValueSet, trees: readonly Tree[]): ValueSet[] {
  return trees.reduce<ValueSet[]>(
    (sets, tree) => {
      const parts =
        tree.kind === 'test'
          ? [tree.values, ~tree.values]
          : tree.kind === 'split'
            ? tree.cases.map(({ values }) => values)
            : [of];
      return sets.flatMap((set) => parts.map((part) => set & part).filter((part) => part !== 0));
    },
    [of],
  );
}

/** One tree for all the instances, where these facts hold. */
export function decide(executor: Executor, instances: readonly Instance[], facts: Facts): Tree {
  let open: readonly Candidate[] = instances
    .map((instance) => ({ instance, tree: execute(executor, instance, facts) }))
    .filter(({ tree }) => tree.kind !== 'none');
  const decided: Tree[] = [];
  for (let cell = sharedQuestion(open); cell >= 0; cell = sharedQuestion(open)) {
    const sharing = open.filter(({ tree }) => asks(tree, cell));
    // A rule that does not ask this first stays outside: inside it would be repeated for each answer.
    open = open.filter(({ tree }) => !asks(tree, cell));
    const sets = classes(
      facts[cell],
      sharing.map(({ tree }) => tree),
    );
    const cases = sets.map((values) => {
      const learnt = facts.slice();
      learnt[cell] = values;
      return {
        values,
        tree: decide(
          executor,
          sharing.map(({ instance }) => instance),
          learnt,
        ),
      };
    });
    decided.push(split(cell, cases));
  }
  return all([...decided, ...open.map(({ tree }) => tree)]);
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
