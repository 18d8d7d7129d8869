/**
 * Which instructions of a kernel an emulator does not execute: its entry code, the code that must not be instrumented,
 * the scheduler, the switch, and all of its text, each symbol decoded from its beginning, and with each the
 * alternatives that the kernel may patch into it. Linear, so that padding behind a jump counts as instructions, too.
 */
import '../../decode/iced';
import { Code, Decoder, DecoderOptions, type Instruction } from 'iced-x86';
import { toBigInt, vaHi, vaLo } from '../../words';
import { readAlternatives } from './alternatives';
import type { KernelImage } from './kernel-image';

/** Does the emulator execute it? */
type Executes = (instruction: Instruction) => boolean;

/** What is missing of one kind, and where: the first place, and how many there are. */
interface MissingInstruction {
  /** Text of the first one, in the assembler's own words. */
  readonly text: string;
  count: number;
  /** Address of the first one; in a replacement, of the code that it replaces. */
  readonly va: number;
}

export interface RegionCoverage {
  readonly name: string;
  /** Bytes of code, without the replacements. */
  readonly size: number;
  readonly instructions: number;
  /** Of `instructions`, those that are only there in a replacement. */
  readonly replacements: number;
  /** By mnemonic, the most frequent one first. */
  readonly missing: readonly MissingInstruction[];
}

interface Extent {
  readonly start: number;
  readonly end: number;
}

/** Regions between two symbols of the linker script. */
const REGIONS: readonly (readonly [name: string, start: string, end: string])[] = [
  ['entry text', '__entry_text_start', '__entry_text_end'],
  ['noinstr text', '__noinstr_text_start', '__noinstr_text_end'],
  ['scheduler text', '__sched_text_start', '__sched_text_end'],
];

/** What runs between one task's stack and page tables and another's, and is not in the regions above. */
const SWITCH_FUNCTIONS: ReadonlySet<string> = new Set([
  '__switch_to',
  '__switch_to_asm',
  '__switch_to_xtra',
  'cr4_update_irqsoff',
  'enter_lazy_tlb',
  'finish_task_switch.isra.0',
  'load_new_mm_cr3',
  'native_load_gs_index',
  'native_load_tls',
  'ret_from_fork',
  'ret_from_fork_asm',
  'switch_mm',
  'switch_mm_irqs_off',
]);

/**
 * The coverage of each region that the image has.
 * @param isWanted which regions are decoded, by name; all of .text takes seconds
 */
export function instructionCoverage(
  image: KernelImage,
  executes: Executes,
  isWanted: (region: string) => boolean = () => true,
): RegionCoverage[] {
  const { symbols } = image;
  const functions = functionsOf(image);
  const regions = new Map<string, Extent[]>();
  for (const [name, start, end] of REGIONS) {
    const from = symbols.find(start);
    const to = symbols.find(end);
    if (from === undefined || to === undefined) continue;
    const isInside = (extent: Extent) => extent.start >= from && extent.end <= to;
    regions.set(name, functions.filter(isInside));
  }
  const switches = symbols.list.filter(({ name }) => SWITCH_FUNCTIONS.has(name)).map(({ address }) => address);
  regions.set(
    'switch functions',
    functions.filter(({ start }) => switches.includes(start)),
  );
  const text = image.sections.get('.text');
  if (text !== undefined) {
    const isText = ({ start, end }: Extent) => start >= text.addr && end <= text.addr + text.size;
    regions.set('all of .text', functions.filter(isText));
  }
  return Array.from(regions)
    .filter(([name]) => isWanted(name))
    .map(([name, extents]) => cover(image, name, extents, executes));
}

/** From each symbol to the next one; the last one of the image has no end, and per-CPU variables are no code. */
function functionsOf({ symbols }: KernelImage): Extent[] {
  const starts = [...new Set(symbols.list.map(({ address }) => address))].filter((va) => va < 0);
  return starts.slice(0, -1).map((start, i) => ({ start, end: starts[i + 1] }));
}

function cover(image: KernelImage, name: string, extents: readonly Extent[], executes: Executes): RegionCoverage {
  const missing = new Map<string, MissingInstruction>();
  let size = 0;
  let instructions = 0;
  let replacements = 0;
  const count = (va: number, length: number, site?: number) =>
    decode(image, va, length, (instruction, at) => {
      if (!executes(instruction)) note(missing, instruction, site ?? at);
    });
  for (const { start, end } of extents) {
    size += end - start;
    instructions += count(start, end - start);
  }
  const inRegion = membership(extents);
  for (const { site, replacement, length } of readAlternatives(image)) {
    if (length > 0 && inRegion(site)) replacements += count(replacement, length, site);
  }
  return {
    name,
    size,
    instructions: instructions + replacements,
    replacements,
    missing: [...missing.values()].sort((a, b) => b.count - a.count),
  };
}

/** Is an address in one of the extents, which ascend? */
function membership(extents: readonly Extent[]): (va: number) => boolean {
  return (va) => {
    let low = 0;
    let high = extents.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (extents[middle].start <= va) low = middle + 1;
      else high = middle;
    }
    return low > 0 && va < extents[low - 1].end;
  };
}

/** Decodes `length` bytes, and answers how many instructions they are; bytes that are none are data, and skipped. */
function decode(
  image: KernelImage,
  va: number,
  length: number,
  visit: (instruction: Instruction, va: number) => void,
): number {
  const bytes = image.bytesAt(va, length);
  if (bytes === undefined) return 0;
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  decoder.ip = toBigInt(vaLo(va), vaHi(va));
  let instructions = 0;
  while (decoder.canDecode) {
    const at = decoder.position;
    const instruction = decoder.decode();
    if (instruction.code !== Code.INVALID) instructions++;
    visit(instruction, va + at);
    instruction.free();
  }
  decoder.free();
  return instructions;
}

function note(missing: Map<string, MissingInstruction>, instruction: Instruction, va: number): void {
  const text = instruction.toString();
  const kind = text.split(' ', 1)[0];
  const known = missing.get(kind);
  if (known === undefined) missing.set(kind, { text, count: 1, va });
  else known.count++;
}
