/**
 * Steps of our machine, with what is needed to judge a difference after one: instruction, event, flags frame, stores.
 */
import { Mnemonic } from 'iced-x86';
import type { Cpu } from '../cpu/cpu';
import type { Machine } from '../machine';
import type { MicroOp } from '../micro-op';
import type { Delivery, Fault, Observer } from '../observer';
import { CR3, GDTR_BASE, IDTR_BASE, NMI_BLOCKED, REGISTER_WORDS, RIP, RSP } from '../registers';
import { FAULTED, type StepResult } from '../step-result';
import { toBigInt, toVa } from '../words';

/** What the predicates of ./accepted-differences see of a step. */
export interface Step {
  readonly result: StepResult;
  /**
   * The instruction that was executed, or that faulted after it was decoded; undefined for an event or a fetch fault.
   */
  readonly op: MicroOp | undefined;
  /** The last event that was delivered in the step; after a double fault that is the #DF. */
  readonly delivered: Readonly<Delivery> | undefined;
  /** The first fault that was raised in the step, by the instruction or by a delivery; undefined without one. */
  readonly fault: Readonly<RaisedFault> | undefined;
  /** Words of `cpu.r` before the step. */
  readonly before: Int32Array;
  /** The instruction of the step before, and the words of `cpu.r` before that. */
  readonly previous: { readonly op: MicroOp | undefined; readonly before: Int32Array };
  /** The CPU after the step. */
  readonly cpu: Cpu;
  /** Physical byte address of the RFLAGS that the delivery pushed; undefined without one. */
  readonly pushedFlags: number | undefined;
  /** The same of the error code; undefined if none was pushed. */
  readonly pushedError: number | undefined;
  /** Physical page of the GDT's first byte. */
  readonly gdtPage: number | undefined;
  /** NMIs are not blocked because an IRET has faulted, and no other has been executed since. */
  readonly unblockedByFault: boolean;
  /** Physical address of the page table and virtual address of RIP before the step. */
  readonly from: { readonly root: number; readonly va: number };
  /** Where the gate of a vector leads to, whatever else is in it; undefined if it cannot be read. */
  gateOffset(vector: number): bigint | undefined;
}

export interface RaisedFault {
  readonly vector: number;
  readonly error: number;
}

const ROOT = 0xfffff000;

/** One for each CPU of a machine, which share its observer. */
export function observeCpus(machine: Machine): ObservedCpu[] {
  const recorder = new Recorder();
  return machine.cpus.map(({ index }) => new ObservedCpu(machine, index, recorder));
}

/** Steps one CPU of a machine. One object for all steps. */
export class ObservedCpu implements Step {
  readonly cpu: Cpu;
  readonly before = new Int32Array(REGISTER_WORDS);
  readonly previous: { op: MicroOp | undefined; before: Int32Array } = {
    op: undefined,
    before: new Int32Array(REGISTER_WORDS),
  };
  result: StepResult = 0;
  unblockedByFault = false;
  private iretHasFaulted = false;
  private readonly machine: Machine;
  private readonly recorder: Recorder;
  /** The instruction of the last step. */
  private latest: MicroOp | undefined;
  /** Word indices of all RAM that was written in the steps since this was cleared, also with what was there before. */
  readonly written: Set<number>;

  constructor(machine: Machine, index = 0, recorder = new Recorder()) {
    this.machine = machine;
    this.cpu = machine.cpus[index];
    this.recorder = recorder;
    this.written = recorder.written;
    machine.observer = recorder;
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

  get fault(): Readonly<RaisedFault> | undefined {
    return this.recorder.fault;
  }

  get pushedFlags(): number | undefined {
    const event = this.delivered;
    return event === undefined ? undefined : this.pushed(event.error >= 0 ? 24 : 16);
  }

  get pushedError(): number | undefined {
    const event = this.delivered;
    return event === undefined || event.error < 0 ? undefined : this.pushed(0);
  }

  get gdtPage(): number | undefined {
    const { r } = this.cpu;
    const pa = this.machine.translate((r[CR3] & ROOT) >>> 0, toVa(r[GDTR_BASE], r[GDTR_BASE + 1]))?.pa;
    return pa === undefined ? undefined : pa & -4096;
  }

  gateOffset(vector: number): bigint | undefined {
    const { r } = this.cpu;
    const { machine } = this;
    const gate = toVa(r[IDTR_BASE], r[IDTR_BASE + 1]) + vector * 16;
    const low = machine.readVirtual64((r[CR3] & ROOT) >>> 0, gate);
    const high = machine.readVirtual64((r[CR3] & ROOT) >>> 0, gate + 8);
    if (low === undefined || high === undefined) return undefined;
    return toBigInt((low.hi & 0xffff0000) | (low.lo & 0xffff), high.lo);
  }

  /** Physical byte address of what lies so many bytes above RSP. */
  private pushed(offset: number): number | undefined {
    const { r } = this.cpu;
    return this.machine.translate((r[CR3] & ROOT) >>> 0, toVa(r[RSP], r[RSP + 1]) + offset)?.pa;
  }

  /** Physical address of the page table and virtual address of RIP before the step, for a disassembler. */
  get from(): { root: number; va: number } {
    const { before } = this;
    return { root: (before[CR3] & ROOT) >>> 0, va: toVa(before[RIP], before[RIP + 1]) };
  }

  step(): StepResult {
    this.unblockedByFault = this.iretHasFaulted;
    this.previous.op = this.latest;
    this.previous.before.set(this.before);
    this.before.set(this.cpu.r);
    this.recorder.op = undefined;
    this.recorder.event = undefined;
    this.recorder.fault = undefined;
    this.result = this.advance();
    this.latest = this.op;
    if (this.op?.mnemonic === Mnemonic.Iretq)
      this.iretHasFaulted = this.result === FAULTED && (this.before[NMI_BLOCKED] !== 0 || this.iretHasFaulted);
    if (this.delivered?.source === 'nmi') this.iretHasFaulted = false;
    return this.result;
  }

  /** The #DB trap that the step has left pending, as a part of it. */
  takeTrap(): StepResult {
    return this.advance();
  }

  private advance(): StepResult {
    const { machine, recorder } = this;
    // Accessed and dirty bits are no stores of the program: the undo log has them.
    const { undo } = machine.memory;
    const mark = machine.mark();
    const from = undo.top;
    const result = machine.step(this.cpu.index);
    for (let i = from; i < undo.top; i += 2) if (undo.entries[i] >= 0) recorder.written.add(undo.entries[i]);
    machine.release(mark);
    return result;
  }
}

class Recorder implements Observer {
  op: MicroOp | undefined;
  event: Delivery | undefined;
  fault: RaisedFault | undefined;
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
  faulted(_cpu: Cpu, { vector, error }: Fault): void {
    this.fault ??= { vector, error };
  }
  delivering(_cpu: Cpu, _event: Delivery): void {}
  delivered(_cpu: Cpu, event: Delivery): void {
    this.event = Object.assign(this.kept, event);
  }
  nmiLatched(_cpu: Cpu): void {}
  shutdown(_cpu: Cpu): void {}
}
