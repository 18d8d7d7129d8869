/**
 * At which boundaries of a booted kernel a sweep lets events happen: in the entry and exit code, in C code that must
 * not be instrumented (`noinstr`), and where the scheduler goes from one task to another. In user mode everywhere but
 * in the routine of our program that prepares the next excursion.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import type { KernelCode } from '../../emulator/linux/image/kernel-code';
import type { KernelSymbols } from '../../emulator/linux/image/kernel-symbols';
import { CPL, RIP } from '../../emulator/registers';
import { vaHi, vaLo } from '../../emulator/words';

/** What the CPU executes next. `body`: anything else. */
export type CodeClass = 'user' | 'entry' | 'noinstr' | 'switch' | 'body';

/** The functions on the way from one task to another, without what compilers append to their names. */
const SWITCH =
  /^(__switch_to_asm|__switch_to|switch_mm_irqs_off|finish_task_switch|__schedule|ret_from_fork(_asm)?|schedule_tail)(\.(isra|constprop|part|cold)\.?\d*)*$/;

/** Of low words: the kernel's text lies within 4 GiB, and so does our program. As numbers from 0 to 2^32. */
interface LowExtent {
  readonly start: number;
  readonly end: number;
}

export interface SweptCodeSource {
  readonly code: Pick<KernelCode, 'entry' | 'noinstr'> & { readonly nmi?: Pick<KernelCode['nmi'], 'repeat'> };
  readonly symbols: Pick<KernelSymbols, 'list'>;
  /** Where our program prepares the next excursion: user addresses. */
  readonly preparation: LowExtent;
}

export class SweptCode {
  /** High word of all addresses of the kernel's text. */
  private readonly high: number;
  private readonly entry: LowExtent;
  private readonly noinstr: LowExtent;
  private readonly switches: readonly LowExtent[];
  private readonly preparation: LowExtent;
  private readonly repeat: LowExtent;

  constructor({ code, symbols, preparation }: SweptCodeSource) {
    this.high = vaHi(code.entry.start);
    this.entry = lowExtent(code.entry);
    this.noinstr = lowExtent(code.noinstr);
    this.preparation = preparation;
    this.repeat = code.nmi === undefined ? { start: 0, end: 0 } : lowExtent(code.nmi.repeat);
    const { list } = symbols;
    this.switches = list.flatMap(({ name, address }, i) => {
      if (!SWITCH.test(name)) return [];
      const next = list.slice(i + 1).find((symbol) => symbol.address > address);
      return next === undefined ? [] : [lowExtent({ start: address, end: next.address })];
    });
  }

  /** The CPU is where an NMI that another one has hit is prepared for its repetition. */
  repeatsNmi({ r }: Cpu): boolean {
    return r[CPL] === 0 && r[RIP + 1] === this.high && isIn(this.repeat, r[RIP] >>> 0);
  }

  classOf({ r }: Cpu): CodeClass {
    const at = r[RIP] >>> 0;
    if (r[CPL] === 3) return isIn(this.preparation, at) ? 'body' : 'user';
    if (r[RIP + 1] !== this.high) return 'body';
    if (isIn(this.entry, at)) return 'entry';
    if (isIn(this.noinstr, at)) return 'noinstr';
    for (const extent of this.switches) if (isIn(extent, at)) return 'switch';
    return 'body';
  }
}

function lowExtent({ start, end }: LowExtent): LowExtent {
  return { start: vaLo(start) >>> 0, end: vaLo(end) >>> 0 };
}

function isIn({ start, end }: LowExtent, at: number): boolean {
  return start <= at && at < end;
}
