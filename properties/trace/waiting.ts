/**
 * Which CPUs wait, and whether another one can end that. A CPU waits when it is halted or repeats its state; it goes on
 * as soon as somebody writes to memory, or moves in the abstract machine.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { fetchOp } from '../../emulator/fetch';
import type { Machine } from '../../emulator/machine';
import { OP_CONTROL, OP_MEM_READ, OP_STACK } from '../../emulator/micro-op';
import { CPL, EFLAGS, FLAG_IF, IN_HLT, NMI_BLOCKED, NMI_PENDING } from '../../emulator/registers';
import { deliverableVector } from '../../emulator/system/local-apic';
import type { Guest } from '../monitor/guest';
import { ENTRY_TERMINATES } from '../safety/entry-terminates';
import { NO_DEADLOCK } from '../safety/no-deadlock';

/**
 * A CPU that changes nothing is compared with itself every so many instructions: a multiple of the length of every
 * short loop.
 */
export const SPIN_SAMPLE = 60;

/** Instructions in a loop by which something from outside may be seen. */
const READS = OP_MEM_READ | OP_STACK | OP_CONTROL;

const NOT_WAITING = -1;

/**
 * Notices that a CPU goes round in a circle: samples of hashes of its state, compared with a reference that moves at
 * powers of two (Brent's cycle detection). The hash of the TLB costs most and is asked for last.
 */
export class SpinDetector {
  private registers: number | undefined;
  private memory: number | undefined;
  private tlb: number | undefined;
  private samples = 0;
  private moveAt = 1;

  /** The state of the CPU, memory included, is that of the reference. */
  repeats(machine: Machine, c: number): boolean {
    const registers = machine.registersHash(c);
    const memory = machine.memoryHash();
    if (registers === this.registers && memory === this.memory && machine.tlbHash(c) === this.tlb) return true;
    if (++this.samples === this.moveAt) {
      this.registers = registers;
      this.memory = memory;
      this.tlb = machine.tlbHash(c);
      this.moveAt *= 2;
    }
    return false;
  }
}

export class Waiting {
  private readonly guest: Guest;
  /** Hash of memory when each CPU was found to wait; -1: it does not wait. */
  private readonly memory: number[];

  constructor(guest: Guest) {
    this.guest = guest;
    this.memory = guest.machine.cpus.map(() => NOT_WAITING);
  }

  /** The CPU has been found to wait, and nobody has written to memory since. */
  waits(c: number): boolean {
    return this.memory[c] === this.guest.machine.memoryHash();
  }

  /** The CPU has been found to wait, and has not moved since; memory may have changed. */
  hasWaited(c: number): boolean {
    return this.memory[c] !== NOT_WAITING;
  }

  /** From now on the CPU waits. */
  begin(c: number): void {
    this.memory[c] = this.guest.machine.memoryHash();
  }

  /** A change of one CPU wakes whoever waits for it. */
  wakeOthers(c: number): void {
    for (let k = 0; k < this.memory.length; k++) if (k !== c) this.memory[k] = NOT_WAITING;
  }

  wakeAll(): void {
    this.memory.fill(NOT_WAITING);
  }

  /** Who waits, for `restore`. */
  save(): readonly number[] {
    return [...this.memory];
  }

  restore(saved: readonly number[]): void {
    for (let c = 0; c < saved.length; c++) this.memory[c] = saved[c];
  }

  /**
   * Reports a CPU that repeats its state and can never get out; false where it may. It waits for another CPU, or for an
   * interrupt if it takes one. A loop that reads nothing waits for nobody (L1). Otherwise it never gets out if no other
   * CPU can help: if none waits in the kernel nobody ever will (L1), else they wait for each other (L5).
   */
  reportStuck(c: number): boolean {
    const { machine, monitor } = this.guest;
    const cpu = machine.cpus[c];
    if (cpu.r[CPL] !== 0 || takesInterrupts(cpu)) return false;
    if (!this.readsInLoop(cpu)) {
      monitor.report(
        ENTRY_TERMINATES.number,
        cpu,
        'expected the entry to return, the CPU repeats its state and reads nothing meanwhile',
      );
      return true;
    }
    const others = machine.cpus.filter((other) => other !== cpu);
    if (others.some((other) => this.canHelp(other))) return false;
    const waiting = others.filter((other) => inKernel(other)).map((other) => `CPU ${other.index}`);
    if (waiting.length === 0)
      monitor.report(
        ENTRY_TERMINATES.number,
        cpu,
        'expected the entry to return, the CPU repeats its state and no other CPU is in the kernel or about to enter it',
      );
    else
      monitor.report(
        NO_DEADLOCK.number,
        cpu,
        `expected a CPU that goes on, CPU ${c} and ${waiting.join(', ')} repeat their states with IF=0, each waiting for another`,
      );
    return true;
  }

  /** Some instruction of the loop that the CPU goes round in reads memory or a port: it can be told to stop. */
  private readsInLoop(cpu: Cpu): boolean {
    const { machine } = this.guest;
    for (let i = 0; i < SPIN_SAMPLE; i++) {
      const op = fetchOp(cpu);
      if (op === undefined || (op.flags & READS) !== 0) return true;
      machine.step(cpu.index);
    }
    return false;
  }

  /**
   * A CPU may do what another one waits for: it runs kernel code and does not wait itself, or an event that is pending
   * takes it into the kernel, or it waits with IF=1, and an interrupt may come.
   */
  private canHelp(cpu: Cpu): boolean {
    const { r } = cpu;
    if (r[NMI_PENDING] === 1 && r[NMI_BLOCKED] === 0) return true;
    if (takesInterrupts(cpu) && deliverableVector(r) >= 0) return true;
    return inKernel(cpu) && (!this.waits(cpu.index) || takesInterrupts(cpu));
  }
}

/** Neither in user mode nor halted. */
function inKernel({ r }: Cpu): boolean {
  return r[CPL] === 0 && r[IN_HLT] === 0;
}

function takesInterrupts({ r }: Cpu): boolean {
  return (r[EFLAGS] & FLAG_IF) !== 0;
}
