/**
 * S6 in two halves, for a kernel that may change the registers of a task on purpose (signals, ptrace, the result of a
 * system call): at the first instruction of the body `pt_regs` holds what was interrupted, and a return to user mode
 * gives back what `pt_regs` holds then. In between the kernel may edit it.
 *
 * `pt_regs` is at the top of the thread's stack. Not asked: a context whose frame was not copied to there (S9 asks that
 * the thread is not scheduled out then); orig_ax but of a system call, and rax of INT 80h, which entry code makes.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { PT_REGS } from '../../emulator/linux/image/kernel-offsets';
import {
  CS,
  FLAG_ALWAYS_1,
  FLAG_RF,
  R8,
  R9,
  R10,
  R11,
  R12,
  R13,
  R14,
  R15,
  RAX,
  RBP,
  RBX,
  RCX,
  RDI,
  RDX,
  RIP,
  RSI,
  RSP,
  SS,
} from '../../emulator/registers';
import { hex64 } from '../../emulator/words';
import { SYSCALL } from '../../model/kinds';
import { NO_SNAPSHOT } from '../ghost/contexts';
import { CTX_FRAME, CTX_FROM_USER, CTX_KIND, CTX_REGISTERS, CTX_RFLAGS, CTX_VECTOR } from '../ghost/ghost';
import type { Answer } from './property';
import type { Scene } from './scene';

type Place = keyof typeof PT_REGS;

/** Where each register is kept, and which it is. */
const KEPT: readonly (readonly [Place, number])[] = [
  ['ax', RAX],
  ['bx', RBX],
  ['cx', RCX],
  ['dx', RDX],
  ['si', RSI],
  ['di', RDI],
  ['bp', RBP],
  ['r8', R8],
  ['r9', R9],
  ['r10', R10],
  ['r11', R11],
  ['r12', R12],
  ['r13', R13],
  ['r14', R14],
  ['r15', R15],
  ['ip', RIP],
  ['sp', RSP],
];
const SELECTORS: readonly (readonly [Place, number])[] = [
  ['cs', CS],
  ['ss', SS],
];
/** RF lasts for an instruction, and bit 1 is 1 whatever is loaded. */
const NOT_KEPT = FLAG_RF | FLAG_ALWAYS_1;
const INT_80 = 0x80;
/** The result that a system call has until it has another one. */
const ENOSYS = -38;

/** Before the first instruction of the body of a context. */
export function savedAsInterrupted(scene: Scene, cpu: Cpu): Answer {
  const { ghost, view } = scene;
  const { words } = ghost;
  const t = ghost.running(cpu.index);
  const at = ghost.innermost(t);
  if (at < 0 || words[at + CTX_FROM_USER] === 0 || words[at + CTX_VECTOR] === NO_SNAPSHOT) return undefined;
  const frame = view.userRegistersPa(t);
  if (frame < 0 || words[at + CTX_FRAME] !== 0) return undefined;
  const isSyscall = words[at + CTX_KIND] === SYSCALL;
  const memory = view.machine.memory.words;
  const before = at + CTX_REGISTERS;
  const wrong = (place: Place, lo: number, hi: number) => {
    const pa = (frame + PT_REGS[place]) >>> 2;
    if (memory[pa] === lo && memory[pa + 1] === hi) return undefined;
    return `expected ${place} ${hex64(lo, hi)} of user mode in pt_regs at the first instruction of .text, found ${hex64(memory[pa], memory[pa + 1])}`;
  };
  for (const [place, register] of KEPT) {
    if (place === 'ax' && (isSyscall || words[at + CTX_VECTOR] === INT_80)) continue;
    const from = isSyscall && place === 'ip' ? RCX : register;
    const answer = wrong(place, words[before + from], words[before + from + 1]);
    if (answer !== undefined) return answer;
  }
  if (!isSyscall)
    return (
      flagsAre(scene, frame, words[at + CTX_RFLAGS]) ??
      wrong('cs', words[before + CS], 0) ??
      wrong('ss', words[before + SS], 0)
    );
  return (
    flagsAre(scene, frame, words[before + R11]) ??
    wrong('ax', ENOSYS, -1) ??
    wrong('orig_ax', words[before + RAX], words[before + RAX + 1])
  );
}

function flagsAre(scene: Scene, frame: number, expected: number): Answer {
  const found = scene.view.machine.memory.words[(frame + PT_REGS.flags) >>> 2];
  if (((found ^ expected) & ~NOT_KEPT) === 0) return undefined;
  return `expected RFLAGS ${expected.toString(16)} of user mode in pt_regs at the first instruction of .text, found ${found.toString(16)}`;
}

/** A return to user mode has completed: `frame` is the physical address of the task's `pt_regs`. */
export function restoredAsSaved(scene: Scene, cpu: Cpu, frame: number): Answer {
  const memory = scene.view.machine.memory.words;
  for (const [place, register] of KEPT) {
    const pa = (frame + PT_REGS[place]) >>> 2;
    if (cpu.r[register] !== memory[pa] || cpu.r[register + 1] !== memory[pa + 1])
      return `expected ${place} ${hex64(memory[pa], memory[pa + 1])} as in pt_regs, found ${hex64(cpu.r[register], cpu.r[register + 1])}`;
  }
  for (const [place, register] of SELECTORS) {
    const saved = memory[(frame + PT_REGS[place]) >>> 2] & 0xffff;
    if (cpu.r[register] !== saved)
      return `expected ${place} ${saved.toString(16)} as in pt_regs, found ${cpu.r[register].toString(16)}`;
  }
  const flags = memory[(frame + PT_REGS.flags) >>> 2];
  if (((cpu.rflags() ^ flags) & ~NOT_KEPT) === 0) return undefined;
  return `expected RFLAGS ${flags.toString(16)} as in pt_regs, found ${cpu.rflags().toString(16)}`;
}
