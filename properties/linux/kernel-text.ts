/**
 * The code of a booted kernel as it is now, alternatives patched, in the machine's RAM; and how an instruction of it is
 * left out. A kernel that is loaded by its vmlinux has each segment at the segment's own physical address, so no page
 * table is asked, and all aliases of a place change together.
 */
import { type ListedInstruction, listInstructions } from '../../emulator/disassemble';
import type { KernelSymbols } from '../../emulator/linux/image/kernel-symbols';
import type { PhysicalMemory } from '../../emulator/memory/physical-memory';

/** As much of a KernelImage as is needed. */
interface LoadedText {
  readonly segments: readonly { readonly vaddr: number; readonly paddr: number; readonly memsz: number }[];
  readonly symbols: Pick<KernelSymbols, 'list' | 'find'>;
}

/** What fills the place of an instruction that is left out: NOPs of one byte. */
const NOP = 0x90;

export class KernelText {
  private readonly memory: PhysicalMemory;
  private readonly image: LoadedText;

  constructor(memory: PhysicalMemory, image: LoadedText) {
    this.memory = memory;
    this.image = image;
  }

  /** The instructions from a symbol up to the next one at another address; undefined if there is no such symbol. */
  behind(symbol: string): ListedInstruction[] | undefined {
    const start = this.image.symbols.find(symbol);
    if (start === undefined) return undefined;
    const next = this.image.symbols.list.find(({ address }) => address < 0 && address > start);
    return next === undefined ? undefined : this.between(start, next.address);
  }

  /** The instructions from `start` up to and without `end`, virtual addresses in one segment. */
  between(start: number, end: number): ListedInstruction[] {
    return listInstructions(this.memory.readBytes(this.physical(start), end - start), start);
  }

  /** Writes NOPs over an instruction of so many bytes. A mark that is held before takes that back, too. */
  leaveOut(va: number, length: number): void {
    this.memory.writeBytes(this.physical(va), new Uint8Array(length).fill(NOP));
  }

  private physical(va: number): number {
    const segment = this.image.segments.find(({ vaddr, memsz }) => vaddr <= va && va < vaddr + memsz);
    if (segment === undefined) throw new RangeError(`${va.toString(16)} is in no segment of the kernel`);
    return va - segment.vaddr + segment.paddr;
  }
}
