/**
 * The memory of a running kernel, read without page tables where that is possible: its image is mapped at a constant
 * distance, and so is all of RAM (Linux, Documentation/arch/x86/x86_64/mm.rst).
 */
import type { KernelImage } from '../../emulator/linux/image/kernel-image';
import type { Machine } from '../../emulator/machine';
import { toVa } from '../../emulator/words';

/** Where the image is mapped, and where RAM is if no variable says so. */
const IMAGE_MAP = -0x80000000;
const DIRECT_MAP = -0x778000000000;

export class KernelMemory {
  readonly machine: Machine;
  /** Physical address of the root of the tables that map all of the kernel's addresses (swapper_pg_dir). */
  readonly kernelTable: number;
  private readonly image: KernelImage;
  private readonly directMap: number;

  constructor(machine: Machine, image: KernelImage) {
    this.machine = machine;
    this.image = image;
    this.kernelTable = this.near(image.symbols.address('init_top_pgt'));
    const base = image.symbols.find('page_offset_base');
    this.directMap = base === undefined ? DIRECT_MAP : this.pointerAt(this.near(base));
  }

  /** Physical address of what is in the image or in the direct map of RAM. */
  near(va: number): number {
    return va >= IMAGE_MAP ? va - IMAGE_MAP : va - this.directMap;
  }

  /** The same for any address of the kernel, by its tables; undefined where nothing is mapped. */
  physical(va: number): number | undefined {
    return this.machine.translate(this.kernelTable, va)?.pa;
  }

  /** The 64-bit word at a physical address, as an address. */
  pointerAt(pa: number): number {
    const { words } = this.machine.memory;
    return toVa(words[pa >>> 2], words[(pa >>> 2) + 1]);
  }

  /** The 64-bit word that a symbol names. */
  variable(name: string): number | undefined {
    const va = this.image.symbols.find(name);
    return va === undefined ? undefined : this.pointerAt(this.near(va));
  }

  /** Where the per-CPU variables of a CPU begin: what is in GS base at CPL0. */
  perCpu(c: number): number {
    return this.pointerAt(this.near(this.image.symbols.address('__per_cpu_offset')) + 8 * c);
  }
}
