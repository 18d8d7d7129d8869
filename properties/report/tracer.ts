/**
 * Watches a machine in place of its monitor, and lets the monitor see everything: which instruction or event ended a
 * step, and what the guest read from its choice port. Only narration pays for it; campaigns run with the monitor alone.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import type { Machine } from '../../emulator/machine';
import type { MicroOp } from '../../emulator/micro-op';
import type { Delivery, Fault, Observer } from '../../emulator/observer';

/** One answer of the choice port. */
export interface ChoiceRead {
  readonly va: number;
  readonly choice: number;
  readonly alternatives: number;
}

/** How a CPU got to the boundary where a step ended. */
export interface Ending {
  /** The instruction completed, faulted, or was not reached because an event came first. */
  how: 'ran' | 'faulted' | 'before';
  va: number;
  /** The delivery at this boundary, with the handler's address, if there was one. */
  delivered: { readonly vector: number; readonly handler: number } | undefined;
}

export class Tracer implements Observer {
  private readonly inner: Observer;
  private readonly machine: Machine;
  private ending: Ending | undefined;
  private choices: ChoiceRead[] = [];

  constructor(machine: Machine) {
    this.machine = machine;
    this.inner = machine.observer;
  }

  /** Runs `action` with this tracer in the monitor's place, and puts everything back. */
  during<T>(action: () => T): T {
    const machine = this.machine;
    const { choose } = machine;
    machine.observer = this;
    machine.choose = (cpu, alternatives) => {
      const choice = choose(cpu, alternatives);
      this.choices.push({ va: cpu.rip(), choice, alternatives });
      return choice;
    };
    try {
      return action();
    } finally {
      machine.choose = choose;
      machine.observer = this.inner;
    }
  }

  /** What happened since the last time it was asked. `ending` is undefined if no CPU got anywhere. */
  take(): { ending: Ending | undefined; choices: readonly ChoiceRead[] } {
    const taken = { ending: this.ending, choices: this.choices };
    this.ending = undefined;
    this.choices = [];
    return taken;
  }

  classify(va: number): number {
    return this.inner.classify(va);
  }

  executing(cpu: Cpu, op: MicroOp): void {
    this.ending = { how: 'ran', va: cpu.rip(), delivered: undefined };
    this.inner.executing(cpu, op);
  }

  retired(cpu: Cpu, op: MicroOp): void {
    this.inner.retired(cpu, op);
  }

  stackAccess(cpu: Cpu, lo: number, hi: number, bytes: number, write: boolean): void {
    this.inner.stackAccess(cpu, lo, hi, bytes, write);
  }

  watchedStore(cpu: Cpu, pa: number, bytes: number, vaLo: number, vaHi: number): void {
    this.inner.watchedStore(cpu, pa, bytes, vaLo, vaHi);
  }

  faulted(cpu: Cpu, fault: Fault): void {
    this.ending = { how: 'faulted', va: cpu.rip(), delivered: undefined };
    this.inner.faulted(cpu, fault);
  }

  delivering(cpu: Cpu, event: Delivery): void {
    if (event.source === 'nmi' || event.source === 'irq')
      this.ending = { how: 'before', va: cpu.rip(), delivered: undefined };
    this.inner.delivering(cpu, event);
  }

  delivered(cpu: Cpu, event: Delivery): void {
    if (this.ending !== undefined) this.ending.delivered = { vector: event.vector, handler: cpu.rip() };
    this.inner.delivered(cpu, event);
  }

  /** Nothing runs: the event only sets the line. */
  nmiLatched(cpu: Cpu): void {
    this.ending = { how: 'before', va: cpu.rip(), delivered: undefined };
    this.inner.nmiLatched(cpu);
  }

  shutdown(cpu: Cpu): void {
    this.inner.shutdown(cpu);
  }
}
