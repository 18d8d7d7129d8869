/**
 * Where in a kernel's text is what: entry code, code that must not be instrumented, thunks, and the single places that
 * a reader of a run has to know. Addresses are those of the link, sign-folded: a kernel that is loaded by its vmlinux
 * runs there.
 */
import { ImageBytes } from './image-bytes';
import type { KernelImage } from './kernel-image';
import { KernelImageError } from './kernel-image-error';

/** Virtual addresses from `start` up to and without `end`. */
interface CodeExtent {
  readonly start: number;
  readonly end: number;
}

/**
 * What code is: the assembler of the entry paths; C that may run before the kernel's state is established
 * (`noinstr`); a thunk through which calls and returns of all others go; or anything else.
 */
type CodeKind = 'entry' | 'noinstr' | 'thunk' | 'other';

export interface KernelCode {
  /** All text that is kept after the boot. */
  readonly text: CodeExtent;
  readonly entry: CodeExtent;
  readonly noinstr: CodeExtent;
  /** In ascending order. */
  readonly thunks: readonly CodeExtent[];
  /** entry_SYSCALL_64: where SYSCALL leads. */
  readonly systemCall: number;
  /** __switch_to_asm: RSP goes from one task's stack to another's. */
  readonly switchTo: number;
  /** native_irq_return_iret: the one IRET of all returns but that of an NMI, and where its faults are. */
  readonly iret: number;
  /** The NMI's gate, the C function behind it, and the instructions that an NMI in an NMI makes run again. */
  readonly nmi: { readonly gate: number; readonly body: number; readonly repeat: CodeExtent };
  /** Functions that a kernel only enters when it gives up: panic, an oops. */
  readonly failures: readonly number[];
  /** The exception table: which instruction may fault, and where it goes on then. */
  readonly fixups: ReadonlyMap<number, number>;
  /** Undefined outside the text. */
  kindAt(va: number): CodeKind | undefined;
}

/** Thunks of indirect calls and of returns, by their names: they are linked behind the entry text, or in it. */
const THUNK =
  /^(__x86_(indirect|return)_\w*thunk\w*|(srso|srso_alias|retbleed|zen)_(untrain_ret|safe_ret|return_thunk)|(its|call_depth)_return_thunk|entry_untrain_ret)$/;

/** No thunk is longer, in bytes: behind the last one of a section there may be a megabyte of INT3. */
const MAX_THUNK = 256;

const FAILURES = ['panic', 'oops_begin', 'oops_enter'];

/** An entry of the exception table: offsets of instruction and fixup, each from its own place, and a type. */
const FIXUP_SIZE = 12;

/** Of images that are still there: several readers of one ask for its places. */
const known = new WeakMap<KernelImage, KernelCode>();

/**
 * The places of a kernel.
 * @throws KernelImageError if one of them is not among its symbols
 */
export function readKernelCode(image: KernelImage): KernelCode {
  const code = known.get(image) ?? placesOf(image);
  known.set(image, code);
  return code;
}

function placesOf(image: KernelImage): KernelCode {
  const { symbols } = image;
  const between = (start: string, end: string): CodeExtent => extent(image, start, end);
  const text = between('_stext', '_etext');
  const entry = between('__entry_text_start', '__entry_text_end');
  const noinstr = between('__noinstr_text_start', '__noinstr_text_end');
  const thunks = thunksOf(image);
  return {
    text,
    entry,
    noinstr,
    thunks,
    systemCall: symbols.address('entry_SYSCALL_64'),
    switchTo: symbols.address('__switch_to_asm'),
    iret: symbols.address('native_irq_return_iret'),
    nmi: {
      gate: symbols.address('asm_exc_nmi'),
      body: symbols.address('exc_nmi'),
      repeat: between('repeat_nmi', 'end_repeat_nmi'),
    },
    failures: FAILURES.map((name) => symbols.find(name)).filter((va) => va !== undefined),
    fixups: readFixups(image),
    kindAt: (va) => {
      if (isThunk(thunks, va)) return 'thunk';
      if (isIn(entry, va)) return 'entry';
      if (isIn(noinstr, va)) return 'noinstr';
      return isIn(text, va) ? 'other' : undefined;
    },
  };
}

function isIn({ start, end }: CodeExtent, va: number): boolean {
  return start <= va && va < end;
}

function isThunk(thunks: readonly CodeExtent[], va: number): boolean {
  let low = 0;
  let high = thunks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (thunks[middle].start <= va) low = middle + 1;
    else high = middle;
  }
  return low > 0 && va < thunks[low - 1].end;
}

function extent(image: KernelImage, first: string, last: string): CodeExtent {
  const start = image.symbols.address(first);
  const end = image.symbols.address(last);
  if (start <= end) return { start, end };
  throw new KernelImageError(
    'damaged',
    `${image.name}: expected ${first} below ${last}, found it above; the symbols are damaged, so copy the file again.`,
  );
}

function thunksOf({ symbols: { list } }: KernelImage): CodeExtent[] {
  const thunks: CodeExtent[] = [];
  for (const [i, { name, address: start }] of list.entries()) {
    if (!THUNK.test(name) || thunks.at(-1)?.start === start) continue;
    let next = i + 1;
    while (next < list.length && list[next].address === start) next++;
    const end = Math.min(list[next]?.address ?? start + MAX_THUNK, start + MAX_THUNK);
    thunks.push({ start, end });
  }
  return thunks;
}

function readFixups(image: KernelImage): ReadonlyMap<number, number> {
  const fixups = new Map<number, number>();
  const section = image.sections.get('__ex_table');
  const bytes = image.sectionBytes('__ex_table');
  if (section === undefined || bytes === undefined) return fixups;
  const table = new ImageBytes(bytes, `${image.name}, __ex_table`);
  for (let at = 0; at + FIXUP_SIZE <= bytes.length; at += FIXUP_SIZE) {
    const instruction = section.addr + at + table.i32(at, 'an instruction');
    fixups.set(instruction, section.addr + at + 4 + table.i32(at + 4, 'a fixup'));
  }
  return fixups;
}
