/**
 * Scenes on Bochs, the vectors of the conformance corpus above all. Its debugger stops after an instruction only, so an
 * NMI or an interrupt is one step with the first instruction of its handler; ours goes on to the end of that one, too.
 * A fault and a #DB trap are steps on both.
 */
import type { Machine } from '../../machine';
import { HALTED } from '../../step-result';
import { UnimplementedError } from '../../unimplemented';
import type { Difference } from '../accepted-differences';
import { ObservedCpu } from '../observed-cpu';
import { OtherState } from '../other-state';
import {
  loadScene,
  type Registers,
  raiseEvents,
  registersOf,
  SCENE_BYTES,
  type Scene,
  type SceneEvent,
  sceneMachine,
} from '../scenes/scene';
import {
  EVENT_PLACES,
  placesOf,
  REGISTER_PLACES,
  raised,
  registersIn,
  sceneCpu,
  unpagedCpu,
  wakingCpu,
} from './bochs-cpu';
import { type AcceptedMemory, BOCHS_DIVERGENCES, BOCHS_MEMORY, BOCHS_REGISTERS } from './bochs-differences';
import type { Bochs } from './bochs-process';

/** Physical addresses beyond the RAM of scenes: code for Bochs alone, and a list of addresses. */
const WAKE = SCENE_BYTES,
  REWRITE = SCENE_BYTES + 0x10,
  LIST = SCENE_BYTES + 0x1000;
const STI = 0xfb;
/** 32-bit code that stores words as they are: `lodsl; mov (%eax),%ecx; mov %ecx,(%eax); jmp` to the first. */
const REWRITING = [0x89088bad, 0x00f9eb08];
const INSTRUCTIONS = 4;
/** Bochs notices stores to code by such pieces of memory, in bytes. */
const PIECE = 128;
/** Places that the waking changes: how many instructions there were, and up to which one a shadow lasts. */
const COUNTERS = ['icount', 'inhibit_icount'];

type End = 'done' | 'diverged' | 'cut' | 'stopped' | 'refused';

interface BochsOutcome {
  /** What nothing explains. */
  readonly differences: readonly Difference[];
  /** Names of the rows that explain the others. */
  readonly accepted: ReadonlySet<string>;
  /**
   * `cut`: an event would have to come between a delivery and the first instruction of its handler. `stopped`: ours is
   * in a shutdown or a HLT. `refused`: an instruction, or a form of one, that ours does not have. Nothing after that is
   * compared.
   */
  readonly end: End;
}

export class BochsReplay {
  private readonly bochs: Bochs;
  private readonly machine: Machine = sceneMachine();
  private readonly observed = new ObservedCpu(this.machine);
  /** What Bochs has in the RAM of scenes. */
  private theirs = new Int32Array(SCENE_BYTES / 4);
  private accepted = new Set<string>();
  private explanations: { name: string; explains: ReturnType<AcceptedMemory['after']> }[] = [];

  private constructor(bochs: Bochs) {
    this.bochs = bochs;
  }

  /** Readies a Bochs that has executed nothing. */
  static on(bochs: Bochs): BochsReplay {
    bochs.writeWords([[WAKE, STI], ...REWRITING.map((word, i): [number, number] => [REWRITE + 4 * i, word])]);
    return new BochsReplay(bochs);
  }

  /** What differs between ours and Bochs in a scene. */
  async run(scene: Scene): Promise<BochsOutcome> {
    const { bochs, machine } = this;
    loadScene(machine, scene);
    this.loadMemory();
    bochs.setCpu(sceneCpu(scene.registers));
    this.accepted = new Set();
    this.explanations = [];
    const end = await this.go(scene);
    bochs.setCpu(unpagedCpu());
    const bytes = await bochs.read(SCENE_BYTES);
    this.theirs = new Int32Array(bytes.buffer, bytes.byteOffset, SCENE_BYTES / 4).slice();
    const { accepted } = this;
    if (typeof end !== 'string') return { differences: end, accepted, end: 'done' };
    return { differences: end === 'done' ? this.memoryDifferences() : [], accepted, end };
  }

  private async go({ events, steps }: Scene): Promise<readonly Difference[] | End> {
    const { bochs, machine, observed } = this;
    let joined = false;
    for (let step = 0; step < steps || joined; step++) {
      const now = events.filter((event) => event.step === step);
      if (joined && now.length > 0) return 'cut';
      raiseEvents(machine, now, step);
      for (const { raise } of now) await this.raise(raise);
      const stop = this.stepOurs();
      if (stop !== undefined) return stop;
      const source = observed.delivered?.source;
      joined = source === 'nmi' || source === 'irq';
      if (joined) continue;
      bochs.step();
      const found = await this.judge();
      if (found === 'diverged' || found.length > 0) return found;
    }
    return 'done';
  }

  private stepOurs(): 'stopped' | 'refused' | undefined {
    try {
      return this.observed.step() >= HALTED ? 'stopped' : undefined;
    } catch (error) {
      if (error instanceof UnimplementedError) return 'refused';
      throw error;
    }
  }

  /** Registers after a step, which become ours if all differences are known; and what memory may have at the end. */
  private async judge(): Promise<readonly Difference[] | 'diverged'> {
    const { observed, accepted, explanations } = this;
    for (const { name, after } of BOCHS_MEMORY) explanations.push({ name, explains: after(observed) });
    const differences = this.registerDifferences(registersIn(await this.bochs.cpu(REGISTER_PLACES)));
    if (differences.length === 0) return [];
    const names = differences.map((found) => BOCHS_REGISTERS.find(({ explains }) => explains(observed, found))?.name);
    if (names.every((name) => name !== undefined)) {
      for (const name of names) accepted.add(name);
      this.bochs.setCpu(placesOf(differences.map(({ name, ours }) => [name, ours])));
      return [];
    }
    const other = new OtherState(observed, differences);
    const divergence = BOCHS_DIVERGENCES.find(({ explains }) => explains(observed, other));
    if (divergence === undefined) return differences;
    accepted.add(divergence.name);
    return 'diverged';
  }

  private async raise(event: SceneEvent['raise']): Promise<void> {
    const { bochs } = this;
    const waking = wakingCpu(WAKE);
    const before = await bochs.cpu([...new Set([...waking.keys(), ...EVENT_PLACES, ...COUNTERS])]);
    bochs.setCpu(waking);
    bochs.step();
    bochs.setCpu(new Map([...before, ...raised(before, event)]));
  }

  /** Bochs has the memory of ours, and no decoded instructions of what was there before. */
  private loadMemory(): void {
    const { theirs, bochs } = this;
    const { words } = this.machine.memory;
    const changed: [number, number][] = [];
    for (let i = 0; i < theirs.length; i++) if (theirs[i] !== words[i]) changed.push([4 * i, words[i]]);
    const pieces = [...new Set(changed.map(([pa]) => pa & -PIECE))];
    bochs.writeWords([...changed, ...pieces.map((pa, i): [number, number] => [LIST + 4 * i, pa])]);
    bochs.setCpu(new Map([...unpagedCpu(), ['RIP', `${REWRITE}`], ['RSI', `${LIST}`]]));
    bochs.step(INSTRUCTIONS * pieces.length);
  }

  private registerDifferences(theirs: Registers): Extract<Difference, { kind: 'register' }>[] {
    return [...registersOf(this.machine.cpus[0])]
      .map(([name, ours]) => ({ kind: 'register' as const, name, ours, theirs: theirs.get(name) as bigint }))
      .filter((difference) => difference.ours !== difference.theirs);
  }

  private memoryDifferences(): Difference[] {
    const { theirs, explanations, accepted } = this;
    const { words } = this.machine.memory;
    const differences: Difference[] = [];
    for (let i = 0; i < theirs.length; i++) {
      if (theirs[i] === words[i]) continue;
      const difference = { kind: 'memory' as const, pa: 4 * i, ours: words[i], theirs: theirs[i] };
      const known = explanations.find(({ explains }) => explains?.(difference));
      if (known === undefined) differences.push(difference);
      else accepted.add(known.name);
    }
    return differences;
  }
}
