/**
 * How a second CPU gets into the kernel. A start-up IPI names the page of the kernel's real-mode trampoline, which goes
 * through protected mode to `trampoline_header.start` on the page tables `trampoline_pgd`. There is no real mode here,
 * so the CPU begins where the trampoline ends. Both are found from the blob itself: it begins with `struct
 * real_mode_header` (Linux, arch/x86/include/asm/realmode.h), whose third word is the address in the IPI. No symbols
 * are needed.
 *
 *   real_mode_header   0 text_start | 4 ro_end | 8 trampoline_start | 12 trampoline_header | 16
 * (sev_es_trampoline_start)
 *                      .. trampoline_start64, trampoline_pgd | ..
 *   trampoline_header  0 start | 8 efer | 16 cr4 | 20 flags
 */
import type { Cpu } from '../../cpu/cpu';
import type { PhysicalMemory } from '../../memory/physical-memory';
import { toVa } from '../../words';
import { startInLongMode } from './long-mode';

const PAGE = 4096;
/** The blob has fewer pages before its code. */
const MOST_PAGES = 16;
/** The root of the trampoline's page tables is one of the words after the header's, at a page boundary. */
const FIRST_PGD_WORD = 4,
  LAST_PGD_WORD = 7;
const LAST_ENTRY = 511 * 8;
/** The trampoline's stack is that of nobody: within the lowest 64 KiB, which the kernel keeps and does not use. */
const STACK_TOP = 0x9000;

/** The trampoline is not one that is known: the message says what was expected. */
export class TrampolineError extends Error {
  override readonly name = 'TrampolineError';
}

/** Of a kernel's boot: a CPU that waits for it leaves its wait. */
export function startSecondary(cpu: Cpu, vector: number): void {
  const { memory } = cpu;
  const code = vector * PAGE;
  const header = findHeader(memory, code);
  const trampoline = memory.read32(header + 12);
  startInLongMode(cpu, {
    rip: toVa(memory.read32(trampoline), memory.read32(trampoline + 4)),
    rsp: STACK_TOP,
    rsi: 0,
    cr3: findRoot(memory, header),
    cr4: memory.read32(trampoline + 16),
    efer: memory.read32(trampoline + 8),
  });
}

function findHeader(memory: PhysicalMemory, code: number): number {
  for (let at = code; at >= Math.max(0, code - MOST_PAGES * PAGE); at -= PAGE) {
    const [textStart, , start, trampoline] = [0, 4, 8, 12].map((offset) => memory.read32(at + offset));
    if (start === code && textStart > at && textStart <= code && trampoline > at && trampoline < 0x100000) return at;
  }
  throw new TrampolineError(
    `expected the kernel's real-mode trampoline at or below physical 0x${code.toString(16)}, where the start-up IPI leads, found no header of one`,
  );
}

function findRoot(memory: PhysicalMemory, header: number): number {
  for (let word = FIRST_PGD_WORD; word <= LAST_PGD_WORD; word++) {
    const root = memory.read32(header + word * 4);
    if (root > header && root < 0x100000 && root % PAGE === 0 && (memory.read32(root + LAST_ENTRY) & 1) !== 0)
      return root;
  }
  throw new TrampolineError(
    `expected page tables of the real-mode trampoline in its header at physical 0x${header.toString(16)}, found none`,
  );
}
