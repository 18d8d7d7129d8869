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

/** In the number of a feature, up to 6.2: patch if the processor does not have it. */
const INVERTED = 1 << 15;

/** A name has fewer characters. */
const MAX_NAME = 32;

interface Alternative {
  /** Virtual address of the code that is patched. */
  readonly site: number;
  /** Virtual address of what it becomes. */
  readonly replacement: number;
  /** Bytes of the replacement; the rest of the code becomes NOPs. */
  readonly length: number;
  /** The feature of the processor, as cpufeatures.h numbers them: 32 times the word plus the bit. */
  readonly feature: number;
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
    feature: table.u16(at + 8, 'an alternative') & ~INVERTED,
  };
}

/**
 * A feature's name as /proc/cpuinfo has it, a bug's with `bug:` before it, or the number as cpufeatures.h writes it:
 * not every one has a name.
 */
export function featureName(image: KernelImage, feature: number): string {
  const { find, list } = image.symbols;
  const names = find('x86_cap_flags');
  const bugs = find('x86_bug_flags');
  let name: string | undefined;
  if (names !== undefined && bugs !== undefined) {
    // The numbers of bugs go on where those of features end, which is where another symbol begins.
    const end = list.find(({ address }) => address > names && address < 0)?.address ?? names;
    const words = Math.floor((end - names) / (8 * 32));
    const isBug = feature >= 32 * words;
    const text = nameAt(image, isBug ? bugs + 8 * (feature - 32 * words) : names + 8 * feature);
    name = text && (isBug ? `bug:${text}` : text);
  }
  return name ?? `${feature >> 5}*32+${feature & 31}`;
}

/** The text that the pointer at `va` leads to, if it is a name. */
function nameAt(image: KernelImage, va: number): string | undefined {
  const pointer = image.bytesAt(va, 8);
  const target = pointer && new ImageBytes(pointer, image.name).address(0, 'a name');
  const bytes = target === undefined ? undefined : image.bytesAt(target, MAX_NAME);
  if (bytes === undefined) return undefined;
  const text = Buffer.from(bytes).toString('latin1').split('\0', 1)[0];
  return /^\w+$/.test(text) ? text : undefined;
}
