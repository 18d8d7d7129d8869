/**
 * What the CPUs of a model have to do with each other. A state falls into components: each CPU with the thread that it
 * runs, each thread that no CPU runs, and what belongs to nobody (the globals). Most rule instances read and write one
 * CPU's component and the globals only: they are *local*, and what they do is a function of these two. The others are
 * *crossing*. This file finds out which are which, from the decision trees of the rules, so that the search may execute
 * a local step once for each value of its component (LTSmin's dependency matrix and transition caching; Blom, van de
 * Pol, Weber, "LTSmin: Distributed and Symbolic Reachability", CAV 2010).
 */
import { unrollProgram } from '../../translate/fold';
import type { Expr, InvariantInfo, Program, RuleInfo } from '../../translate/ir';
import { type Instance, instancesOf } from './decisions';
import type { Layout, PlacedCell } from './layout';
import { Executor } from './symbolic';
import { all, type Facts, NONE, type Tree } from './tree';

/** What one rule instance reads and writes, beyond its CPU, the thread that this CPU runs, and the globals. */
export interface Footprint {
  /**
   * The CPU that takes the step; -1 for an instance that the search does not try. A rule without a parameter of this
   * sort counts as CPU 0's.
   */
  readonly cpu: number;
  readonly crossing: boolean;
  /** Threads that it touches although its CPU does not run them. */
  readonly threads: readonly number[];
  /** It reads or writes globals. */
  readonly globals: boolean;
}

export interface Interaction {
  /** By the number of the instance. */
  readonly footprints: readonly Footprint[];
  /**
   * Cells that a crossing instance or a crossing condition of an invariant looks at, although they may belong to
   * another CPU.
   */
  readonly shared: readonly number[];
  readonly trees: InteractionTrees;
}

/** The decision trees of an InteractionCode. */
export interface InteractionTrees {
  /** By the number of the instance; a tree of kind 'none' for one that is not tried, or not crossing. */
  readonly steps: readonly Tree[];
  readonly mayCross: readonly Tree[];
  /** One tree for each invariant, in the order in which they are judged. */
  readonly judge: readonly Tree[];
}

const NOT_TRIED: Footprint = { cpu: -1, crossing: false, threads: [], globals: false };

type Owner = 'own' | 'thread' | 'cpu';

/**
 * Looks at one CPU's instances: which cells are its own depends on the thread that it runs, as far as the path has
 * asked.
 */
class Outlook {
  private readonly layout: Layout;
  private readonly cpu: number;
  private readonly running: PlacedCell | undefined;

  constructor(layout: Layout, cpu: number, running: string | undefined) {
    this.layout = layout;
    this.cpu = cpu;
    this.running = runningCell(layout, cpu, running);
  }

  ownerOf(number: number, facts: Facts): Owner {
    const { field, index } = this.layout.cells[number];
    const [over] = this.layout.fields.get(field)?.over ?? [];
    if (over === undefined) return 'own';
    if (over === 'cpu') return index[0] === this.cpu ? 'own' : 'cpu';
    if (over !== 'thread') return 'cpu';
    return this.running !== undefined && facts[this.running.number] === 1 << index[0] ? 'own' : 'thread';
  }

  moves(cell: number): boolean {
    return cell === this.running?.number;
  }
}

export function runningCell(layout: Layout, cpu: number, running: string | undefined): PlacedCell | undefined {
  return layout.cells.find(({ field, index }) => field === running && index[0] === cpu);
}

/** A leaf or an inner node of a tree, with what is known there. */
type Visit = (tree: Tree, facts: Facts) => void;

function learnt(facts: Facts, cell: number, values: number): Facts {
  const next = facts.slice();
  next[cell] &= values;
  return next;
}

function visitAll(tree: Tree, facts: Facts, visit: Visit): void {
  visit(tree, facts);
  if (tree.kind === 'test') {
    visitAll(tree.yes, learnt(facts, tree.cell, tree.values), visit);
    visitAll(tree.no, learnt(facts, tree.cell, ~tree.values), visit);
  } else if (tree.kind === 'split') {
    for (const { values, tree: inner } of tree.cases) visitAll(inner, learnt(facts, tree.cell, values), visit);
  } else if (tree.kind === 'same') {
    visitAll(tree.yes, facts, visit);
    visitAll(tree.no, facts, visit);
  } else if (tree.kind === 'all') {
    for (const inner of tree.trees) visitAll(inner, facts, visit);
  }
}

/** Cells that a node asks for or reads. */
function readBy(tree: Tree): number[] {
  if (tree.kind === 'test' || tree.kind === 'split') return [tree.cell];
  if (tree.kind === 'same') return [tree.cell, tree.other];
  if (tree.kind !== 'step') return [];
  return tree.writes.flatMap(({ value }) => (value.kind === 'cell' ? [value.cell] : []));
}

function writtenBy(tree: Tree): number[] {
  return tree.kind === 'step' ? tree.writes.map(({ cell }) => cell) : [];
}

/** The tree with every question about a cell of others left open, and 1 for whatever may happen. */
function openEnded(tree: Tree, facts: Facts, outlook: Outlook): Tree {
  const inner = (each: Tree, cell: number, values: number) => openEnded(each, learnt(facts, cell, values), outlook);
  switch (tree.kind) {
    case 'none':
      return NONE;
    case 'step':
    case 'fail':
      return { kind: 'fail', instance: 0, property: 1 };
    case 'all':
      return all(tree.trees.map((each) => openEnded(each, facts, outlook)));
    case 'test': {
      const yes = inner(tree.yes, tree.cell, tree.values);
      const no = inner(tree.no, tree.cell, ~tree.values);
      return outlook.ownerOf(tree.cell, facts) === 'own' ? { ...tree, yes, no } : all([yes, no]);
    }
    case 'split': {
      const cases = tree.cases.map(({ values, tree: each }) => ({ values, tree: inner(each, tree.cell, values) }));
      return outlook.ownerOf(tree.cell, facts) === 'own' ? { ...tree, cases } : all(cases.map((each) => each.tree));
    }
    case 'same': {
      const yes = openEnded(tree.yes, facts, outlook);
      const no = openEnded(tree.no, facts, outlook);
      const own = [tree.cell, tree.other].every((cell) => outlook.ownerOf(cell, facts) === 'own');
      return own ? { ...tree, yes, no } : all([yes, no]);
    }
  }
}

/** A condition as conditions that must all hold. */
function conjuncts(condition: Expr): Expr[] {
  if (condition.kind === 'and') return [...conjuncts(condition.left), ...conjuncts(condition.right)];
  if (condition.kind === 'not' && condition.operand.kind === 'or')
    return [condition.operand.left, condition.operand.right].flatMap((operand) => conjuncts({ kind: 'not', operand }));
  return [condition];
}

/** Does the tree ask for globals, and for other cells? */
function mixesGlobals(layout: Layout, tree: Tree, facts: Facts): boolean {
  const kinds = new Set<boolean>();
  visitAll(tree, facts, (node) => {
    for (const cell of readBy(node)) kinds.add(layout.cells[cell].index.length === 0);
  });
  return kinds.size > 1;
}

/** Cells of the conditions that are not about one CPU and its thread alone. */
function crossingConditions(
  conditions: readonly Expr[],
  layout: Layout,
  executor: Executor,
  outlooks: readonly Outlook[],
): Set<number> {
  const cells = new Set<number>();
  for (const condition of conditions.flatMap(conjuncts)) {
    const facts = executor.anything();
    const tree = executor.violation(condition, facts, 1);
    const isLocal = outlooks.some((outlook) => {
      let own = true;
      visitAll(tree, facts, (node, known) => {
        own &&= readBy(node).every((cell) => outlook.ownerOf(cell, known) === 'own');
      });
      return own;
    });
    // What the globals have to do with a CPU may change without the CPU.
    const mixes = mixesGlobals(layout, tree, facts);
    if (!isLocal || mixes) visitAll(tree, facts, (node) => readBy(node).forEach((cell) => void cells.add(cell)));
  }
  return cells;
}

function cpuOf({ rule, args }: Instance): number {
  const at = rule.params.findIndex(({ sort }) => sort === 'cpu');
  return at < 0 ? 0 : args[at];
}

/** What is found out about one instance. */
interface Finding {
  readonly number: number;
  readonly footprint: Footprint;
  /** Cells of others that it looks at or writes; none for a local one. */
  readonly foreign: readonly number[];
  readonly step: Tree;
  readonly mayCross: Tree;
}

/** Looks at instances of one layout and one list of invariants. */
class Observer {
  /** One tree for each invariant. */
  readonly judge: readonly Tree[];
  /** Cells of conditions that are not about one CPU alone. */
  readonly judged: ReadonlySet<number>;
  private readonly layout: Layout;
  private readonly executor: Executor;
  private readonly facts: Facts;
  private readonly outlooks: readonly Outlook[];
  private readonly judgedThreads: readonly number[];
  private readonly findings = new Map<string, readonly Finding[]>();

  constructor(layout: Layout, invariants: readonly InvariantInfo[], cpus: number, running: string | undefined) {
    this.layout = layout;
    this.executor = new Executor(layout);
    this.facts = this.executor.anything();
    this.outlooks = Array.from({ length: cpus }, (_, cpu) => new Outlook(layout, cpu, running));
    const conditions = invariants.map(({ condition }) => condition);
    this.judged = crossingConditions(conditions, layout, this.executor, this.outlooks);
    this.judgedThreads = [...this.judged].filter((cell) => this.overOf(cell) === 'thread');
    this.judge = invariants.map(({ condition, property }) => this.executor.violation(condition, this.facts, property));
  }

  /** What is found out about all instances of a rule, or was before. */
  rule(rule: RuleInfo): readonly Finding[] {
    const key = JSON.stringify(rule);
    const found = this.findings.get(key) ?? instancesOf([rule]).map((instance) => this.instance(instance));
    this.findings.set(key, found);
    return found;
  }

  private instance(instance: Instance): Finding {
    const { layout, executor, facts, judged } = this;
    const { number, rule, args } = instance;
    const cpu = cpuOf(instance);
    const outlook = this.outlooks[cpu];
    const names = rule.params.map(({ name }) => name);
    const step = executor.rule(rule.body, names, args, number, facts);
    const threads = new Set<number>();
    const foreign = new Set<number>();
    let crossing = false;
    let globals = false;
    visitAll(step, facts, (node, known) => {
      for (const cell of writtenBy(node)) crossing ||= outlook.moves(cell) || judged.has(cell);
      for (const cell of [...readBy(node), ...writtenBy(node)]) {
        globals ||= layout.cells[cell].index.length === 0;
        const owner = outlook.ownerOf(cell, known);
        if (owner === 'own') continue;
        foreign.add(cell);
        if (owner === 'thread') threads.add(this.threadOf(cell));
      }
    });
    crossing ||= foreign.size > 0;
    if (crossing) {
      for (const cell of this.judgedThreads) threads.add(this.threadOf(cell));
      globals ||= [...judged].some((cell) => layout.cells[cell].index.length === 0);
    }
    const footprint = { cpu, crossing, threads: [...threads].sort((a, b) => a - b), globals };
    const mayCross = crossing ? openEnded(step, facts, outlook) : NONE;
    return { number, footprint, foreign: [...foreign], step, mayCross };
  }

  private overOf(cell: number): string | undefined {
    return this.layout.fields.get(this.layout.cells[cell].field)?.over[0];
  }

  private threadOf(cell: number): number {
    return this.layout.cells[cell].index[0];
  }
}

/**
 * Designs that differ in a few steps have most rules in common, and often the layout. So what has been found out is
 * kept in memory, for the last layouts.
 */
const MOST_OBSERVERS = 8;
const observers = new Map<string, Observer>();

function observerFor(
  { fields, invariants }: Program,
  layout: Layout,
  cpus: number,
  running: string | undefined,
): Observer {
  const key = JSON.stringify([layout.cells, fields, invariants, cpus, running]);
  const observer = observers.get(key) ?? new Observer(layout, invariants, cpus, running);
  // The last one used stands last.
  observers.delete(key);
  observers.set(key, observer);
  for (const oldest of observers.keys()) if (observers.size > MOST_OBSERVERS) observers.delete(oldest);
  return observer;
}

/**
 * `running`: the field that names the thread that a CPU runs, if the model has one. No two CPUs run one thread in a
 * state that violates nothing.
 */
export function interactionOf(
  program: Program,
  layout: Layout,
  cpus: number,
  running: string | undefined,
): Interaction {
  const flat = unrollProgram(program);
  const observer = observerFor(flat, layout, cpus, running);
  const shared = new Set(observer.judged);
  for (let cpu = 0; cpu < cpus; cpu++) {
    const cell = runningCell(layout, cpu, running);
    if (cell !== undefined) shared.add(cell.number);
  }
  const findings = flat.rules.flatMap((rule) => observer.rule(rule));
  const count = 1 + Math.max(...findings.map(({ number }) => number));
  const footprints = new Array<Footprint>(count).fill(NOT_TRIED);
  const steps = new Array<Tree>(count).fill(NONE);
  const mayCross = new Array<Tree>(count).fill(NONE);
  for (const { number, ...found } of findings) {
    footprints[number] = found.footprint;
    steps[number] = found.step;
    mayCross[number] = found.mayCross;
    for (const cell of found.foreign) shared.add(cell);
  }
  return { footprints, shared: [...shared].sort((a, b) => a - b), trees: { steps, mayCross, judge: observer.judge } };
}
