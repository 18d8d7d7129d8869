/**
 * What Linux maps in the kernel half of its user tables (arch/x86/mm/pti.c, and init_espfix_ap): the cpu_entry_area of
 * each CPU, the TSS as the kernel writes it, the 2 MiB in which entry text lies, debug stores, the stacks of ESPFIX;
 * and all of its text and read-only data, global, where the processor has no PCIDs (pti_kernel_image_global_ok).
 */
import type { KernelImage } from '../../emulator/linux/image/kernel-image';
import type { KernelOffsets } from '../../emulator/linux/image/kernel-offsets';
import type { Machine } from '../../emulator/machine';
import { CR4, CR4_PCIDE } from '../../emulator/registers';
import type { AllowedPages } from '../guest/guest-view';
import { ESPFIX } from './espfix-stacks';

const PAGE = 4096;
const LARGE_PAGE = 2 ** 21;
/** CPU_ENTRY_AREA_RO_IDT, and the end of the area: one top-level entry has both. */
const ENTRY_AREAS = { start: -(2 ** 41), end: -(2 ** 41) + 2 ** 39 };

export function allowedInUserTables(
  machine: Machine,
  { symbols }: KernelImage,
  { perCpu: { tss } }: KernelOffsets,
  perCpu: readonly number[],
): AllowedPages[] {
  const pages = (name: string, start: number, end: number, readOnly: boolean): AllowedPages => ({
    name,
    start,
    end,
    readOnly,
    mm: -1,
  });
  const down = (va: number, size: number) => Math.floor(va / size) * size;
  const entry = symbols.address('__entry_text_start');
  const list = [
    pages(
      'entry text',
      down(entry, LARGE_PAGE),
      down(symbols.address('__entry_text_end') - 1, LARGE_PAGE) + LARGE_PAGE,
      true,
    ),
    pages('the IDT', ENTRY_AREAS.start, ENTRY_AREAS.start + PAGE, true),
    pages('cpu_entry_area', ENTRY_AREAS.start + PAGE, ENTRY_AREAS.end, false),
    ...perCpu.map((base) => pages('cpu_tss_rw', down(base + tss, PAGE), down(base + tss, PAGE) + PAGE, false)),
    pages('a stack of ESPFIX', ESPFIX.start, ESPFIX.end, false),
  ];
  const [{ r }] = machine.cpus;
  if ((r[CR4] & CR4_PCIDE) === 0)
    list.push(pages('the image', symbols.address('_text'), symbols.address('__end_rodata'), true));
  return list;
}
