/**
 * Observes a machine that boots: keeps the faults from which no IRET has returned yet, so that a boot that goes wrong
 * can say what led there.
 */
import { Mnemonic } from 'iced-x86';
import type { Cpu } from '../../emulator/cpu/cpu';
import type { MicroOp } from '../../emulator/micro-op';
import type { Delivery, Fault, Observer } from '../../emulator/observer';
import { CR3, GS_BASE, RIP } from '../../emulator/registers';
import { toVa } from '../../emulator/words';
import type { RaisedFault } from './fault-in-words';

/** So many different faults are kept; the first ones tell. */
const MOST = 8;

/** What an IRET ends that is not kept: an event that is no fault, or one fault too many. */
const OTHER = 'other';

export class FaultLog implements Observer {
  /** Address of the last instruction that was begun. */
  lastRip = 0;
  /** The panic that the manifest names was reached. */
  panicked = false;
  private readonly panic: number | undefined;
  /** Outermost first; a fault that is like an earlier one is that one again. */
  private readonly open: (RaisedFault | typeof OTHER)[] = [];
  private readonly known: RaisedFault[] = [];
  private inDelivery = false;

  /** `panic` is the address of the guest's panic, if it names one. */
  constructor(panic: number | undefined) {
    this.panic = panic;
  }

  /** The faults that are open, outermost first, and how often each is. */
  get faults(): ReadonlyMap<RaisedFault, number> {
    const counts = new Map<RaisedFault, number>();
    for (const one of this.open) if (one !== OTHER) counts.set(one, (counts.get(one) ?? 0) + 1);
    return counts;
  }

  faulted(cpu: Cpu, { vector, error, addressLo, addressHi }: Fault): void {
    const nested = this.inDelivery;
    this.inDelivery = false;
    const rip = toVa(cpu.r[RIP], cpu.r[RIP + 1]);
    const address = toVa(addressLo, addressHi);
    const known = this.known.find(
      (one) =>
        one.rip === rip &&
        one.vector === vector &&
        one.error === error &&
        one.address === address &&
        one.nested === nested,
    );
    if (known !== undefined) this.open.push(known);
    else if (this.known.length < MOST) {
      const gsBase = toVa(cpu.r[GS_BASE], cpu.r[GS_BASE + 1]);
      const fault: RaisedFault = { vector, error, rip, address, cr3: cpu.r[CR3], gsBase, nested };
      this.known.push(fault);
      this.open.push(fault);
    } else if (!nested) this.open.push(OTHER);
  }

  delivering(): void {
    this.inDelivery = true;
  }

  delivered(cpu: Cpu, event: Delivery): void {
    this.inDelivery = false;
    if (event.source !== 'fault') {
      this.open.push(OTHER);
      return;
    }
    const last = this.open.at(-1);
    if (last === undefined || last === OTHER) return;
    last.handler = toVa(cpu.r[RIP], cpu.r[RIP + 1]);
  }

  /** An IRET ends the innermost event, with the faults that its delivery raised. */
  retired(_cpu: Cpu, op: MicroOp): void {
    if (op.mnemonic !== Mnemonic.Iretq) return;
    let last = this.open.pop();
    while (last !== undefined && last !== OTHER && last.nested) last = this.open.pop();
  }

  executing(cpu: Cpu): void {
    this.lastRip = toVa(cpu.r[RIP], cpu.r[RIP + 1]);
    if (this.lastRip === this.panic) this.panicked = true;
  }

  classify(): number {
    return 0;
  }
  stackAccess(): void {}
  watchedStore(): void {}
  nmiLatched(): void {}
  shutdown(): void {}
}
