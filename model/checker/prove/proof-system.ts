/**
 * A model at the bounds of a proof, as trees: what each rule instance does, and how each condition of an invariant
 * fails. Nothing is left of it that bounds a real system: the steps of a proof leave open what CPUs and threads do that
 * no view has, and what the globals are.
 */
import { type Instance, instancesOf } from '../compiled/code/decisions';
import { fullLayout, type Layout } from '../compiled/code/layout';
import type { Bounds, Transient } from '../language/schema-types';
import type { Model } from '../model';
import { unrollProgram } from '../translate/fold';
import { mapOperands } from '../translate/guarded-rules';
import type { Expr, Program } from '../translate/ir';
import { programOf } from '../translate/program';
import { GrownTree, GuidedExecutor, type ValueSets } from './grown-tree';
import { ViewForm } from './views';

/** A rule instance. */
export interface Action {
  readonly number: number;
  readonly rule: string;
  readonly args: readonly number[];
  /** The CPU that takes the step; -1 for a rule without one. */
  readonly actor: number;
  /** The threads that it is about, besides that which its CPU runs. */
  readonly threads: readonly number[];
  readonly tree: GrownTree;
}

/** One condition of an invariant: its tree ends in a failure where the condition does not hold. */
export interface Condition {
  readonly property: number;
  /** The CPUs and threads that it speaks of by name; what these lead to is theirs. */
  readonly cpus: ReadonlySet<number>;
  readonly threads: ReadonlySet<number>;
  readonly tree: GrownTree;
}

export interface ProofSystem {
  readonly bounds: Bounds;
  readonly program: Program;
  readonly layout: Layout;
  readonly form: ViewForm;
  readonly actions: readonly Action[];
  readonly conditions: readonly Condition[];
  /** Every value of every cell. */
  anything(): ValueSets;
}

/** A condition as conditions that must all hold. */
function conjuncts(condition: Expr): Expr[] {
  if (condition.kind === 'and') return [...conjuncts(condition.left), ...conjuncts(condition.right)];
  if (condition.kind === 'not' && condition.operand.kind === 'or')
    return [condition.operand.left, condition.operand.right].flatMap((operand) => conjuncts({ kind: 'not', operand }));
  return [condition];
}

/** The constant indices by which an expression reads fields of CPUs, or of threads. */
function indicesIn(expr: Expr, over: 'cpu' | 'thread', fields: Layout['fields']): Set<number> {
  const found = new Set<number>();
  const visit = (part: Expr): Expr => {
    if (part.kind === 'read' && fields.get(part.field)?.over[0] === over) {
      const [index] = part.indices;
      if (index.kind === 'int') found.add(index.value);
    }
    return mapOperands(part, visit);
  };
  visit(expr);
  return found;
}

function actionOf(executor: GuidedExecutor, instance: Instance, facts: ValueSets): Action {
  const { rule, args, number } = instance;
  const names = rule.params.map(({ name }) => name);
  const argsOf = (sort: string) => args.filter((_, i) => rule.params[i].sort === sort);
  return {
    number,
    rule: rule.name,
    args,
    actor: argsOf('cpu')[0] ?? -1,
    threads: [...new Set([...argsOf('thread'), ...argsOf('task')])],
    tree: new GrownTree(executor, () => executor.rule(rule.body, names, args, number, facts)),
  };
}

/** `tracked`: how many CPUs a view has. */
export function proofSystem<S extends Transient, D>(model: Model<S, D>, tracked: number): ProofSystem {
  const program = programOf(model);
  const flat = unrollProgram(program);
  const layout = fullLayout(program);
  const executor = new GuidedExecutor(layout);
  const facts = executor.anything();
  const conditions = flat.invariants.flatMap(({ condition, property }) =>
    conjuncts(condition).map((each) => ({
      property,
      cpus: indicesIn(each, 'cpu', layout.fields),
      threads: indicesIn(each, 'thread', layout.fields),
      tree: new GrownTree(executor, () => executor.violation(each, facts, property)),
    })),
  );
  return {
    bounds: model.bounds,
    program,
    layout,
    form: new ViewForm(layout, model.bounds, model.running, tracked),
    actions: instancesOf(flat.rules).map((instance) => actionOf(executor, instance, facts)),
    conditions,
    anything: () => facts.slice(),
  };
}
