/**
 * Steps of our machine, with what is needed to judge a difference after one: instruction, event, flags frame, stores.
 */
import type { Cpu } from '../cpu/cpu';
import type { Machine } from '../machine';
import type { MicroOp } from '../micro-op';
import type { Delivery, Fault, Observer } from '../observer';
import { CR3, REGISTER_WORDS, RIP, RSP } from '../registers';
import type { StepResult } from '../step-result';
import { toVa } from '../words';

/** What the predicates of ./accepted-differences see of a step. */
export interface Step {
  readonly result: StepResult;
  /**
   * The instruction that was executed, or that faulted after it was decoded; undefined for an event or a fetch fault.
   */
  readonly op: MicroOp | undefined;
  /** The last event that was delivered in the step; after a double fault that is the #DF. */
  readonly delivered: Readonly<Delivery> | undefined;
  /** Words of `cpu.r` before the step. */
  readonly before: Int32Array;
  /** The CPU after the step. */
  readonly cpu: Cpu;
  /** Physical byte address of the RFLAGS that the delivery pushed; undefined without one. */
  readonly pushedFlags: number | undefined;
}

const ROOT = 0xfffff000;

/** Steps CPU 0 of a machine, whose observer it is. One object for all steps. */
export class ObservedCpu implements Step {
  readonly cpu: Cpu;
  readonly before = new Int32Array(REGISTER_WORDS);
  result: StepResult = 0;
  private readonly machine: Machine;
  private readonly recorder = new Recorder();
  /** Word indices of all RAM that was written in the steps since this was cleared, also with what was there before. */
  readonly written: Set<number> = this.recorder.written;

  constructor(machine: Machine) {
    this.machine = machine;
    this.cpu = machine.cpus[0];
    machine.observer = this.recorder;
    for (let page = 0; page < machine.memory.size >>> 12; page++) machine.memory.watch(page, true);
  }

  /** Gives the machine another observer, and watches no page any more. */
  leave(observer: Observer): void {
    const { memory } = this.machine;
    this.machine.observer = observer;
    for (let page = 0; page < memory.size >>> 12; page++) memory.watch(page, false);
  }

  get op(): MicroOp | undefined {
    return this.recorder.op;
  }

  get delivered(): Readonly<Delivery> | undefined {
    return this.recorder.event;
  }

  get pushedFlags(): number | undefined {
    const event = this.delivered;
    if (event === undefined) return undefined;
    const r = this.cpu.r;
    const va = toVa(r[RSP], r[RSP + 1]) + (event.error >= 0 ? 24 : 16);
    return this.machine.translate((r[CR3] & ROOT) >>> 0, va)?.pa;
  }

  /** Physical address of the page table and virtual address of RIP before the step, for a disassembler. */
  get from(): { root: number; va: number } {
    const { before } = this;
    return { root: (before[CR3] & ROOT) >>> 0, va: toVa(before[RIP], before[RIP + 1]) };
  }

  step(): StepResult {
    this.before.set(this.cpu.r);
    this.recorder.op = undefined;
    this.recorder.event = undefined;
    const { machine, recorder } = this;
    // Accessed and dirty bits are no stores of the program: the undo log has them.
    const { undo } = machine.memory;
    const mark = machine.mark();
    const from = undo.top;
    this.result = machine.step(this.cpu.index);
    for (let i = from; i < undo.top; i += 2) if (undo.entries[i] >= 0) recorder.written.add(undo.entries[i]);
    machine.release(mark);
    return this.result;
  }
}

class Recorder implements Observer {
  op: MicroOp | undefined;
  event: Delivery | undefined;
  readonly written = new Set<number>();
  private readonly kept: Delivery = { vector: 0, source: 'fault', ist: 0, error: -1 };

  classify(_va: number): number {
    return 0;
  }
  executing(_cpu: Cpu, op: MicroOp): void {
    this.op = op;
  }
  retired(_cpu: Cpu, _op: MicroOp): void {}
  stackAccess(_cpu: Cpu, _lo: number, _hi: number, _bytes: number, _write: boolean): void {}
  watchedStore(_cpu: Cpu, pa: number, bytes: number, _vaLo: number, _vaHi: number): void {
    for (let word = pa >>> 2; word * 4 < pa + bytes; word++) this.written.add(word);
  }
  faulted(_cpu: Cpu, _fault: Fault): void {}
  delivering(_cpu: Cpu, _event: Delivery): void {}
  delivered(_cpu: Cpu, event: Delivery): void {
    this.event = Object.assign(this.kept, event);
  }
  nmiLatched(_cpu: Cpu): void {}
  shutdown(_cpu: Cpu): void {}
}
