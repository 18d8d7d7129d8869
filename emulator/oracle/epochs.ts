/**
 * The same guest on our machine and on another one in epochs: ours runs first, to its next return to user mode or to a
 * random boundary before that; the other machine runs to the same place; then all registers and all of RAM are
 * compared. NMIs and interrupts are raised on both between two epochs. Ours does on the way what QEMU does differently
 * (./qemu-imitation). Only where they differ nevertheless, both go back to the beginning of the epoch and do it in
 * lock-step, which says where, and whether an accepted difference explains it.
 *
 * A guest that halts is woken by an interrupt at the HLT: QEMU's debugger gets no answer from a CPU that sleeps. One
 * that halts for good goes on from where it had booted.
 */
import type { LoadableImage } from '../boot';
import type { Machine } from '../machine';
import { RIP } from '../registers';
import type { Difference } from './accepted-differences';
import { explainDivergence } from './accepted-divergences';
import { readState, registerDifferences, STATE_WORDS } from './architectural-state';
import { bootBoth, checkComparable, checkControls } from './both-machines';
import type { EpochMachine } from './epoch-machine';
import { type Epoch, type EpochOptions, EpochRun, isDeliveredFirst, stepsOf } from './epoch-run';
import { KeptState } from './kept-state';
import { Lockstep } from './lockstep';
import type { LockstepEnd } from './lockstep-result';
import { WholeComparison } from './whole-comparison';

interface EpochCounts {
  steps: number;
  epochs: number;
  /** Epochs in which another CPU ran than in the one before. */
  switches: number;
  /** Epochs that ended at a return to user mode. */
  returns: number;
  /** Delivered ones. */
  nmis: number;
  irqs: number;
  faults: number;
  halts: number;
  /** How often the guest halted for good or shut down, and was begun again. */
  restarts: number;
  /** Epochs that had to be done in lock-step. */
  localised: number;
  /** Accepted differences by name, imitated or repaired. */
  readonly accepted: Map<string, number>;
}

/** The first difference that nothing explains. */
interface EpochEnd {
  readonly step: number;
  /** Where lock-step found it; undefined if the epoch differs, but not in lock-step. */
  readonly found: LockstepEnd | undefined;
  /** At the end of the epoch, where ours imitates QEMU. */
  readonly differences: readonly Difference[];
}

export interface EpochResult {
  readonly counts: EpochCounts;
  readonly end: EpochEnd | undefined;
  readonly machine: Machine;
}

export async function epochs(image: LoadableImage, oracle: EpochMachine, options: EpochOptions): Promise<EpochResult> {
  const counts: EpochCounts = {
    steps: 0,
    epochs: 0,
    switches: 0,
    returns: 0,
    nmis: 0,
    irqs: 0,
    faults: 0,
    halts: 0,
    restarts: 0,
    localised: 0,
    accepted: new Map(),
  };
  for (;;) {
    const run = new Epochs(await bootBoth(image, oracle, options), oracle, options, counts);
    const end = await run.go();
    run.addCounts();
    if (end !== 'stopped') return { counts, end, machine: run.machine };
    counts.restarts++;
    await oracle.restart();
  }
}

class Epochs {
  readonly machine: Machine;
  private readonly run: EpochRun;
  private readonly oracle: EpochMachine;
  private readonly options: EpochOptions;
  private readonly counts: EpochCounts;
  /** The CPU of the last epoch. */
  private cpu = 0;
  private readonly ours = new Int32Array(STATE_WORDS);
  private readonly theirs = new Int32Array(STATE_WORDS);
  private readonly whole: WholeComparison;
  /** Marks: of the epoch under way, and of the last boundary that the other machine could start from. */
  private mark = 0;
  private base = -1;
  /** Steps that had been done at `base`, and the epochs since. */
  private baseSteps = 0;
  private readonly log: Epoch[] = [];
  /** The first state with all CPUs booted that the other machine could be put into. */
  private booted: KeptState | undefined;

  constructor(machine: Machine, oracle: EpochMachine, options: EpochOptions, counts: EpochCounts) {
    this.machine = machine;
    this.oracle = oracle;
    this.options = options;
    this.counts = counts;
    this.run = new EpochRun(machine, options);
    this.whole = new WholeComparison(machine, oracle);
  }

  async go(): Promise<EpochEnd | 'stopped' | undefined> {
    while (this.counts.steps < this.options.steps) {
      this.setMarks();
      const epoch = this.run.run(this.mark);
      const end = epoch === undefined ? 'stopped' : await this.both(epoch);
      if (end === 'stopped') {
        if (this.booted === undefined) return end;
        await this.beginAgain(this.booted);
        continue;
      }
      if (end !== undefined) return end;
      this.machine.release(this.mark);
    }
    return undefined;
  }

  private async both(epoch: Epoch): Promise<EpochEnd | 'stopped' | undefined> {
    const { counts } = this;
    this.log.push(epoch);
    if (epoch.cpu !== this.cpu) counts.switches++;
    this.cpu = epoch.cpu;
    const end = await this.compare(epoch);
    if (end !== undefined) return end;
    counts.steps += stepsOf(epoch);
    counts.epochs++;
    return undefined;
  }

  private async beginAgain(booted: KeptState): Promise<void> {
    this.counts.restarts++;
    this.machine.release(this.base);
    this.base = -1;
    booted.restore();
    this.run.beginAgain();
    await this.oracle.load(this.machine);
  }

  addCounts(): void {
    const { counts } = this;
    const { imitation, returns, halts } = this.run;
    counts.returns += returns;
    counts.halts += halts;
    counts.nmis += imitation.deliveries('nmi');
    counts.irqs += imitation.deliveries('irq');
    counts.faults += imitation.deliveries('fault');
    for (const [name, count] of imitation.accepted()) add(counts.accepted, name, count);
  }

  private setMarks(): void {
    const { machine, oracle, run } = this;
    if (oracle.canLoad(machine)) {
      if (run.hasBooted && !run.isAtHalt) this.booted ??= new KeptState(machine);
      if (this.base >= 0) machine.release(this.base);
      this.base = machine.mark();
      this.baseSteps = this.counts.steps;
      this.log.length = 0;
    }
    this.mark = machine.mark();
  }

  private async compare(epoch: Epoch): Promise<EpochEnd | 'stopped' | undefined> {
    const cpu = this.machine.cpus[epoch.cpu];
    const { undo } = this.machine.memory;
    for (let i = 0; i < undo.top; i += 2) checkComparable(this.oracle, undo.entries[i] * 4);
    checkControls(cpu);
    readState(cpu, this.ours);
    await this.oracle.setChoices(epoch.choices);
    await this.oracle.select(epoch.cpu);
    if (epoch.asleep) await this.oracle.passHalt();
    await this.oracle.runTo(cpu.get64(RIP), epoch.events, this.theirs);
    const found = [
      ...registerDifferences(this.ours, this.theirs),
      ...this.whole.ram(),
      ...(await this.whole.otherCpus(cpu)),
    ];
    return found.length === 0 ? undefined : this.localise(found);
  }

  /**
   * The epoch, and those before it that nothing else can start from, once more: step by step, without imitation. Where
   * the other machine goes another way altogether, and it is known why, the guest cannot go on.
   */
  private async localise(differences: readonly Difference[]): Promise<EpochEnd | 'stopped' | undefined> {
    const { machine, oracle, options, counts, log } = this;
    const { imitation } = this.run;
    const imitated = new Map(imitation.accepted());
    machine.rollback(this.base);
    for (const [name, count] of imitation.accepted()) add(imitated, name, -count);
    counts.localised++;
    await oracle.load(machine);
    const stepping = { ...options, steps: 0, nmiRate: 0, irqRate: 0, switchRate: 0, interval: 1 };
    let steps = 0;
    let choices = log[0].choices;
    const run = new Lockstep(machine, oracle, stepping, (n, port) => (port ? choices.ports[n] : choices.page[n]));
    let found: LockstepEnd | undefined;
    for (const epoch of log) {
      if (found !== undefined) break;
      ({ choices } = epoch);
      await oracle.setChoices(choices);
      await run.select(epoch.cpu);
      const from = steps;
      if (epoch.asleep) await run.passHalt();
      for (const event of epoch.events) {
        await run.raise(event);
        if (event !== 'nmi' || !isDeliveredFirst(epoch)) continue;
        found = await run.go(run.counts.steps + 1);
      }
      steps = from + stepsOf(epoch);
      found ??= await run.go(steps);
    }
    run.leave(imitation);
    this.run.observe();
    this.mark = machine.mark();
    counts.nmis += run.counts.nmis;
    counts.irqs += run.counts.irqs;
    counts.faults += run.counts.faults;
    for (const [name, count] of run.counts.accepted) {
      add(counts.accepted, name, count);
      add(imitated, name, -count);
    }
    const divergence = found && explainDivergence(run.last, found.differences);
    if (divergence !== undefined) {
      add(counts.accepted, divergence.name, 1);
      return 'stopped';
    }
    // If nothing was accepted but what ours had imitated, the difference is one between long and single steps.
    const explained = [...imitated.values()].some((count) => count !== 0);
    if (found === undefined && explained) return undefined;
    return { step: this.baseSteps + run.counts.steps, found, differences };
  }
}

function add(counts: Map<string, number>, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count);
}
