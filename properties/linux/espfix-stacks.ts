/**
 * The stacks from which IRET returns to a 16-bit stack segment (arch/x86/kernel/espfix_64.c): 64 bytes for each CPU,
 * mapped read-only at 65,536 addresses that differ in bits 16 to 31. An IRET that faults there cannot push a frame: #DF
 * by design, from which the kernel makes the #GP that it stands for.
 */
import type { KernelImage } from '../../emulator/linux/image/kernel-image';
import { toVa, vaHi, vaLo } from '../../emulator/words';
import { ENTRY } from '../../model/kinds';
import type { StackRegion } from '../guest/regions';
import type { KernelMemory } from './kernel-memory';

/** The top-level entry of all of them: ESPFIX_BASE_ADDR, and where the next entry begins. */
export const ESPFIX = { start: -(2 ** 40), end: -(2 ** 39) };
const STACK_BYTES = 64;
const LOW_16 = 0xffff;

export class EspfixStacks {
  /** By CPU: the lowest address, with zeros in bits 16 to 31; 0 for none. */
  private readonly bases: readonly number[];

  constructor(
    memory: Pick<KernelMemory, 'near' | 'pointerAt'>,
    image: { readonly symbols: Pick<KernelImage['symbols'], 'find'> },
    perCpu: readonly number[],
  ) {
    const offset = image.symbols.find('espfix_stack');
    this.bases = offset === undefined ? [] : perCpu.map((base) => memory.pointerAt(memory.near(base + offset)));
  }

  regionOf(rsp: number): StackRegion | undefined {
    if (rsp < ESPFIX.start || rsp >= ESPFIX.end) return undefined;
    for (const [cpu, base] of this.bases.entries()) {
      const start = toVa((vaLo(rsp) & ~LOW_16) | (vaLo(base) & LOW_16), vaHi(rsp));
      const end = start + STACK_BYTES;
      if (base !== 0 && vaHi(base) === vaHi(rsp) && rsp >= start && rsp <= end)
        return { kind: ENTRY, thread: -1, cpu, start, end, name: `espfix(c${cpu})` };
    }
    return undefined;
  }
}
