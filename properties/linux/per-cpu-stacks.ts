/**
 * The stacks that belong to a CPU: the entry stack that sp0 names, those of exceptions with an IST entry, and the one
 * of interrupts.
 */
import type { KernelOffsets } from '../../emulator/linux/image/kernel-offsets';
import { TSS_WORDS } from '../../emulator/linux/image/kernel-offsets';
import type { Machine } from '../../emulator/machine';
import { TR_BASE } from '../../emulator/registers';
import { toVa } from '../../emulator/words';
import { ENTRY, FOREIGN, IRQ_STACK, NMI_STACK } from '../../model/kinds';
import type { StackRegion } from '../guest/regions';

/** In the order of their IST entries (IST_INDEX_DF ..). */
const EXCEPTIONS = ['DF', 'NMI', 'DB', 'MCE', 'VC'] as const;
/** Where no types say so: PAGE_SIZE, EXCEPTION_STKSZ and IRQ_STACK_SIZE of x86-64. */
const ENTRY_BYTES = 4096;
const EXCEPTION_BYTES = 8192;
const IRQ_BYTES = 16384;

interface Memory {
  readonly machine: Machine;
  physical(va: number): number;
  pointerAt(pa: number): number;
}

export function perCpuStacks(memory: Memory, offsets: KernelOffsets, perCpu: readonly number[]): StackRegion[] {
  return memory.machine.cpus.flatMap(({ index, r }) => {
    const tss = toVa(r[TR_BASE], r[TR_BASE + 1]);
    const read = (va: number) => memory.pointerAt(memory.physical(va));
    const stack = (name: string, kind: number, end: number, bytes: number): StackRegion => ({
      kind,
      thread: -1,
      cpu: index,
      start: end - bytes,
      end,
      name: `${name}(c${index})`,
    });
    const { cpuEntryArea } = offsets;
    const stacks = [stack('entry', ENTRY, read(tss + TSS_WORDS.sp0), ENTRY_BYTES)];
    for (const [i, name] of EXCEPTIONS.entries()) {
      const end = read(tss + TSS_WORDS.ist + 8 * i);
      const bytes = cpuEntryArea?.exceptionStacks.get(name)?.size ?? EXCEPTION_BYTES;
      if (end !== 0) stacks.push(stack(name.toLowerCase(), name === 'NMI' ? NMI_STACK : FOREIGN, end, bytes));
    }
    const { hardirqStackPointer } = offsets.perCpu;
    // The pointer is to the last word.
    if (hardirqStackPointer !== undefined)
      stacks.push(stack('irq', IRQ_STACK, read(perCpu[index] + hardirqStackPointer) + 8, IRQ_BYTES));
    return stacks;
  });
}
