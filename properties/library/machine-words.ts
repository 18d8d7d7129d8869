/**
 * Where a property of one's own finds a register or a word of the ghost state: the indices by their names, as the
 * emulator and the ghost state have them.
 */
import * as allRegisters from '../../emulator/registers';
import * as allGhosts from '../ghost/ghost';

/** The numbers of a module, by their names. */
type Numbers<M> = { readonly [K in keyof M as M[K] extends number ? K : never]: number };

/**
 * Words of a CPU's registers (`cpu.r[registers.CR4]`), flags (`FLAG_IF`) and vectors (`VEC_NMI`), by their SDM names. A
 * 64-bit register is two words, the low one first.
 */
export const registers: Numbers<typeof allRegisters> = allRegisters;

/**
 * Words of the ghost state (`scene.ghost.words[scene.ghost.cpu(0) + ghost.RUNNING]`): of a CPU, of a thread, and, with
 * the prefix CTX_, of an open context.
 */
export const ghost: Numbers<typeof allGhosts> = allGhosts;
