/**
 * The environment of a CPU in one word, ENVIRONMENT of the ghost state, so that one comparison says whether the
 * abstract state may have changed: CPL, half, GS, IF, the stack, the two states of NMIs, the address space.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { CPL, NMI_BLOCKED, NMI_PENDING } from '../../emulator/registers';

const HALF_BIT = 2,
  GS_BIT = 3,
  INTERRUPTS_BIT = 4,
  STACK_BIT = 5,
  NMI_BLOCKED_BIT = 9,
  NMI_PENDING_BIT = 10,
  MM_BIT = 11;
/** Of the stack, and of the NMIs behind it. */
const STACK_AND_NMIS = (1 << MM_BIT) - (1 << STACK_BIT);

/** The word for a CPU whose half, GS, IF, stack and address space are known. */
export function environmentOf(
  cpu: Cpu,
  half: number,
  gs: number,
  interrupts: number,
  stack: number,
  mm: number,
): number {
  const others = cpu.r[CPL] | (half << HALF_BIT) | (gs << GS_BIT) | (interrupts << INTERRUPTS_BIT) | (mm << MM_BIT);
  return others | stackAndNmis(cpu, stack);
}

/** The same word where nothing but the stack has changed, and what may change without an instruction: NMIs. */
export function withStack(environment: number, cpu: Cpu, stack: number): number {
  return (environment & ~STACK_AND_NMIS) | stackAndNmis(cpu, stack);
}

function stackAndNmis({ r }: Cpu, stack: number): number {
  return (stack << STACK_BIT) | (r[NMI_BLOCKED] << NMI_BLOCKED_BIT) | (r[NMI_PENDING] << NMI_PENDING_BIT);
}
