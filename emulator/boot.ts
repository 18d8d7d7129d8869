/**
 * The boot protocol: how an image gets into RAM and what a CPU finds at its entry point. There is no real mode here:
 * every CPU starts in 64-bit mode with paging on, as a boot loader or a start-up trampoline would leave it.
 *
 *   rip e_entry · cr3 physical address of symbol `boot_pgd` · rsp 0 · edi CPU number · esi CPUs · edx tasks · ecx mms
 *   CR0 PE MP ET NE WP PG · CR4 PAE PGE · EFER LME LMA · CPL 0 · RFLAGS 2 · flat CS 8, SS 0 · no GDT, IDT, TR
 *   local APIC enabled
 */
import type { Cpu } from './cpu/cpu';
import { loadStatus } from './cpu/flags';
import type { PhysicalMemory } from './memory/physical-memory';
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
  CR4_PAE,
  CR4_PGE,
  CS,
  DR6,
  DR7,
  EFER,
  EFER_LMA,
  EFER_LME,
  ICOUNT,
  ONLINE,
  RCX,
  RDI,
  RDX,
  RIP,
  RSI,
} from './registers';
import { DR6_FIXED, DR7_FIXED } from './system/control-registers';
import { resetApic } from './system/local-apic';
import { vaHi, vaLo } from './words';

/** What of an ELF image the machine needs; emulator/elf provides it. */
export interface LoadableImage {
  readonly entry: number;
  readonly segments: readonly LoadableSegment[];
  symbol(name: string): number | undefined;
}

interface LoadableSegment {
  readonly vaddr: number;
  readonly paddr: number;
  readonly memsz: number;
  readonly data: Uint8Array;
}

export interface BootOptions {
  cpus: number;
  tasks: number;
  mms: number;
}

/** An image that the machine cannot load or start: the message says what is missing. */
export class LoadError extends Error {
  override readonly name = 'LoadError';
}

const BOOT_CS = 8;

export function loadImage(memory: PhysicalMemory, image: LoadableImage): void {
  for (const segment of image.segments) {
    if (segment.paddr < 0 || segment.paddr + segment.memsz > memory.size) {
      throw new LoadError(
        `segment at physical 0x${segment.paddr.toString(16)}, ${segment.memsz} bytes, does not fit RAM of ${memory.size} bytes: usually p_paddr is not set (AT() in the linker script)`,
      );
    }
    memory.writeBytes(segment.paddr, segment.data);
  }
}

export function bootCpu(cpu: Cpu, image: LoadableImage, options: BootOptions): void {
  const r = cpu.r;
  r.fill(0);
  loadStatus(r, 0);
  r[RIP] = vaLo(image.entry);
  r[RIP + 1] = vaHi(image.entry);
  r[CR0] = CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE;
  r[CR3] = physicalSymbol(image, 'boot_pgd');
  r[CR4] = CR4_PAE | CR4_PGE;
  r[EFER] = EFER_LME | EFER_LMA;
  r[CS] = BOOT_CS;
  r[RDI] = cpu.index;
  r[RSI] = options.cpus;
  r[RDX] = options.tasks;
  r[RCX] = options.mms;
  r[DR6] = DR6_FIXED;
  r[DR7] = DR7_FIXED;
  r[ICOUNT] = 0;
  r[ONLINE] = 1;
  resetApic(r);
  cpu.tlb.flushAll();
  cpu.refresh();
}

/** The symbol's value is a virtual address inside a segment, or a physical one if it lies in none. */
function physicalSymbol(image: LoadableImage, name: string): number {
  const value = image.symbol(name);
  if (value === undefined)
    throw new LoadError(`the image has no symbol "${name}" (the boot page table's address): the manifest requires it`);
  for (const segment of image.segments) {
    if (value >= segment.vaddr && value < segment.vaddr + segment.memsz) return segment.paddr + (value - segment.vaddr);
  }
  return value;
}
