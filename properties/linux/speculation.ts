/**
 * What a Linux kernel has decided to do against speculation, as it has patched its own entry code: IBRS while it runs
 * (`x86_spec_ctrl_current`, IBRS_ENTER in arch/x86/entry/calling.h), and VERW before user mode (CLEAR_CPU_BUFFERS).
 */
import type { KernelImage } from '../../emulator/linux/image/kernel-image';
import type { SpeculationControls } from '../guest/guest-view';
import type { KernelMemory } from './kernel-memory';

/** IA32_SPEC_CTRL and its bit IBRS (SDM vol. 4). */
const SPEC_CTRL = 0x48;
const IBRS = 1;
/** VERW of a word relative to RIP, without its displacement. */
const VERW = Buffer.of(0x0f, 0x00, 0x2d);
/** JMP over it. */
const SKIP_VERW = Buffer.of(0xeb, 0x07);

export function speculationControls(
  memory: KernelMemory,
  { symbols }: KernelImage,
  perCpu: readonly number[],
): SpeculationControls {
  const { machine } = memory;
  const wanted = symbols.find('x86_spec_ctrl_current');
  const rule = machine.platform.msrs.get(SPEC_CTRL);
  const word = rule?.kind === 'stored' ? rule.word : undefined;
  const start = symbols.address('__entry_text_start');
  const entryText = machine.memory.readBytes(memory.near(start), symbols.address('__entry_text_end') - start);
  return {
    wantsIbrs: (c) =>
      wanted !== undefined &&
      (machine.memory.read32(memory.near(perCpu[c] + wanted)) & IBRS) !== 0 &&
      word !== undefined,
    ibrsIsOn: (cpu) => word !== undefined && (cpu.x[word] & IBRS) !== 0,
    clearsBuffers: reachesVerw(Buffer.from(entryText)),
  };
}

/**
 * Where the kernel has decided against VERW, its alternative has left it out, or a jump over it in front (6.1, 6.12:
 * both forms of CLEAR_CPU_BUFFERS have been released).
 */
export function reachesVerw(text: Buffer): boolean {
  for (let at = text.indexOf(VERW); at >= 0; at = text.indexOf(VERW, at + VERW.length)) {
    if (at < SKIP_VERW.length || !text.subarray(at - SKIP_VERW.length, at).equals(SKIP_VERW)) return true;
  }
  return false;
}
