/**
 * The invariant that a certificate stands for, in the system of an AIGER file: each CPU with the thread that it runs
 * (or each two of them) has the values of a view, each thread that no CPU runs those of a sleeper, no thread is in two
 * places, and the contexts for which the certificate has no room are closed.
 */
import { type AndGraph, FALSE, type Literal, not, TRUE } from '../translate/aiger/and-graph';
import type { Aiger } from './aiger';
import { type Certificate, CertificateError, type CpuValues, type ThreadValues } from './certificate';
import { DecisionGraph } from './decision-graph';
import { type NameSort, Naming } from './naming';

/** By latch, in the order of the AIGER file. */
type LatchLiterals = readonly Literal[];

/** Latches, by their numbers, and the words that they may be. */
interface Words {
  readonly latches: readonly number[];
  readonly words: DecisionGraph;
}

/** A view's words where its CPUs run these threads. */
interface ViewWords extends Words {
  readonly runs: readonly (readonly [cpu: number, thread: number])[];
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

export class Invariant {
  private readonly certificate: Certificate;
  private readonly aiger: Aiger;
  private readonly naming: Naming;
  /** By value of the state, its latches, the lowest bit first. */
  private readonly cells = new Map<string, number[]>();
  private readonly names: readonly { readonly at: number; readonly sort: NameSort }[];
  /** By the CPUs of a view. */
  private readonly views: readonly (readonly ViewWords[])[];
  private readonly sleepers: readonly Words[];

  constructor(certificate: Certificate, aiger: Aiger) {
    this.certificate = certificate;
    this.aiger = aiger;
    this.naming = new Naming(certificate.names, aiger.bounds);
    for (const [latch, { name }] of aiger.latches.entries()) {
      const cell = name.slice(0, name.lastIndexOf('.'));
      this.cells.set(cell, [...(this.cells.get(cell) ?? []), latch]);
    }
    if ([...certificate.threadCells, ...certificate.contextCells].some(({ domain }) => typeof domain === 'string'))
      throw new CertificateError('expected no names among the values of a thread');
    this.names = certificate.cpuCells.flatMap(({ domain: sort }, at) =>
      typeof sort === 'string' ? [{ at, sort }] : [],
    );
    this.views = this.tuples().map((cpus) => this.viewsOf(cpus));
    this.sleepers = certificate.running === undefined ? [] : this.threads().map((thread) => this.sleeper(thread));
  }

  /** Nodes of all decision diagrams. */
  get size(): number {
    return [...this.views.flat(), ...this.sleepers].reduce((sum, { words }) => sum + words.size, 0);
  }

  /**
   * The parts that all have to hold: views, sleeping threads, the one place of each thread, contexts that are never
   * open.
   */
  conjuncts(graph: AndGraph, latches: LatchLiterals): Literal[] {
    const cpus = upTo(this.aiger.bounds.cpus);
    const contains = ({ latches: numbers, words }: Words) =>
      words.contains(
        graph,
        numbers.map((number) => latches[number]),
      );
    const runs = (cpu: number, thread: number) => this.runs(graph, latches, cpu, thread);
    const views = this.views.map((groups) =>
      graph.any(
        groups.map((group) => {
          const isHere = graph.all(group.runs.map(([cpu, thread]) => runs(cpu, thread)));
          return isHere === FALSE ? FALSE : graph.and(isHere, contains(group));
        }),
      ),
    );
    const sleepers = this.sleepers.map((words, thread) => {
      const runsSomewhere = graph.any(cpus.map((cpu) => runs(cpu, thread)));
      return runsSomewhere === TRUE ? TRUE : graph.or(runsSomewhere, contains(words));
    });
    const places = this.sleepers.map((_, thread) =>
      not(graph.any(cpus.flatMap((a) => upTo(a).map((b) => graph.and(runs(a, thread), runs(b, thread)))))),
    );
    const closed = this.closedLatches().map((latch) => not(latches[latch]));
    return [...views, ...sleepers, ...places, ...closed];
  }

  /**
   * Which thread each CPU may run, in all combinations in which no thread is on two CPUs; one without threads in a
   * model that has none.
   */
  runningThreads(): number[][] {
    if (this.certificate.running === undefined) return [[]];
    return upTo(this.aiger.bounds.cpus).reduce<number[][]>(
      (all, cpu) =>
        all.flatMap((runs) =>
          this.threadsOf(cpu)
            .filter((thread) => !runs.includes(thread))
            .map((thread) => [...runs, thread]),
        ),
      [[]],
    );
  }

  /** Those that some view has on this CPU. */
  private threadsOf(cpu: number): number[] {
    const runs = this.views
      .flat()
      .flatMap((group) => group.runs.filter(([of]) => of === cpu).map(([, thread]) => thread));
    return [...new Set(runs)].sort((a, b) => a - b);
  }

  /** The latches that say which thread the CPU runs, and what they are then. */
  runningLatches(cpu: number, thread: number): (readonly [latch: number, value: boolean])[] {
    const cell = this.cells.get(`${this.certificate.running}[${cpu}]`) ?? [];
    return cell.map((latch, i) => [latch, ((thread >> i) & 1) === 1]);
  }

  /** The CPUs of each view: all, or all pairs. */
  private tuples(): number[][] {
    const { cpus } = this.aiger.bounds;
    if (this.certificate.tracked === 1) return upTo(cpus).map((cpu) => [cpu]);
    return upTo(cpus).flatMap((a) => upTo(cpus).flatMap((b) => (a === b ? [] : [[a, b]])));
  }

  private threads(): number[] {
    return upTo(this.aiger.bounds.tasks + this.aiger.bounds.cpus);
  }

  private runs(graph: AndGraph, latches: LatchLiterals, cpu: number, thread: number): Literal {
    const cell = this.runningLatches(cpu, thread);
    if (thread >> cell.length > 0) return FALSE;
    return graph.all(cell.map(([latch, value]) => (value ? latches[latch] : not(latches[latch]))));
  }

  /** Those of contexts that the circuit has and the certificate does not. */
  private closedLatches(): number[] {
    const { contexts, contextCells } = this.certificate;
    return this.threads().flatMap((thread) =>
      upTo(this.aiger.bounds.nesting)
        .slice(contexts)
        .flatMap((context) =>
          contextCells.flatMap(({ field }) => this.cells.get(`${field}[${thread}][${context}]`) ?? []),
        ),
    );
  }

  private viewsOf(cpus: readonly number[]): ViewWords[] {
    const { views, cpuCells, running } = this.certificate;
    const at = cpuCells.findIndex(({ field }) => field === running);
    const sorts = cpus.flatMap(() => this.names.map(({ sort }) => sort));
    const groups = new Map<string, { readonly runs: [number, number][]; readonly words: Uint8Array[] }>();
    for (const view of views) {
      const names = view.flatMap(({ cpu }) => this.names.map((name) => cpu[name.at]));
      for (const image of this.naming.images(names, sorts, cpus)) {
        const named = view.map((part, i) => this.renamed(part, image.slice(i * this.names.length)));
        const runs = running === undefined ? [] : cpus.map((cpu, i): [number, number] => [cpu, named[i].cpu[at]]);
        const word = this.viewWord(cpus, named, runs);
        if (word === undefined) continue;
        const group = groups.get(`${runs}`) ?? { runs, words: [] };
        groups.set(`${runs}`, group);
        group.words.push(word);
      }
    }
    return [...groups.values()].map(({ runs, words }) => ({
      runs,
      latches: cpus.flatMap((cpu, i) =>
        this.viewCells(cpu, runs[i]?.[1]).flatMap((name) => this.cells.get(name) ?? []),
      ),
      words: new DecisionGraph(words),
    }));
  }

  private renamed({ cpu, thread }: CpuValues, image: readonly number[]): CpuValues {
    const values = [...cpu];
    for (const [i, { at }] of this.names.entries()) values[at] = image[i];
    return { cpu: values, thread };
  }

  /**
   * The values of a CPU and its thread, by the names of their latches, in the order of the decision diagram: the last
   * context first, and what the CPU itself has in the end. Of a dozen orders that one has the fewest nodes.
   */
  private viewCells(cpu: number, thread: number | undefined): string[] {
    const ofCpu = this.certificate.cpuCells.map(({ field }) => `${field}[${cpu}]`);
    return thread === undefined ? ofCpu : [...this.threadCellNames(thread), ...ofCpu];
  }

  private threadCellNames(thread: number): string[] {
    const { threadCells, contextCells, contexts } = this.certificate;
    const ofContexts = upTo(contexts)
      .reverse()
      .flatMap((context) => contextCells.map(({ field }) => `${field}[${thread}][${context}]`));
    return [...threadCells.map(({ field }) => `${field}[${thread}]`), ...ofContexts];
  }

  /** undefined where the circuit has no room for a value. */
  private viewWord(
    cpus: readonly number[],
    parts: readonly CpuValues[],
    runs: readonly (readonly [number, number])[],
  ): Uint8Array | undefined {
    const bits: number[] = [];
    for (const [i, { cpu, thread }] of parts.entries()) {
      const values = [...(thread === undefined ? [] : this.threadValues(thread)), ...cpu];
      if (!this.append(bits, this.viewCells(cpus[i], runs[i]?.[1]), values)) return undefined;
    }
    return Uint8Array.from(bits);
  }

  private threadValues({ plain, contexts }: ThreadValues): number[] {
    const closed = this.certificate.contextCells.map(() => 0);
    const ofContexts = upTo(this.certificate.contexts).reverse();
    return [...plain, ...ofContexts.flatMap((context) => contexts[context] ?? closed)];
  }

  private append(bits: number[], names: readonly string[], values: readonly number[]): boolean {
    for (const [i, value] of values.entries()) {
      const width = this.cells.get(names[i])?.length ?? 0;
      if (value >> width > 0) return false;
      for (let bit = 0; bit < width; bit++) bits.push((value >> bit) & 1);
    }
    return true;
  }

  private sleeper(thread: number): Words {
    const { tasks, idle } = this.certificate;
    const names = this.threadCellNames(thread);
    const words = (thread < this.aiger.bounds.tasks ? tasks : idle).flatMap((values) => {
      const bits: number[] = [];
      return this.append(bits, names, this.threadValues(values)) ? [Uint8Array.from(bits)] : [];
    });
    return { latches: names.flatMap((name) => this.cells.get(name) ?? []), words: new DecisionGraph(words) };
  }
}
