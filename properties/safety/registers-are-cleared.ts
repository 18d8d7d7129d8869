/**
 * S26 registers-are-cleared: when entry text first hands over to other code, no general register holds what user mode
 * had in it. What a compiler does not overwrite reaches code that may be led astray by speculation. Asked for are the
 * registers that the kernel promises; of rsi not a value of less than 33 bits, which may be the number of a system call
 * or an error code that happens to be the same, and of rcx not 48h where the kernel writes that MSR at the entry.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { CPL, GPR_NAMES, RCX, RSI } from '../../emulator/registers';
import { hex64 } from '../../emulator/words';
import { isAsSaved, NO_SNAPSHOT } from '../ghost/contexts';
import { CTX_FROM_USER, CTX_VECTOR, USER_HALF } from '../ghost/ghost';
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

/** IA32_SPEC_CTRL, which WRMSR takes in ecx. */
const SPEC_CTRL = 0x48;

/** After the first branch out of entry text. */
function registersAreCleared(scene: Scene, cpu: Cpu): Answer {
  const { ghost } = scene;
  const at = ghost.innermost(ghost.running(cpu.index));
  if (cpu.r[CPL] !== 0 || at < 0 || ghost.words[at + CTX_FROM_USER] === 0) return undefined;
  if (ghost.words[at + CTX_VECTOR] === NO_SNAPSHOT) return undefined;
  // Who hands over on the user half is S5's affair.
  if (ghost.words[ghost.cpu(cpu.index) + USER_HALF] === 1) return undefined;
  for (const register of scene.view.clearedRegisters) {
    const [lo, hi] = [cpu.r[register], cpu.r[register + 1]];
    if ((hi === 0 && (lo === 0 || register === RSI)) || !isAsSaved(ghost, cpu, at, register)) continue;
    if (register === RCX && hi === 0 && lo === SPEC_CTRL && scene.view.speculation?.wantsIbrs(cpu.index)) continue;
    return `expected ${GPR_NAMES[register / 2]} to be cleared before other code than entry text runs, found ${hex64(lo, hi)} of user mode`;
  }
  return undefined;
}

export const REGISTERS_ARE_CLEARED: BuiltInProperty = {
  number: 26,
  slug: 'registers-are-cleared',
  promise: 'No general register of user mode reaches the C code of the kernel.',
  violated: 'C code began with values of user mode in registers, which speculation may use (Spectre).',
  definition:
    'after the first branch out of entry text of a context from user mode, no general register but rax, rsi, rdi and rsp is what it was in user mode, unless that was 0; not asked on the user half, where it is S5',
  model: '-',
  mutant: 'mainline+registers-not-cleared',
  moments: { entryTextLeft: registersAreCleared },
};
