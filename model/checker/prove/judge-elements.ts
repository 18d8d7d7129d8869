/**
 * Which property a view or a sleeper may violate, whatever the rest of the state is.
 */
import { type GrownTree, walk } from './grown-tree';
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
    for (const condition of this.system.conditions) {
      if (!concerns(condition, cpus, threads)) continue;
      const open = this.openAtFailure(condition.tree);
      if (open !== undefined) return { property: condition.property, open };
    }
    return undefined;
  }

  /** undefined if the condition holds. */
  private openAtFailure(tree: GrownTree): number[] | undefined {
    const { sets } = this.scene;
    const open = new Set<number>();
    let fails = false;
    const walker = {
      asked: (cell: number) => {
        if (!isSingle(sets[cell])) open.add(cell);
      },
      leaf: () => {
        fails = true;
      },
    };
    while (!walk(tree.tree, sets, walker)) tree.grow(sets);
    return fails ? [...open] : undefined;
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
