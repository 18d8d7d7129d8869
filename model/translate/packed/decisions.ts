/**
 * Orders the questions: instances of different rules ask the same things (is the CPU in user mode, which thread runs, what is its innermost context),
 * so a question that begins many of their trees is asked once for all of them. Each answer is learnt before the rules are executed again, and most of
 * them are then out of the question. This is what makes the code a specialised one for each CPU, thread and phase.
 */
import type { RuleInfo } from '../ir';
import { members } from './layout';
import type { Executor } from './symbolic';
import { all, type Facts, split, type Tree } from './tree';

export interface Instance {
  readonly number: number;
  readonly rule: RuleInfo;
  readonly args: readonly number[];
}

/** A question is asked for all when it begins at least this many trees. */
const WORTH_SHARING = 3;

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

/** The cell that most trees ask for first; -1 if too few agree. */
function sharedQuestion(trees: readonly Tree[]): number {
  const counts = new Map<number, number>();
  for (const tree of trees) if (tree.kind === 'test' || tree.kind === 'split') counts.set(tree.cell, (counts.get(tree.cell) ?? 0) + 1);
  let best = -1;
  let most = WORTH_SHARING - 1;
  for (const [cell, count] of counts)
    if (count > most) {
      best = cell;
      most = count;
    }
  return best;
}

/** One tree for all the instances, where these facts hold. */
export function decide(executor: Executor, instances: readonly Instance[], facts: Facts): Tree {
  const trees = instances.map(({ rule, args, number }) =>
    executor.rule(rule.body, rule.params.map(({ name }) => name), args, number, facts),
  );
  const cell = sharedQuestion(trees);
  if (cell < 0) return all(trees);
  const live = instances.filter((_, i) => trees[i].kind !== 'none');
  return split(
    cell,
    members(facts[cell]).map((value) => {
      const learnt = facts.slice();
      learnt[cell] = 1 << value;
      return { value, tree: decide(executor, live, learnt) };
    }),
  );
}
