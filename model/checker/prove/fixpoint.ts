/**
 * The least set of views and sleepers that has those of every initial state and is closed under every step: a
 * *thread-modular* (Cartesian) abstraction (Flanagan, Qadeer, "Thread-Modular Model Checking", SPIN 2003), which with
 * views of two CPUs is a view abstraction (Abdulla, Haziza, Holik, "Parameterized verification through view
 * abstraction", STTT 2016). docs/proof.md has the argument that no system of any size has a component that is not here.
 *
 * A step of the CPU of a view depends on the view, on the threads that it is about, and on what its tree asks besides.
 * Such a thread either sleeps, with the values of some sleeper, or another CPU runs it. Everything else is left open: a
 * question about it is answered both ways.
 */
import type { ValueSet } from '../compiled/code/layout';
import { NO_CELL, NO_CODE } from '../compiled/code/marker';
import type { Tree, Write } from '../compiled/code/tree';
import { type Alarm, Alarmed, type Element, type Obstacle, type Sleeper } from './element';
import { type GrownTree, type Walker, walk } from './grown-tree';
import { ElementJudge, type Failure } from './judge-elements';
import { TooFewNames } from './names';
import type { Action, ProofSystem } from './proof-system';
import { Scene } from './scene';
import { keyOf, THREAD_KINDS, type ThreadKind, type Values } from './views';

export interface Fixpoint {
  readonly views: readonly Element[];
  readonly sleepers: readonly Element[];
  readonly alarm: Alarm | undefined;
  /** Rules that ask for more than the CPU that takes the step, the thread that it runs, and the globals. */
  readonly crossing: ReadonlySet<string>;
  /** Cells that a step was found to depend on while they were left open. */
  readonly open: ReadonlySet<number>;
}

interface FixpointOptions {
  readonly mostViews: number;
  /**
   * Not for a proof: all CPUs but that of the view stand still, each with its idle thread, and every other thread
   * sleeps. What is found then is what such states lead to, and nothing else, as long as nothing is left open.
   */
  readonly othersRest?: boolean;
}

type Leaf = Extract<Tree, { kind: 'step' | 'fail' }>;

const isSingle = (set: ValueSet) => (set & (set - 1)) === 0;
const valueIn = (set: ValueSet) => 31 - Math.clz32(set);

/** An action of a view that is about threads of which some may sleep. */
interface Waiting {
  readonly view: Element;
  readonly action: Action;
  /** So many sleepers there were when it was tried. */
  readonly tried: number;
}

class FixpointSearch {
  private readonly system: ProofSystem;
  private readonly options: FixpointOptions;
  private readonly scene: Scene;
  private readonly judge: ElementJudge;
  private readonly views: Element[] = [];
  private readonly sleepers: Record<ThreadKind, Element[]> = { task: [], idle: [] };
  private readonly keys = new Set<string>();
  private readonly waiting: Waiting[] = [];
  private readonly crossing = new Set<string>();
  /** Rules that write to what is another CPU's. */
  private readonly interfering = new Set<string>();
  private readonly atSteps: Walker;
  private readonly atProbe: Walker;
  private readonly tracked: readonly number[];
  /** What is being looked at, for whoever is told of it. */
  private element: Element | undefined;
  private action: Action | undefined;
  private readonly open = new Set<number>();
  private readonly everOpen = new Set<number>();
  private hasLeaf = false;

  constructor(system: ProofSystem, options: FixpointOptions) {
    this.system = system;
    this.options = options;
    this.scene = new Scene(system.form, system.anything(), options.othersRest);
    this.judge = new ElementJudge(system);
    this.tracked = Array.from({ length: system.form.tracked }, (_, cpu) => cpu);
    this.atSteps = {
      asked: (cell) => {
        this.asked(cell);
        if (!isSingle(this.scene.sets[cell])) this.everOpen.add(cell);
      },
      leaf: (leaf) => this.leaf(leaf),
    };
    this.atProbe = {
      asked: (cell) => this.asked(cell),
      leaf: () => {
        this.hasLeaf = true;
      },
    };
  }

  run(views: readonly Values[], sleepers: readonly Sleeper[]): Fixpoint {
    let alarm: Alarm | undefined;
    try {
      for (const { values, kind } of sleepers) this.addSleeper(values, kind ?? 'task');
      for (const values of views) this.addView(values);
      this.close();
    } catch (error) {
      if (error instanceof TooFewNames) alarm = { kind: 'names', open: [] };
      else if (error instanceof Alarmed) alarm = error.alarm;
      else throw error;
    }
    const all = THREAD_KINDS.flatMap((kind) => this.sleepers[kind]);
    return { views: this.views, sleepers: all, alarm, crossing: this.crossing, open: this.everOpen };
  }

  /** Views and sleepers become more on the way: what comes late is tried with what came before it. */
  private close(): void {
    const own = this.system.actions.filter(({ actor }) => actor <= 0);
    let others: Action[] = [];
    for (let done = 0, count = -1; count !== this.size(); ) {
      count = this.size();
      const late = this.othersActions().filter((action) => !others.includes(action));
      if (late.length > 0) for (const view of this.views.slice(0, done)) this.expand(view, late);
      others = [...others, ...late];
      for (const each of this.waiting.splice(0)) {
        if (each.tried === this.sleeperCount()) this.waiting.push(each);
        else this.expand(each.view, [each.action]);
      }
      const actions = [...own, ...others];
      for (; done < this.views.length; done++) this.expand(this.views[done], actions);
    }
  }

  /** Steps of CPUs that the view does not have, of rules that may write to it. */
  private othersActions(): Action[] {
    return this.system.actions.filter(({ actor, rule }) => actor >= this.tracked.length && this.interfering.has(rule));
  }

  private size(): number {
    return this.keys.size + this.interfering.size;
  }

  private sleeperCount(): number {
    return THREAD_KINDS.reduce((sum, kind) => sum + this.sleepers[kind].length, 0);
  }

  private raise(kind: Obstacle, property?: number): never {
    const { action, element, open } = this;
    throw new Alarmed({
      kind,
      open: [...open],
      ...(property === undefined ? {} : { property }),
      ...(action === undefined ? {} : { action }),
      ...(element === undefined ? {} : { element }),
    });
  }

  private origin(): Pick<Element, 'from'> {
    const { element: view, action } = this;
    return view === undefined || action === undefined ? {} : { from: { view, action } };
  }

  private addView(values: Values): void {
    const key = keyOf(values);
    if (this.keys.has(key)) return;
    if (this.views.length >= this.options.mostViews) this.raise('size');
    this.keys.add(key);
    const view = { values, ...this.origin() };
    this.views.push(view);
    this.demand(this.judge.view(values), view);
  }

  private addSleeper(values: Values, kind: ThreadKind): void {
    const key = `${kind} ${keyOf(values)}`;
    if (this.keys.has(key)) return;
    this.keys.add(key);
    const sleeper = { values, kind, ...this.origin() };
    this.sleepers[kind].push(sleeper);
    this.demand(this.judge.sleeper(values, kind), sleeper);
  }

  private demand(failure: Failure | undefined, element: Element): void {
    if (failure === undefined) return;
    for (const cell of failure.open) this.open.add(cell);
    this.element = element;
    this.action = undefined;
    this.raise('property', failure.property);
  }

  private walk(tree: GrownTree, walker: Walker): void {
    const { sets, own } = this.scene;
    while (!walk(tree.tree, sets, own, walker)) tree.grow(sets);
  }

  private expand(view: Element, actions: readonly Action[]): void {
    this.element = view;
    this.scene.begin(view.values);
    const { runs } = this.scene;
    for (const action of actions) {
      this.action = action;
      // An empty set that is cleared is made anew, and this is done for each action of each view.
      if (this.open.size > 0) this.open.clear();
      if (action.threads.every((thread) => runs.includes(thread))) {
        this.walk(action.tree, this.atSteps);
        continue;
      }
      this.hasLeaf = false;
      this.walk(action.tree, this.atProbe);
      if (!this.hasLeaf) continue;
      this.waiting.push({ view, action, tried: this.sleeperCount() });
      this.place(
        action.threads.filter((thread) => !runs.includes(thread)),
        0,
      );
    }
  }

  /** Tries the action with each thread that it is about asleep, and elsewhere. */
  private place(threads: readonly number[], at: number): void {
    const { scene, system, action } = this;
    if (action === undefined) return;
    if (at === threads.length) return this.walk(action.tree, this.atSteps);
    const thread = threads[at];
    // One that is known to run: the idle thread of a CPU that rests.
    if (scene.isResting(thread)) return this.place(threads, at + 1);
    const mark = scene.mark();
    scene.asleep.push(thread);
    for (const { values } of [...this.sleepers[system.form.kindOf(thread)]]) {
      scene.putAsleep(thread, values);
      this.place(threads, at + 1);
      scene.rollback(mark);
    }
    scene.asleep.pop();
    if (this.options.othersRest) return;
    for (let cpu = this.tracked.length; cpu < system.bounds.cpus; cpu++) {
      scene.putOn(cpu, thread);
      this.place(threads, at + 1);
      scene.rollback(mark);
    }
  }

  /** A cell that is not the view's. */
  private asked(cell: number): void {
    const { action } = this;
    const isCrossing = this.system.form.owners[cell].over !== 'global';
    if (isCrossing && action !== undefined && action.actor < this.tracked.length) this.crossing.add(action.rule);
    this.open.add(cell);
  }

  private leaf(leaf: Leaf): void {
    const isOthers = (this.action?.actor ?? -1) >= this.tracked.length;
    if (leaf.kind === 'step') this.step(leaf.writes, isOthers);
    else if (leaf.property === NO_CELL || leaf.property === NO_CODE) this.raise('range');
    // A failure of another CPU is found where that one is the view's.
    else if (!isOthers) this.raise('property', leaf.property);
  }

  /** Adds what the step makes of the view, and of threads that sleep before it or after it. */
  private step(writes: readonly Write[], isOthers: boolean): void {
    const { scene, system } = this;
    const { form } = system;
    const mark = scene.mark();
    const after = writes.map((write) => this.valuesOf(write));
    const written = writes.filter(({ cell }, i) => {
      if (!this.isWithin(cell, isOthers)) return false;
      scene.put(cell, after[i]);
      return true;
    });
    if (written.length > 0)
      this.eachOf(form.running.slice(0, this.tracked.length), () => {
        const runs = this.runsAfter();
        this.eachOf(form.cellsOf(runs), (values) => {
          for (const view of form.orders(values, system.bounds, this.tracked)) this.addView(view);
        });
        if (isOthers) return;
        const isTouched = (thread: number) => written.some(({ cell }) => form.isOf(cell, thread));
        const sleeping = [
          ...scene.runs.filter((thread) => !runs.includes(thread)),
          ...scene.asleep.filter((thread) => !runs.includes(thread) && isTouched(thread)),
        ];
        for (const thread of sleeping)
          this.eachOf(form.threadCells(thread), (values) => this.addSleeper(values, form.kindOf(thread)));
      });
    scene.rollback(mark);
  }

  private valuesOf({ value }: Write): ValueSet {
    if (value.kind === 'known') return 1 << value.value;
    const set = this.scene.sets[value.cell];
    return value.plus >= 0 ? set << value.plus : set >>> -value.plus;
  }

  /** Does the write change a view or a sleeper of this scene? */
  private isWithin(cell: number, isOthers: boolean): boolean {
    if (this.scene.own[cell] === 1) return true;
    const { over, index } = this.system.form.owners[cell];
    if (over === 'global' || isOthers) return false;
    if (over === 'thread' && this.scene.asleep.includes(index)) return true;
    // A thread that may sleep, and with values that nobody knows.
    if (over === 'thread' && this.action?.threads.includes(index) !== true) this.raise('reach');
    if (this.action !== undefined && this.action.actor >= 0) this.interfering.add(this.action.rule);
    return false;
  }

  /** The threads that the CPUs of the view run after the step. No other CPU may run one of them. */
  private runsAfter(): number[] {
    const { scene } = this;
    const { running } = this.system.form;
    if (running.length === 0) return [];
    const runs = this.tracked.map((cpu) => valueIn(scene.sets[running[cpu]]));
    const isTheirs = (thread: number) => scene.runs.includes(thread) || scene.asleep.includes(thread);
    if (new Set(runs).size < runs.length || !runs.every(isTheirs)) this.raise('thread');
    return runs;
  }

  /** Calls `then` with each combination of values that these cells may have. */
  private eachOf(cells: readonly number[], then: (values: Values) => void): void {
    const { scene } = this;
    const { sets } = scene;
    const open = cells.find((cell) => !isSingle(sets[cell]));
    if (open === undefined) {
      const values = new Uint8Array(cells.length);
      for (let i = 0; i < cells.length; i++) values[i] = valueIn(sets[cells[i]]);
      return then(values);
    }
    for (let rest = sets[open]; rest !== 0; rest &= rest - 1) {
      const mark = scene.mark();
      scene.put(open, rest & -rest);
      this.eachOf(cells, then);
      scene.rollback(mark);
    }
  }
}

/** Closes the set that begins with these; it ends at the first alarm, if there is one. */
export function fixpoint(
  system: ProofSystem,
  views: readonly Values[],
  sleepers: readonly Sleeper[],
  options: FixpointOptions,
): Fixpoint {
  return new FixpointSearch(system, options).run(views, sleepers);
}
