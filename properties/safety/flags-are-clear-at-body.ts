/**
 * S24 flags-are-clear-at-body: at the first instruction of ordinary kernel code (.text) of a context, DF is 0 (the ABI
 * of C code), TF and NT are 0 (a single step, and the #GP of the next IRETQ, would hit the kernel), and AC is 0 where
 * CR4.SMAP is on (or user memory would be open). The processor clears TF and NT at a delivery, DF and AC never; SYSCALL
 * clears what FMASK says (SDM Vol. 3A, 6.12.1.2; Vol. 2B, SYSCALL).
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { CR4, FLAG_AC, FLAG_DF, FLAG_NT, FLAG_TF } from '../../emulator/registers';
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

const CR4_SMAP = 1 << 21;
const ALL = FLAG_DF | FLAG_TF | FLAG_NT | FLAG_AC;

const NAMES = [
  [FLAG_DF, 'DF'],
  [FLAG_TF, 'TF'],
  [FLAG_NT, 'NT'],
  [FLAG_AC, 'AC'],
] as const;

/** Before the first instruction of the body of a context. */
function flagsAreClearAtBody(_scene: Scene, cpu: Cpu): Answer {
  if ((cpu.rflags() & ALL) === 0) return undefined;
  const smap = (cpu.r[CR4] & CR4_SMAP) !== 0;
  const set = NAMES.filter(([flag]) => (cpu.rflags() & flag) !== 0 && (flag !== FLAG_AC || smap));
  if (set.length === 0) return undefined;
  const names = set.map(([, name]) => name).join(', ');
  return `expected DF, TF, NT and AC to be 0 at the first instruction of .text, found ${names} set`;
}

export const FLAGS_ARE_CLEAR_AT_BODY: BuiltInProperty = {
  number: 24,
  slug: 'flags-are-clear-at-body',
  promise: 'Ordinary kernel code begins with DF, TF, NT and AC clear, whatever user code had set.',
  violated: "C code ran with a flag of the user's: string instructions go backwards, or user memory is open to it.",
  definition: 'at the first instruction of `.text` of a context DF, TF and NT are 0, and AC where CR4.SMAP is on',
  model: '-',
  mutant: 'mainline+df-not-cleared',
  moments: { bodyReached: flagsAreClearAtBody },
};
