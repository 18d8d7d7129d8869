/**
 * Observes a machine that boots: keeps the faults that no IRET has ended yet, so that a boot that goes wrong can say what
 * led there.
 */
import { Mnemonic } from 'iced-x86';
import type { Cpu } from '../../emulator/cpu/cpu';
import type { MicroOp } from '../../emulator/decode/micro-op';
import type { Delivery, Fault, Observer } from '../../emulator/observer';
import { CR3, GS_BASE, RIP } from '../../emulator/registers';
import { toVa } from '../../emulator/words';
import type { RaisedFault } from './fault-in-words';

/** Deeper chains repeat themselves. */
const MOST = 16;

export class FaultLog implements Observer {
  /** Outermost first. */
  readonly open: RaisedFault[] = [];

  faulted(cpu: Cpu, fault: Fault): void {
    if (this.open.length === MOST) return;
    this.open.push({
      vector: fault.vector,
      error: fault.error,
      rip: toVa(cpu.r[RIP], cpu.r[RIP + 1]),
      address: toVa(fault.addressLo, fault.addressHi),
      cr3: cpu.r[CR3],
      gsBase: toVa(cpu.r[GS_BASE], cpu.r[GS_BASE + 1]),
    });
  }

  delivered(cpu: Cpu, event: Delivery): void {
    const last = this.open.at(-1);
    if (last !== undefined && event.source === 'fault') last.handler ??= toVa(cpu.r[RIP], cpu.r[RIP + 1]);
  }

  retired(_cpu: Cpu, op: MicroOp): void {
    if (op.mnemonic === Mnemonic.Iretq) this.open.pop();
  }

  classify(): number {
    return 0;
  }
  executing(): void {}
  stackAccess(): void {}
  watchedStore(): void {}
  delivering(): void {}
  nmiLatched(): void {}
  shutdown(): void {}
}
