/**
 * The places that a kernel patches in itself while it boots, each for a feature of the processor (`struct alt_instr`,
 * arch/x86/include/asm/alternative.h of Linux): which bytes of code become which others. Every entry is packed:
 *
 *   up to 6.2    0 s32 to the code   4 s32 to the replacement   8 u16 feature             10 u8, 11 u8 their lengths
 *   since 6.3    0 s32 to the code   4 s32 to the replacement   8 u16 feature  10 flags   12 u8, 13 u8 their lengths
 *
 * An offset is relative to its own place.
 */
import { ImageBytes } from './image-bytes';
import type { KernelImage } from './kernel-image';

const ENTRY_SIZES = [12, 14] as const;

interface Alternative {
  /** Virtual address of the code that is patched. */
  readonly site: number;
  /** Virtual address of what it becomes. */
  readonly replacement: number;
  /** Bytes of the replacement; the rest of the code becomes NOPs. */
  readonly length: number;
}

/** The alternatives of an image, in the order of its table; none if it has no table. */
export function readAlternatives(image: KernelImage): readonly Alternative[] {
  const section = image.sections.get('.altinstructions');
  const bytes = image.sectionBytes('.altinstructions');
  const target = image.sections.get('.altinstr_replacement');
  if (section === undefined || bytes === undefined || target === undefined) return [];
  const table = new ImageBytes(bytes, image.name);
  for (const size of ENTRY_SIZES) {
    if (bytes.length % size !== 0) continue;
    const entries = Array.from({ length: bytes.length / size }, (_, i) => entryAt(table, section.addr, i * size, size));
    const isInside = ({ replacement, length }: Alternative) =>
      replacement >= target.addr && replacement + length <= target.addr + target.size;
    if (entries.every(isInside)) return entries;
  }
  throw table.damaged('alternatives of 12 or 14 bytes with their replacements in .altinstr_replacement', 'others');
}

function entryAt(table: ImageBytes, base: number, at: number, size: number): Alternative {
  return {
    site: base + at + table.i32(at, 'an alternative'),
    replacement: base + at + 4 + table.i32(at + 4, 'an alternative'),
    length: table.u8(at + size - 1, 'an alternative'),
  };
}
