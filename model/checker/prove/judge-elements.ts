/**
 * Which property a view or a sleeper may violate, whatever the rest of the state is.
 */
import { type GrownTree, type Walker, walk } from './grown-tree';
import type { Condition, ProofSystem } from './proof-system';
import { Scene } from './scene';
import type { ThreadKind, Values } from './views';

/** A property that may fail, and the cells that it was asked of and that are left open. */
export interface Failure {
  readonly property: number;
  readonly open: readonly number[];
}

const isSingle = (set: number) => (set & (set - 1)) === 0;

function shared(some: ReadonlySet<number>, others: readonly number[]): number {
  return others.filter((each) => some.has(each)).length;
}

export class ElementJudge {
  private readonly system: ProofSystem;
  private readonly scene: Scene;
  private readonly tracked: readonly number[];
  /** The conditions that speak of some CPUs and threads, by these. */
  private readonly concerning = new Map<string, readonly Condition[]>();
  private readonly open = new Set<number>();
  private fails = false;
  private readonly walker: Walker = {
    asked: (cell) => {
      if (!isSingle(this.scene.sets[cell])) this.open.add(cell);
    },
    leaf: () => {
      this.fails = true;
    },
  };

  constructor(system: ProofSystem) {
    this.system = system;
    this.scene = new Scene(system.form, system.anything());
    this.tracked = Array.from({ length: system.form.tracked }, (_, cpu) => cpu);
  }

  view(values: Values): Failure | undefined {
    this.scene.begin(values);
    return this.failure(this.tracked, this.scene.runs);
  }

  sleeper(values: Values, kind: ThreadKind): Failure | undefined {
    const thread = kind === 'task' ? 0 : this.system.bounds.tasks;
    this.scene.rollback(0);
    this.scene.putAsleep(thread, values);
    return this.failure([], [thread]);
  }

  /** The first condition that may fail, of those that speak of these CPUs or threads. */
  private failure(cpus: readonly number[], threads: readonly number[]): Failure | undefined {
    for (const { tree, property } of this.conditionsOf(cpus, threads))
      if (this.mayFail(tree)) return { property, open: [...this.open] };
    return undefined;
  }

  private conditionsOf(cpus: readonly number[], threads: readonly number[]): readonly Condition[] {
    const key = `${cpus.join()} ${threads.join()}`;
    const known = this.concerning.get(key);
    if (known !== undefined) return known;
    const found = this.system.conditions.filter((condition) => concerns(condition, cpus, threads));
    this.concerning.set(key, found);
    return found;
  }

  /** May the condition fail? What that depends on, of what is left open, is in `open` then. */
  private mayFail(tree: GrownTree): boolean {
    const { sets, own } = this.scene;
    if (this.open.size > 0) this.open.clear();
    this.fails = false;
    while (!walk(tree.tree, sets, own, this.walker)) tree.grow(sets);
    return this.fails;
  }
}

/**
 * A condition that speaks of no more CPUs than a view has is judged where it speaks of these alone; one that speaks of
 * more, where it speaks of one of them. What it says of others is judged where they stand in the place of these.
 */
function concerns(condition: Condition, cpus: readonly number[], threads: readonly number[]): boolean {
  if (condition.threads.size > 0) return shared(condition.threads, threads) > 0;
  const { size } = condition.cpus;
  if (size === 0) return true;
  const ofThese = shared(condition.cpus, cpus);
  return size <= cpus.length ? ofThese === size : ofThese > 0;
}
