/**
 * The state of a CPU that begins in 64-bit mode: as a boot loader leaves it for the 64-bit boot protocol, or as the
 * kernel's own trampoline would. There is no real mode here.
 */
import type { Cpu } from '../../cpu/cpu';
import { loadStatus } from '../../cpu/flags';
import {
  CR0,
  CR0_ET,
  CR0_MP,
  CR0_NE,
  CR0_PE,
  CR0_PG,
  CR0_WP,
  CR3,
  CR4,
  CS,
  DR6,
  DR7,
  EFER,
  EFER_LMA,
  EFER_LME,
  ICOUNT,
  ONLINE,
  RIP,
  RSI,
  RSP,
} from '../../registers';
import { resetApicRegisters } from '../../system/apic-registers';
import { DR6_FIXED, DR7_FIXED } from '../../system/control-registers';
import { resetFpu } from '../../system/fpu';
import { resetApic } from '../../system/local-apic';
import { vaHi, vaLo } from '../../words';

/** `__BOOT_CS` of the boot protocol, and `__KERNEL_CS`: a flat code segment. There is no GDT yet. */
const FLAT_CODE = 0x10;

interface LongModeStart {
  /** Sign-folded. */
  readonly rip: number;
  readonly rsp: number;
  readonly rsi: number;
  /** Physical address of the root of the page tables. */
  readonly cr3: number;
  readonly cr4: number;
  /** LME and LMA are set in any case. */
  readonly efer: number;
}

/** All but the count of retired instructions begins anew: time does not go back. */
export function startInLongMode(cpu: Cpu, start: LongModeStart): void {
  const { r, x } = cpu;
  const retired = [r[ICOUNT], r[ICOUNT + 1]];
  r.fill(0);
  x.fill(0);
  r.set(retired, ICOUNT);
  loadStatus(r, 0);
  setPair(r, RIP, start.rip);
  setPair(r, RSP, start.rsp);
  setPair(r, RSI, start.rsi);
  r[CR0] = CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE;
  r[CR3] = start.cr3;
  r[CR4] = start.cr4;
  r[EFER] = start.efer | EFER_LME | EFER_LMA;
  r[CS] = FLAT_CODE;
  r[DR6] = DR6_FIXED;
  r[DR7] = DR7_FIXED;
  r[ONLINE] = 1;
  resetApic(r);
  resetApicRegisters(x);
  resetFpu(x);
  cpu.tlb.flushAll();
  cpu.refresh();
}

function setPair(r: Int32Array, register: number, va: number): void {
  r[register] = vaLo(va);
  r[register + 1] = vaHi(va);
}
