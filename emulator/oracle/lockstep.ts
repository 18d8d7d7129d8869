/**
 * The same guest on our machine and on another one, step by step from the first instruction of its boot code, with NMIs
 * and interrupts raised on both at the same boundaries. After every step all registers are compared and every word of
 * RAM that ours has written; all of RAM and the descriptor-table registers at intervals. A known difference (see
 * ./accepted-differences) is repaired on the other side and counted; any other ends the run.
 *
 * Three things that the other machine cannot be asked for are done for it: the answer of the choice port is copied into
 * the register that read it; HLT is given an interrupt that wakes the CPU, because a debugger gets no answer from a CPU
 * that sleeps; and PAUSE counts as one step with what follows, because QEMU does not stop after it. The same holds of
 * the #DB trap that ends an instruction.
 *
 * Of several CPUs one runs at a time, the same on both sides.
 *
 * A guest that uses a translation which is no longer in its page tables, but may still be in a TLB, cannot be followed:
 * QEMU forgets all translations at every MOV CR3, global ones, too.
 */
import { Mnemonic } from 'iced-x86';
import type { LoadableImage } from '../boot';
import type { Machine } from '../machine';
import { REG } from '../micro-op';
import type { Observer } from '../observer';
import {
  CPL,
  DB_PENDING,
  EFLAGS,
  FLAG_IF,
  GPR_NAMES,
  IN_HLT,
  NMI_PENDING,
  RIP,
  SS,
  SS_SHADOW,
  STI_SHADOW,
} from '../registers';
import { DELIVERED, FAULTED, RETIRED, SHUTDOWN, type StepResult } from '../step-result';
import { hasRequest } from '../system/local-apic';
import { toBigInt } from '../words';
import { type Difference, explain } from './accepted-differences';
import {
  readState,
  registerDifferences,
  registerValue,
  STATE_WORDS,
  type State,
  sameState,
  stateIndex,
} from './architectural-state';
import { bootBoth, checkComparable, checkControls, LockstepError } from './both-machines';
import {
  type LockstepCounts,
  type LockstepEnd,
  type LockstepOptions,
  type LockstepResult,
  newCounts,
} from './lockstep-result';
import { type ObservedCpu, observeCpus, type Step } from './observed-cpu';
import type { OracleMachine } from './oracle-machine';
import { WholeComparison } from './whole-comparison';

const RIP_INDEX = stateIndex('rip');

export async function lockstep(
  image: LoadableImage,
  oracle: OracleMachine,
  options: LockstepOptions,
): Promise<LockstepResult> {
  const machine = await bootBoth(image, oracle, options);
  const { random } = options;
  const run = new Lockstep(machine, oracle, options, (alternatives) => Math.floor(random() * alternatives));
  return { counts: run.counts, end: await run.go(), machine };
}

/** What is kept of each CPU. */
interface Side {
  readonly observed: ObservedCpu;
  readonly theirs: State;
  inUserMode: boolean;
}

/** Two machines that are in the same state, before the first step, with CPU 0 selected. */
export class Lockstep {
  readonly machine: Machine;
  readonly counts: LockstepCounts = newCounts();
  private readonly oracle: OracleMachine;
  private readonly options: LockstepOptions;
  private readonly sides: readonly Side[];
  /** Of the CPU that runs. */
  private side: Side;
  private readonly ours = new Int32Array(STATE_WORDS);
  private readonly previous = new Int32Array(STATE_WORDS);
  private readonly whole: WholeComparison;
  private readonly page = Buffer.alloc(4096);
  private readonly loaded: boolean;
  /** The step after which all RAM was equal last. */
  private wholeEqual = 0;
  private chose = false;
  private until = 0;

  /**
   * `choose` answers the choices of the guest, and is told whether it asks a port. `loaded`: the other machine has been
   * put into all of our state, and has not just been booted.
   */
  constructor(
    machine: Machine,
    oracle: OracleMachine,
    options: LockstepOptions,
    choose: (alternatives: number, port: boolean) => number,
    loaded = false,
  ) {
    this.loaded = loaded;
    this.oracle = oracle;
    this.options = options;
    this.machine = machine;
    this.sides = observeCpus(machine).map((observed) => {
      const theirs = new Int32Array(STATE_WORDS);
      readState(observed.cpu, theirs);
      return { observed, theirs, inUserMode: false };
    });
    [this.side] = this.sides;
    this.whole = new WholeComparison(machine, oracle);
    machine.choose = (_cpu, alternatives) => {
      this.chose = true;
      return choose(alternatives, this.observed.op?.mnemonic === Mnemonic.In);
    };
  }

  private get observed(): ObservedCpu {
    return this.side.observed;
  }

  private get theirs(): State {
    return this.side.theirs;
  }

  /** The step that was done last. */
  get last(): Step {
    return this.observed;
  }

  /** Until so many steps have been done in all. */
  async go(steps = this.options.steps): Promise<LockstepEnd | undefined> {
    this.until = steps;
    while (this.counts.steps < steps) {
      if (!this.loaded) await this.drawNext();
      this.observed.written.clear();
      const end = (await this.both()) ?? (await this.compare());
      if (end !== undefined) return end;
    }
    return undefined;
  }

  /** From now on this CPU runs. */
  async select(cpu: number): Promise<void> {
    if (this.side === this.sides[cpu]) return;
    this.side = this.sides[cpu];
    this.counts.switches++;
    await this.oracle.select(cpu);
  }

  /** Ends it: the machine gets another observer. */
  leave(observer: Observer): void {
    this.observed.leave(observer);
  }

  /** Both execute a HLT that is not in the shadow of STI, the other one by moving its RIP, and sleep. */
  async passHalt(): Promise<void> {
    this.stepOurs();
    await this.moveRip();
  }

  /** On both sides. */
  async raise(event: 'nmi' | number): Promise<void> {
    if (event !== 'nmi') return this.raiseIrq(event);
    this.machine.raiseNmi(this.observed.cpu.index);
    await this.oracle.raiseNmi();
  }

  /** At random: which CPU runs, and what is raised on it. */
  private async drawNext(): Promise<void> {
    const { sides } = this;
    const { random, switchRate } = this.options;
    if (sides.length > 1 && sides[0].inUserMode && random() < switchRate)
      await this.select(Math.floor(random() * sides.length));
    if (this.side.inUserMode) await this.raiseEvents();
  }

  private async raiseEvents(): Promise<void> {
    const { random, nmiRate, irqRate, vectors } = this.options;
    const dice = random();
    if (dice < nmiRate) await this.raise('nmi');
    else if (dice < nmiRate + irqRate) await this.raise(vectors[Math.floor(random() * vectors.length)]);
  }

  private async raiseIrq(vector: number): Promise<void> {
    this.machine.raiseIrq(this.observed.cpu.index, vector);
    await this.oracle.raiseIrq(vector);
  }

  /** One step on both sides. */
  private async both(): Promise<LockstepEnd | undefined> {
    const { observed } = this;
    this.chose = false;
    let result = this.stepOurs();
    while (result === RETIRED && observed.op?.mnemonic === Mnemonic.Pause) result = this.stepOurs();
    if (result === RETIRED && observed.cpu.r[DB_PENDING] !== 0 && observed.cpu.r[SS_SHADOW] === 0) {
      this.counts.steps++;
      result = observed.takeTrap();
    }
    checkControls(observed.cpu);
    if (result === SHUTDOWN) return this.end('shutdown', []);
    if (observed.cpu.r[IN_HLT] !== 0) return this.halt();
    readState(observed.cpu, this.ours);
    await this.stepOracle();
    if (this.chose) await this.copyChoice();
    if (!this.side.inUserMode && observed.cpu.r[CPL] === 3) {
      this.side.inUserMode = true;
      if (observed.cpu.index === 0) this.counts.boot = this.counts.steps;
    }
    return undefined;
  }

  private stepOurs(): StepResult {
    const { counts, observed } = this;
    const result = observed.step();
    counts.steps++;
    if (result === FAULTED) counts.faults++;
    if (result === DELIVERED && observed.delivered?.source === 'nmi') counts.nmis++;
    if (result === DELIVERED && observed.delivered?.source === 'irq') counts.irqs++;
    return result;
  }

  /** A step in which the other machine did nothing (it looked at its APIC) is done once more. */
  private async stepOracle(): Promise<void> {
    this.previous.set(this.theirs);
    await this.oracle.step(this.theirs);
    if (sameState(this.theirs, this.previous) && !sameState(this.ours, this.previous))
      await this.oracle.step(this.theirs);
  }

  /**
   * Ours has executed HLT. An interrupt wakes both. In the shadow of STI the other machine executes HLT, too, and takes
   * the interrupt within the same step; elsewhere it would take the interrupt before, so its RIP is moved.
   */
  private async halt(): Promise<LockstepEnd | undefined> {
    const { observed, options } = this;
    const r = observed.cpu.r;
    this.counts.halts++;
    if ((r[EFLAGS] & FLAG_IF) === 0 && r[NMI_PENDING] === 0) return this.end('halted', []);
    const shadow = observed.before[STI_SHADOW] !== 0;
    if (!hasRequest(r) && r[NMI_PENDING] === 0) await this.raiseIrq(options.vectors[0]);
    if (!shadow) await this.moveRip();
    this.stepOurs();
    if (r[IN_HLT] !== 0) return this.end('halted', []);
    readState(observed.cpu, this.ours);
    await this.stepOracle();
    return undefined;
  }

  private async moveRip(): Promise<void> {
    const { r } = this.observed.cpu;
    await this.oracle.writeRegister('rip', toBigInt(r[RIP], r[RIP + 1]));
    this.theirs[RIP_INDEX] = r[RIP];
    this.theirs[RIP_INDEX + 1] = r[RIP + 1];
  }

  private async copyChoice(): Promise<void> {
    const { op } = this.observed;
    if (op === undefined || op.dKind !== REG)
      throw new LockstepError('a choice was read into memory: expected an instruction that reads it into a register');
    const name = GPR_NAMES[op.d >> 1];
    const index = stateIndex(name);
    await this.oracle.writeRegister(name, registerValue(this.ours, index));
    this.theirs[index] = this.ours[index];
    this.theirs[index + 1] = this.ours[index + 1];
  }

  private async compare(): Promise<LockstepEnd | undefined> {
    const unexplained: Difference[] = [];
    for (const difference of [...registerDifferences(this.ours, this.theirs), ...this.storeDifferences()]) {
      const accepted = explain(this.observed, difference);
      if (accepted === undefined) unexplained.push(difference);
      else {
        this.counts.accepted.set(accepted.name, (this.counts.accepted.get(accepted.name) ?? 0) + 1);
        await this.repair(difference);
      }
    }
    if (unexplained.length > 0) return this.end('difference', unexplained);
    const { steps } = this.counts;
    if (steps < this.until && steps < this.wholeEqual + this.options.interval) return undefined;
    const late = await this.wholeDifferences();
    if (late.length > 0) return this.end('difference', late, this.wholeEqual);
    this.wholeEqual = steps;
    return undefined;
  }

  private storeDifferences(): Difference[] {
    const differences: Difference[] = [];
    let loaded = -1;
    for (const word of this.observed.written) {
      const pa = word * 4;
      checkComparable(this.oracle, pa + 3);
      const page = pa & -4096;
      if (page !== loaded) this.oracle.readMemory(page, this.page);
      loaded = page;
      const ours = this.machine.memory.words[word];
      const theirs = this.page.readInt32LE(pa & 0xfff);
      if (ours !== theirs) differences.push({ kind: 'memory', pa, ours, theirs });
    }
    return differences;
  }

  private async wholeDifferences(): Promise<Difference[]> {
    this.counts.wholeComparisons++;
    const { whole, side, loaded } = this;
    const { cpu } = side.observed;
    return [
      ...whole.ram(),
      ...(await whole.otherCpus(cpu)),
      // What a CPU has in them before the guest loads them is not part of the boot protocol.
      ...(side.inUserMode || loaded ? await whole.tables(cpu) : []),
    ];
  }

  /** Gives the other side our value; of SS, ours that of the other side. */
  private async repair(difference: Difference): Promise<void> {
    if (difference.kind === 'memory') return this.oracle.writeWord(difference.pa, difference.ours);
    // QEMU's debugger would load a descriptor and its privilege level: ours takes the other value.
    if (difference.name === 'ss') {
      this.observed.cpu.r[SS] = Number(difference.theirs);
      return;
    }
    const index = stateIndex(difference.name);
    this.theirs[index] = this.ours[index];
    this.theirs[index + 1] = this.ours[index + 1];
    await this.oracle.writeRegister(difference.name, difference.ours);
  }

  private end(
    reason: LockstepEnd['reason'],
    differences: readonly Difference[],
    equalAfter = this.counts.steps - 1,
  ): LockstepEnd {
    const { delivered } = this.observed;
    const event = delivered === undefined ? '' : `${delivered.source} ${delivered.vector}`;
    return { reason, step: this.counts.steps, equalAfter, ...this.observed.from, event, differences };
  }
}
