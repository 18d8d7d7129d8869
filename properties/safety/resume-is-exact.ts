/**
 * S6 resume-is-exact: a return gives back what the event interrupted. To CPL0: all general registers, rip, rsp, RFLAGS,
 * address space and half of CR3, GS (symbolically: the per-CPU area of the CPU that resumes), and for an NMI also CR2,
 * DR7 by omission of writes, and the SYSCALL scratch word. Both: the selectors ES, DS and FS, and FS base. To CPL3:
 * IRQ, NMI and resolved #PF restore every register; SYSCALL all but rax, rcx and r11.
 *
 * Exceptions: a fixup of the exception table changes rip; a return that was interrupted may have been completed
 * (Linux, SRSO); the restart of an NMI handler that a nested NMI asked for
 * (the manifest's repeat range) is no return; a context ended by a bad IRET, and the first run of a forked task, have
 * nothing to compare with.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import {
  CPL,
  CR2,
  CR3,
  DS,
  ES,
  FLAG_RF,
  FS,
  FS_BASE,
  GPR_NAMES,
  GS_BASE,
  R11,
  RAX,
  RCX,
  RIP,
  RSP,
  VEC_BP,
} from '../../emulator/registers';
import { hex64, toVa, vaHi, vaLo } from '../../emulator/words';
import { GP, NMI, SYSCALL } from '../../model/kinds';
import { isAsSaved, NO_SNAPSHOT, savedRegister } from '../ghost/contexts';
import {
  CTX_CPU,
  CTX_FAULT,
  CTX_FRAME,
  CTX_FROM_USER_GS,
  CTX_FROM_USER_HALF,
  CTX_KIND,
  CTX_REGISTERS,
  CTX_RFLAGS,
  CTX_SP2_HI,
  CTX_SP2_LO,
  CTX_VECTOR,
} from '../ghost/ghost';
import { completedReturn } from './completed-return';
import { mayComeBackWithOtherBase } from './null-segment';
import type { Answer, BuiltInProperty } from './property';
import { restoredAsSaved, savedAsInterrupted } from './saved-registers';
import type { Scene } from './scene';

function differs(scene: Scene, cpu: Cpu, at: number, name: string, register: number, expected = register): string {
  const { words } = scene.ghost;
  const before = hex64(words[at + CTX_REGISTERS + expected], words[at + CTX_REGISTERS + expected + 1]);
  return `expected ${name} ${before} as before the event, found ${hex64(cpu.r[register], cpu.r[register + 1])}`;
}

function generalRegisters(scene: Scene, cpu: Cpu, at: number, clobbered: readonly number[]): Answer {
  for (let i = 0; i < GPR_NAMES.length; i++)
    if (!isAsSaved(scene.ghost, cpu, at, 2 * i) && !clobbered.includes(2 * i))
      return differs(scene, cpu, at, GPR_NAMES[i], 2 * i);
  return undefined;
}

/** Selectors of the data segments and the base of FS: nobody but a context switch writes them. */
function segments(scene: Scene, cpu: Cpu, at: number): Answer {
  for (const [name, register] of SELECTORS) {
    const before = scene.ghost.words[at + CTX_REGISTERS + register];
    const found = cpu.r[register];
    if (found !== before)
      return `expected the selector ${name} ${before.toString(16)} as before the event, found ${found.toString(16)}`;
  }
  if (isAsSaved(scene.ghost, cpu, at, FS_BASE)) return undefined;
  const { words } = scene.ghost;
  const base = at + CTX_REGISTERS + FS_BASE;
  if (scene.view.kernelSetsRegisters && mayComeBackWithOtherBase(cpu, FS, words[base], words[base + 1]))
    return undefined;
  return differs(scene, cpu, at, 'FS base', FS_BASE);
}

function flags(cpu: Cpu, expected: number): Answer {
  const found = cpu.rflags();
  if (((found ^ expected) & ~FLAG_RF) === 0) return undefined;
  return `expected RFLAGS ${expected.toString(16)} as before the event, found ${found.toString(16)}`;
}

const SELECTORS = [
  ['ES', ES],
  ['DS', DS],
  ['FS', FS],
] as const;

const NOTHING: readonly number[] = [];
const ONLY_RSP: readonly number[] = [RSP];
const ALL_BUT_RSP: readonly number[] = GPR_NAMES.map((_, i) => 2 * i).filter((register) => register !== RSP);
const SYSCALL_CLOBBERS: readonly number[] = [RAX, RCX, R11];

/** A return has completed; `at` is the context that it ends. */
function resumeIsExact(scene: Scene, cpu: Cpu, at: number): Answer {
  return cpu.r[CPL] === 3 ? userResumeIsExact(scene, cpu, at) : kernelResumeIsExact(scene, cpu, at);
}

function userResumeIsExact(scene: Scene, cpu: Cpu, at: number): Answer {
  const { words } = scene.ghost;
  const kind = words[at + CTX_KIND];
  const frame = scene.view.userRegistersPa(scene.ghost.running(cpu.index));
  if (frame >= 0) return words[at + CTX_FRAME] === 0 ? restoredAsSaved(scene, cpu, frame) : undefined;
  if (words[at + CTX_VECTOR] === NO_SNAPSHOT || kind === GP) return undefined;
  if (kind === SYSCALL)
    return (
      segments(scene, cpu, at) ??
      generalRegisters(scene, cpu, at, SYSCALL_CLOBBERS) ??
      systemCallReturnsToRcx(scene, cpu, at) ??
      flags(cpu, words[at + CTX_REGISTERS + R11]) ??
      systemCallResult(scene, cpu)
    );
  return (
    segments(scene, cpu, at) ??
    generalRegisters(scene, cpu, at, NOTHING) ??
    (isAsSaved(scene.ghost, cpu, at, RIP) ? undefined : differs(scene, cpu, at, 'rip', RIP)) ??
    flags(cpu, words[at + CTX_RFLAGS])
  );
}

function systemCallReturnsToRcx(scene: Scene, cpu: Cpu, at: number): Answer {
  const returned = toVa(cpu.r[RIP], cpu.r[RIP + 1]) === savedRegister(scene.ghost, at, RCX);
  return returned ? undefined : differs(scene, cpu, at, 'rip', RIP, RCX);
}

/** An image whose system calls all answer the same says so; otherwise rax is what the body made of it. */
function systemCallResult(scene: Scene, cpu: Cpu): Answer {
  const expected = scene.view.manifest.syscallResult;
  if (expected === undefined || toVa(cpu.r[RAX], cpu.r[RAX + 1]) === expected) return undefined;
  return `expected rax ${hex64(vaLo(expected), vaHi(expected))}, the result of every system call, found ${hex64(cpu.r[RAX], cpu.r[RAX + 1])}`;
}

function kernelResumeIsExact(scene: Scene, cpu: Cpu, at: number): Answer {
  const { words } = scene.ghost;
  const fixedUp = isFixup(scene, cpu, at);
  const completed = isCompletedReturn(scene, cpu, at);
  const replaced = isReplaced(scene, at);
  const goesOn = fixedUp || completed || replaced || isAsSaved(scene.ghost, cpu, at, RIP);
  const changed = completed || replaced ? ONLY_RSP : fixedUp && scene.view.kernelSetsRegisters ? ALL_BUT_RSP : NOTHING;
  return (
    generalRegisters(scene, cpu, at, changed) ??
    (goesOn ? undefined : differs(scene, cpu, at, 'rip', RIP)) ??
    flags(cpu, words[at + CTX_RFLAGS]) ??
    segments(scene, cpu, at) ??
    environment(scene, cpu, at, fixedUp && scene.view.kernelSetsRegisters) ??
    (words[at + CTX_KIND] === NMI ? nmiLeavesNoTrace(scene, cpu, at) : undefined)
  );
}

function isFixup(scene: Scene, cpu: Cpu, at: number): boolean {
  if (scene.ghost.words[at + CTX_FAULT] === 0) return false;
  const fixup = scene.view.manifest.exceptionTable.get(savedRegister(scene.ghost, at, RIP));
  return fixup === toVa(cpu.r[RIP], cpu.r[RIP + 1]);
}

/** A return was interrupted, and goes on as if it had been executed. */
function isCompletedReturn(scene: Scene, cpu: Cpu, at: number): boolean {
  const completed = completedReturn(scene, at);
  return completed !== undefined && cpu.rsp() === completed.sp && cpu.rip() === completed.ip;
}

/** Code is being patched: what INT3 stands for in the meantime, its handler does (text_poke_bp of Linux). */
function isReplaced({ view, ghost: { words } }: Scene, at: number): boolean {
  return view.kernelSetsRegisters && words[at + CTX_VECTOR] === VEC_BP;
}

const HALF_NAMES = ['kernel', 'user'];

/** `setsGs`: a fixup may go on with the kernel's GS, whatever the instruction that has faulted ran with. */
function environment(scene: Scene, cpu: Cpu, at: number, setsGs: boolean): Answer {
  const { words } = scene.ghost;
  const half = scene.view.isUserHalf(cpu.r[CR3]) ? 1 : 0;
  if (half !== words[at + CTX_FROM_USER_HALF])
    return `expected CR3 on the ${HALF_NAMES[words[at + CTX_FROM_USER_HALF]]} half as before the event, found the ${HALF_NAMES[half]} half`;
  const before = scene.view.mmOfRoot(words[at + CTX_REGISTERS + CR3]);
  const mm = scene.view.mmOfRoot(cpu.r[CR3]);
  if (mm !== before && !scene.view.borrowsTables(scene.ghost.running(cpu.index)))
    return `expected CR3 of address space ${before} as before the event, found that of address space ${mm}`;
  const gs = scene.view.gsIsKernels(cpu, GS_BASE) ? 0 : 1;
  if (gs !== words[at + CTX_FROM_USER_GS] && !(setsGs && gs === 0))
    return `expected ${words[at + CTX_FROM_USER_GS] === 0 ? 'kernel' : 'user'} GS as before the event, found GS base ${hex64(cpu.r[GS_BASE], cpu.r[GS_BASE + 1])}`;
  return undefined;
}

/**
 * An NMI can hit between a fault and the read of CR2, and between the write and the read of the SYSCALL scratch word.
 */
function nmiLeavesNoTrace(scene: Scene, cpu: Cpu, at: number): Answer {
  const { words } = scene.ghost;
  if (!isAsSaved(scene.ghost, cpu, at, CR2)) return differs(scene, cpu, at, 'CR2', CR2);
  const pa = scene.view.sp2Pa[cpu.index];
  if (pa === undefined || words[at + CTX_CPU] !== cpu.index) return undefined;
  const { words: memory } = scene.view.machine.memory;
  if (memory[pa >>> 2] !== words[at + CTX_SP2_LO] || memory[(pa >>> 2) + 1] !== words[at + CTX_SP2_HI])
    return `expected the SYSCALL scratch word ${hex64(words[at + CTX_SP2_LO], words[at + CTX_SP2_HI])} as before the NMI, found ${hex64(memory[pa >>> 2], memory[(pa >>> 2) + 1])}`;
  return undefined;
}

export const RESUME_IS_EXACT: BuiltInProperty = {
  number: 6,
  slug: 'resume-is-exact',
  promise: 'What an event interrupted goes on exactly as it was: registers, stack, CR3, GS, scratch words.',
  violated: 'An interrupted context was resumed with something changed: corruption that shows much later.',
  definition:
    "a return gives back what was interrupted. To CPL0: general registers, rsp, rip, RFLAGS (but RF), half and mm of CR3, whether GS is the kernel's; for an NMI also CR2 and the sp2 word. To CPL3: general registers, rsp, rip, RFLAGS; of SYSCALL all but rax, rcx, r11, with rip = rcx and RFLAGS = r11 of the entry, and rax = `manifest.syscall_result` where the image has it. Both: the selectors ES, DS, FS, and FS base. Not asked of a context whose saved registers were changed on purpose (`manifest.regs_changed.*`)",
  model: 'requires: half of CR3 and GS of a return to CPL0',
  mutant: 'mainline+no-cr3-restore-on-nmi-exit',
  needs: [
    { symbol: 'manifest.percpu.sp2', part: 'the SYSCALL scratch word' },
    { symbol: 'manifest.repeat_nmi', part: 'of an NMI that another NMI has hit' },
    { symbol: 'manifest.end_repeat_nmi', part: 'of an NMI that another NMI has hit' },
    { symbol: 'manifest.syscall_result', part: 'rax of a system call' },
  ],
  moments: { bodyReached: savedAsInterrupted, returned: resumeIsExact },
};
