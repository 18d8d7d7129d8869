/**
 * Where a CPU is private (checker/search/partial-order.ts), as decision trees.
 */
import { unrollProgram } from '../../translate/fold';
import type { Program, RuleInfo } from '../../translate/ir';
import type { Layout } from './layout';
import { Executor } from './symbolic';
import type { Tree } from './tree';

/** The tree of a rule as that of a judgement: property 1 "fails" where the rule is enabled. */
function asVerdict(tree: Tree): Tree {
  switch (tree.kind) {
    case 'step':
      return { kind: 'fail', instance: tree.instance, property: 1 };
    case 'test':
    case 'same':
      return { ...tree, yes: asVerdict(tree.yes), no: asVerdict(tree.no) };
    case 'split':
      return { ...tree, cases: tree.cases.map((each) => ({ ...each, tree: asVerdict(each.tree) })) };
    case 'all':
      return { ...tree, trees: tree.trees.map(asVerdict) };
    default:
      return tree;
  }
}

/** For each CPU a judgement that fails where `guard`, a rule of one CPU that writes nothing, is enabled. */
export function privateTrees(program: Program, layout: Layout, guard: RuleInfo, cpus: number): Tree[] {
  const [{ body, params }] = unrollProgram({ ...program, rules: [guard] }).rules;
  const executor = new Executor(layout);
  const names = params.map(({ name }) => name);
  return Array.from({ length: cpus }, (_, cpu) => asVerdict(executor.rule(body, names, [cpu], 0, executor.anything())));
}
