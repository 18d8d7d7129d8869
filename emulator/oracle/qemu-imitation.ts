/**
 * An observer that makes our machine do what QEMU 7.2 does where the two are known to differ (./accepted-differences),
 * and counts each time that this changes something. Two machines that have run for long without being compared can be
 * compared this way: a flag that one of them pushed differently has been copied, loaded and pushed again by then.
 *
 * It knows what the guests meet. Another undefined flag is found as a difference, and the steps explain it.
 */
import { Mnemonic } from 'iced-x86';
import type { Cpu } from '../cpu/cpu';
import { setRflags } from '../cpu/outcome';
import type { Machine } from '../machine';
import { IMM, type MicroOp, OP_REP, WITHOUT_EXECUTING, WITHOUT_RETIRED } from '../micro-op';
import type { Delivery, EventSource, Fault, Observer } from '../observer';
import {
  CPL,
  CR3,
  EFLAGS,
  FLAG_DF,
  FLAG_OF,
  FLAG_RF,
  RCX,
  RSP,
  SS,
  STATUS_FLAGS,
  VEC_DB,
  VEC_DF,
  VEC_GP,
} from '../registers';
import { toVa } from '../words';
import { ACCEPTED_DIFFERENCES } from './accepted-differences';

const ROOT = 0xfffff000;
/** IDT of an error code (SDM vol. 3, figure 6-7). */
const ERROR_OF_GATE = 2;
const SOURCES: readonly EventSource[] = ['fault', 'trap', 'abort', 'nmi', 'irq', 'software'];

export class QemuImitation implements Observer {
  private readonly machine: Machine;
  /** Imitated differences by their place in ACCEPTED_DIFFERENCES, then deliveries by their place in SOURCES. */
  private readonly counters = new Int32Array(ACCEPTED_DIFFERENCES.length + SOURCES.length);
  private port = false;
  /** Unmasked count of the shift under way. */
  private shift = 0;
  /** CPL before the delivery under way. */
  private cpl = 0;

  /** Counts are state of the machine: going back undoes them. No mark may be held yet. */
  constructor(machine: Machine) {
    this.machine = machine;
    machine.attachState(this.counters);
  }

  /** How often each accepted difference was imitated, by its name. */
  accepted(): [name: string, count: number][] {
    return ACCEPTED_DIFFERENCES.map(({ name }, i): [string, number] => [name, this.counters[i]]).filter(
      ([, count]) => count > 0,
    );
  }

  /** How many events of a kind were delivered. */
  deliveries(source: EventSource): number {
    return this.counters[ACCEPTED_DIFFERENCES.length + SOURCES.indexOf(source)];
  }

  /** True if the choice under way is read by IN; else it is read from the choice page. To be asked once a choice. */
  takePort(): boolean {
    const { port } = this;
    this.port = false;
    return port;
  }

  classify(_va: number): number {
    return 0;
  }

  unobserved(op: MicroOp): number {
    if (op.mnemonic === Mnemonic.Shr) return 0;
    if (op.mnemonic === Mnemonic.In) return WITHOUT_RETIRED;
    if (op.mnemonic === Mnemonic.Syscall || (op.flags & OP_REP) !== 0) return WITHOUT_EXECUTING;
    return WITHOUT_EXECUTING | WITHOUT_RETIRED;
  }

  executing(cpu: Cpu, op: MicroOp): void {
    if (op.mnemonic === Mnemonic.In) this.port = true;
    else this.shift = op.sKind === IMM ? op.immLo : cpu.r[RCX];
  }

  retired(cpu: Cpu, op: MicroOp): void {
    if (op.mnemonic === Mnemonic.Syscall) this.clear(cpu, STATUS_FLAGS | FLAG_DF, 'syscall-clears-flags');
    else if (op.mnemonic === Mnemonic.Shr) {
      if ((this.shift & (op.size === 8 ? 63 : 31)) > 1) this.clear(cpu, FLAG_OF, 'undefined-flags');
    } else if ((op.flags & OP_REP) !== 0 && cpu.rip() === op.va) this.clear(cpu, FLAG_RF, 'rf-in-repetition');
  }

  delivering(cpu: Cpu, _event: Delivery): void {
    this.cpl = cpu.r[CPL];
  }

  delivered(cpu: Cpu, event: Delivery): void {
    this.counters[ACCEPTED_DIFFERENCES.length + SOURCES.indexOf(event.source)]++;
    if (event.source === 'fault' && event.vector !== VEC_DB) this.pushWithoutRf(cpu, event);
    if (event.vector === VEC_GP && (event.error & ERROR_OF_GATE) !== 0) this.pushGate(cpu, event.error);
    if (event.ist !== 0 && this.cpl === 0 && cpu.r[SS] !== 0) {
      cpu.r[SS] = 0;
      this.count('ss-after-ist');
    }
  }

  stackAccess(_cpu: Cpu, _lo: number, _hi: number, _bytes: number, _write: boolean): void {}
  watchedStore(_cpu: Cpu, _pa: number, _bytes: number, _vaLo: number, _vaHi: number): void {}
  faulted(_cpu: Cpu, _fault: Fault): void {}
  nmiLatched(_cpu: Cpu): void {}
  shutdown(_cpu: Cpu): void {}

  private pushWithoutRf(cpu: Cpu, event: Delivery): void {
    const { memory } = this.machine;
    const pa = this.pushed(cpu, event.error >= 0 ? 24 : 16);
    memory.write32At(pa, memory.read32(pa) & ~FLAG_RF);
    this.count(event.vector === VEC_DF ? 'rf-of-double-fault' : 'rf-not-pushed');
  }

  private pushGate(cpu: Cpu, error: number): void {
    this.machine.memory.write32At(this.pushed(cpu, 0), (error >> 3) * 16 + ERROR_OF_GATE);
    this.count('gate-error-code');
  }

  /** Physical address of a word of the frame that was just pushed. */
  private pushed({ r }: Cpu, offset: number): number {
    const pa = this.machine.translate((r[CR3] & ROOT) >>> 0, toVa(r[RSP], r[RSP + 1]) + offset)?.pa;
    if (pa === undefined) throw new Error('expected the frame that was just pushed to be mapped, found it is not');
    return pa;
  }

  private clear(cpu: Cpu, flags: number, name: string): void {
    const old = cpu.rflags();
    if ((old & flags) === 0) return;
    // Not setRflags for RF alone: it would make every iteration of a repetition ask for attention.
    if (flags === FLAG_RF) cpu.r[EFLAGS] &= ~FLAG_RF;
    else setRflags(cpu, old & ~flags);
    this.count(name);
  }

  private count(name: string): void {
    this.counters[ACCEPTED_DIFFERENCES.findIndex((row) => row.name === name)]++;
  }
}
