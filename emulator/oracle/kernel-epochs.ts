/**
 * A booted Linux kernel on one CPU, on our machine and on QEMU, in epochs (see ./epochs): to the next return to user
 * mode, or to a random boundary before it, and then all registers and all memory that ours has written are compared;
 * all of RAM at intervals. Events are raised on both between two epochs.
 *
 * What belongs to the board or to a processor that QEMU is not (time-stamp counter, CPUID, ports, most MSRs, the FPU)
 * is executed by ours alone: the epoch ends before such an instruction, and QEMU is given what it has changed. So are
 * the faults that QEMU does not raise, delivery included. No epoch ends where the manual leaves status flags undefined.
 */
import { Mnemonic } from 'iced-x86';
import type { Cpu } from '../cpu/cpu';
import type { Machine } from '../machine';
import { type MicroOp, WITHOUT_EXECUTING } from '../micro-op';
import type { Fault } from '../observer';
import { CPL, EFLAGS, FLAG_AF, FLAG_IF, IN_HLT, NMI_BLOCKED, RCX, RIP } from '../registers';
import { HALTED, SHUTDOWN } from '../step-result';
import type { Difference } from './accepted-differences';
import { readState, registerDifferences, registerValue, STATE_NAMES, STATE_WORDS } from './architectural-state';
import type { EpochMachine, OracleEvent } from './epoch-machine';
import { canFetch, isHeld } from './epoch-run';
import { divergenceOf } from './faults-of-ours';
import { QemuImitation } from './qemu-imitation';
import { undefinedFlags } from './undefined-flags';

/** Vector of Linux's local timer. */
const TIMER = 0xec;
/** Epochs between two comparisons of all RAM. */
const WHOLE = 1000;
/** A PC has video memory and ROM from here to 1 MiB. */
const LOW = 0xa0000;

const PAGE = 4096;
const M = Mnemonic;
/** Of the board, or of what the processors do not have in common. */
const OURS_ALONE = new Set<Mnemonic>([
  M.Rdtsc,
  M.Rdtscp,
  M.Cpuid,
  M.In,
  M.Out,
  M.Rdpid,
  M.Xgetbv,
  M.Ldmxcsr,
  M.Stmxcsr,
  // BSF on a processor without BMI1, which is ours: ZF has another meaning (SDM vol. 2, TZCNT).
  M.Tzcnt,
  M.Wait,
]);
/** They write all status flags. */
const DEFINES_FLAGS = new Set<Mnemonic>([
  M.Add,
  M.Adc,
  M.And,
  M.Cmp,
  M.Neg,
  M.Or,
  M.Popfq,
  M.Sbb,
  M.Sub,
  M.Test,
  M.Xor,
]);
/** MSRs that both have. */
const COMMON_MSRS = new Set([
  0xc0000080, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102,
]);

interface KernelEpochOptions {
  readonly steps: number;
  readonly random: () => number;
  /** Mean number of steps of an epoch that does not return to user mode before. */
  readonly length: number;
  /** Events between two epochs, each with this probability. */
  readonly nmiRate: number;
  readonly irqRate: number;
}

interface KernelEpochCounts {
  steps: number;
  /** Of them, those of ours alone. */
  alone: number;
  epochs: number;
  returns: number;
  halts: number;
  wholeComparisons: number;
}

class Imitation extends QemuImitation {
  /** An instruction of ours alone has begun, or has raised a fault that QEMU does not raise. */
  barrier = false;
  /** Why it was executed by ours alone, if that was a fault. */
  divergence: string | undefined;
  /** The manual leaves status flags undefined now (./undefined-flags): QEMU may have others. */
  flagsUndefined = false;

  /** The instruction that began last. */
  private op: MicroOp | undefined;

  override unobserved(op: MicroOp): number {
    return super.unobserved(op) & ~WITHOUT_EXECUTING;
  }

  override executing(cpu: Cpu, op: MicroOp): void {
    this.op = op;
    const msr = op.mnemonic === M.Rdmsr || op.mnemonic === M.Wrmsr;
    if (isOursAlone(op) && !(msr && COMMON_MSRS.has(cpu.r[RCX] >>> 0))) this.barrier = true;
    // In AF the two agree wherever a kernel leaves it undefined.
    if ((undefinedFlags(op, cpu.r) & ~FLAG_AF) !== 0) this.flagsUndefined = true;
    else if (DEFINES_FLAGS.has(op.mnemonic)) this.flagsUndefined = false;
    super.executing(cpu, op);
  }

  override faulted(cpu: Cpu, fault: Fault): void {
    const { op } = this;
    if (op === undefined || op.va !== cpu.rip()) return;
    this.divergence = divergenceOf(op, fault);
    if (this.divergence !== undefined) this.barrier = true;
  }
}

function isOursAlone(op: MicroOp): boolean {
  if (OURS_ALONE.has(op.mnemonic) || op.mnemonic === M.Rdmsr || op.mnemonic === M.Wrmsr) return true;
  return Mnemonic[op.mnemonic].startsWith('F');
}

export class KernelEpochs {
  readonly counts: KernelEpochCounts = { steps: 0, alone: 0, epochs: 0, returns: 0, halts: 0, wholeComparisons: 0 };
  /** How often ours alone raised a fault that QEMU does not raise, by the row of ./accepted-divergences. */
  readonly divergences = new Map<string, number>();
  readonly imitation: Imitation;
  private readonly machine: Machine;
  private readonly oracle: EpochMachine;
  private readonly options: KernelEpochOptions;
  private readonly ours = new Int32Array(STATE_WORDS);
  private readonly theirs = new Int32Array(STATE_WORDS);
  private readonly reached = new Set<number>();
  /** The next instruction is a HLT, and nothing would wake the CPU. */
  private atHalt = false;
  /** Ours has gone further than the end of the epoch. */
  private wentOn = false;

  /** The machine has one CPU, at a boundary that QEMU can be loaded with. */
  constructor(machine: Machine, oracle: EpochMachine, options: KernelEpochOptions) {
    this.machine = machine;
    this.oracle = oracle;
    this.options = options;
    this.imitation = new Imitation(machine);
    machine.observer = this.imitation;
  }

  /** The first differences that nothing explains, or undefined when all steps are done. */
  async go(): Promise<readonly Difference[] | undefined> {
    await this.oracle.load(this.machine);
    readState(this.machine.cpus[0], this.theirs);
    const { counts } = this;
    while (counts.steps < this.options.steps) {
      const mark = this.machine.mark();
      const found = await this.epoch(mark);
      this.machine.release(mark);
      if (found.length > 0) return found;
      if (counts.epochs % WHOLE !== 0) continue;
      const late = this.compareAll();
      if (late.length > 0) return late;
    }
    const late = this.compareAll();
    return late.length > 0 ? late : undefined;
  }

  private async epoch(mark: number): Promise<Difference[]> {
    const { machine, counts } = this;
    const [cpu] = machine.cpus;
    const asleep = this.atHalt && !isHeld(cpu);
    const events = this.drawEvents();
    this.begin(events, asleep);
    const steps = this.runOurs();
    if (steps === 0) {
      machine.rollback(mark);
      return this.atHalt ? [] : this.alone();
    }
    if (this.wentOn) {
      machine.rollback(mark);
      this.begin(events, asleep);
      for (let n = 0; n < steps; n++) machine.step(0);
    }
    counts.steps += steps;
    counts.epochs++;
    if (asleep) await this.oracle.passHalt();
    await this.oracle.runTo(cpu.get64(RIP), events, this.theirs);
    readState(cpu, this.ours);
    return [...registerDifferences(this.ours, this.theirs), ...this.wordDifferences()];
  }

  private drawEvents(): OracleEvent[] {
    const { random, nmiRate, irqRate } = this.options;
    const { r } = this.machine.cpus[0];
    if (this.atHalt) return [TIMER];
    const dice = random();
    if (!canFetch(this.machine, this.machine.cpus[0])) return [];
    if (dice < irqRate && (r[EFLAGS] & FLAG_IF) !== 0) return [TIMER];
    return dice >= irqRate && dice < irqRate + nmiRate && r[NMI_BLOCKED] === 0 ? ['nmi'] : [];
  }

  /** `asleep`: the HLT that is next has been executed when the events come. */
  private begin(events: readonly OracleEvent[], asleep: boolean): void {
    if (asleep) this.machine.step(0);
    for (const event of events) {
      if (event === 'nmi') this.machine.raiseNmi(0);
      else this.machine.raiseIrq(0, event);
    }
  }

  /** How many steps the epoch has; 0: it begins with what ours does alone, or with a HLT. */
  private runOurs(): number {
    const { machine, reached, options, imitation, counts } = this;
    const [cpu] = machine.cpus;
    const { r } = cpu;
    const length = 1 + Math.floor(options.random() * 2 * options.length);
    let cpl = r[CPL];
    let possible = 0;
    /** The last instruction that was reached for the first time. */
    let latest = 0;
    reached.clear();
    imitation.barrier = false;
    this.atHalt = false;
    this.wentOn = false;
    for (let n = 0; ; n++) {
      const va = cpu.rip();
      const held = isHeld(cpu);
      const isNew = n > 0 && r[IN_HLT] === 0 && !reached.has(va);
      if (isNew) latest = n;
      if (isNew && !held && !imitation.flagsUndefined) {
        possible = n;
        if (cpl !== 3 && r[CPL] === 3) {
          counts.returns++;
          return n;
        }
        if (n >= length) return n;
      }
      if (!held) cpl = r[CPL];
      reached.add(va);
      const result = machine.step(0);
      if (result === SHUTDOWN) throw new Error('expected a kernel that runs, found a shutdown');
      this.wentOn = imitation.barrier || result === HALTED;
      if (imitation.barrier) return possible;
      if (result !== HALTED) continue;
      // The HLT was the step before.
      this.atHalt = n > 0 && latest === n - 1;
      if ((r[EFLAGS] & FLAG_IF) === 0 || (!this.atHalt && possible === 0))
        throw new Error('expected a HLT that an interrupt ends, found another');
      if (!this.atHalt) return possible;
      counts.halts++;
      return latest;
    }
  }

  /** The next instruction on our machine, and what it has changed on the other one. */
  private async alone(): Promise<Difference[]> {
    const { machine, oracle, counts, imitation } = this;
    const [cpu] = machine.cpus;
    const { undo } = machine.memory;
    const from = undo.top;
    readState(cpu, this.ours);
    const before = this.ours.slice();
    do {
      imitation.barrier = false;
      imitation.divergence = undefined;
      machine.step(0);
      counts.steps++;
      counts.alone++;
    } while (!imitation.barrier);
    const { divergence } = imitation;
    if (divergence !== undefined) this.divergences.set(divergence, (this.divergences.get(divergence) ?? 0) + 1);
    readState(cpu, this.ours);
    for (const [i, name] of STATE_NAMES.entries()) {
      const value = registerValue(this.ours, 2 * i);
      if (name !== 'cpl' && value !== registerValue(before, 2 * i)) await oracle.writeRegister(name, value);
    }
    for (let i = from; i < undo.top; i += 2)
      if (undo.entries[i] >= 0) oracle.writeWord(undo.entries[i] * 4, machine.memory.words[undo.entries[i]]);
    this.theirs.set(this.ours);
    return [];
  }

  /** In the words that ours has written in the epoch. */
  private wordDifferences(): Difference[] {
    const { undo, words } = this.machine.memory;
    const written = new Set<number>();
    for (let i = 0; i < undo.top; i += 2) if (undo.entries[i] >= 0) written.add(undo.entries[i]);
    const differences: Difference[] = [];
    const page = Buffer.alloc(PAGE);
    let loaded = -1;
    for (const word of [...written].sort((a, b) => a - b)) {
      const pa = word * 4;
      if ((pa & -PAGE) !== loaded) this.oracle.readMemory(pa & -PAGE, page);
      loaded = pa & -PAGE;
      const theirs = page.readInt32LE(pa & (PAGE - 1));
      if (words[word] !== theirs) differences.push({ kind: 'memory', pa, ours: words[word], theirs });
    }
    return differences;
  }

  private compareAll(): Difference[] {
    this.counts.wholeComparisons++;
    const { words, size } = this.machine.memory;
    const ours = Buffer.from(words.buffer, words.byteOffset, words.byteLength);
    const theirs = Buffer.alloc(1 << 20);
    const differences: Difference[] = [];
    for (let at = 0; at < size; at += theirs.length) {
      this.oracle.readMemory(at, theirs);
      const end = at === 0 ? LOW : theirs.length;
      if (ours.compare(theirs, 0, end, at, at + end) === 0) continue;
      for (let i = 0; i < end; i += 4) {
        const mine = words[(at + i) >>> 2];
        if (mine !== theirs.readInt32LE(i))
          differences.push({ kind: 'memory', pa: at + i, ours: mine, theirs: theirs.readInt32LE(i) });
      }
    }
    return differences;
  }
}
