/**
 * S6 resume-is-exact: a return gives back what the event interrupted. To CPL0: all general registers, rip, rsp, RFLAGS,
 * address space and half of CR3, GS (symbolically: the per-CPU area of the CPU that resumes), and for an NMI also CR2,
 * DR7 by omission of writes, and the SYSCALL scratch word. Both: the selectors ES, DS and FS, and FS base. To CPL3:
 * IRQ, NMI and resolved #PF restore every register; SYSCALL all but rax, rcx and r11.
 *
 * Exceptions: a fixup of the exception table changes rip; the restart of an NMI handler that a nested NMI asked for
 * (the manifest's repeat range) is no return; a context ended by a bad IRET, and the first run of a forked task, have
 * nothing to compare with.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import {
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
} from '../../emulator/registers';
import { hex64, toVa, vaHi, vaLo } from '../../emulator/words';
import { GP, NMI, NMI_STACK, PF, SYSCALL } from '../../model/kinds';
import { NO_SNAPSHOT } from '../ghost/contexts';
import {
  CTX_CPU,
  CTX_FROM_USER_GS,
  CTX_FROM_USER_HALF,
  CTX_KIND,
  CTX_REGISTERS,
  CTX_RFLAGS,
  CTX_SP2_HI,
  CTX_SP2_LO,
  CTX_VECTOR,
  NMI_REPEAT,
} from '../ghost/ghost';
import type { Monitor } from '../monitor/monitor';
import { S6 } from './property';

/**
 * IRETQ went into the manifest's repeat range, and not because that is where the NMI had hit. Without that range, what
 * goes elsewhere on the NMI stack after another NMI has hit is taken for the repeat.
 */
export function returnsIntoRepeat(m: Monitor, cpu: Cpu, g: number, at: number): boolean {
  const { words } = m.ghost;
  const range = m.view.manifest.repeatNmi;
  if (words[at + CTX_KIND] !== NMI) return false;
  if (range === undefined)
    return words[g + NMI_REPEAT] === 1 && m.stackOf(cpu, g) === NMI_STACK && !same(m, cpu, at, RIP);
  const rip = toVa(cpu.r[RIP], cpu.r[RIP + 1]);
  const from = saved(m, at, RIP);
  return rip >= range.start && rip < range.end && !(from >= range.start && from < range.end);
}

function saved(m: Monitor, at: number, register: number): number {
  return toVa(m.ghost.words[at + CTX_REGISTERS + register], m.ghost.words[at + CTX_REGISTERS + register + 1]);
}

function same(m: Monitor, cpu: Cpu, at: number, register: number): boolean {
  const { words } = m.ghost;
  return (
    cpu.r[register] === words[at + CTX_REGISTERS + register] &&
    cpu.r[register + 1] === words[at + CTX_REGISTERS + register + 1]
  );
}

function differs(m: Monitor, cpu: Cpu, at: number, name: string, register: number, expected = register): void {
  const { words } = m.ghost;
  const before = hex64(words[at + CTX_REGISTERS + expected], words[at + CTX_REGISTERS + expected + 1]);
  m.report(
    S6,
    cpu,
    `expected ${name} ${before} as before the event, found ${hex64(cpu.r[register], cpu.r[register + 1])}`,
  );
}

function generalRegisters(m: Monitor, cpu: Cpu, at: number, clobbered: readonly number[]): void {
  for (let i = 0; i < 16; i++)
    if (!same(m, cpu, at, 2 * i) && !clobbered.includes(2 * i)) differs(m, cpu, at, GPR_NAMES[i], 2 * i);
}

/** Selectors of the data segments and the base of FS: nobody but a context switch writes them. */
function segments(m: Monitor, cpu: Cpu, at: number): void {
  for (const [name, register] of SELECTORS) {
    const before = m.ghost.words[at + CTX_REGISTERS + register];
    const found = cpu.r[register];
    if (found !== before)
      m.report(
        S6,
        cpu,
        `expected the selector ${name} ${before.toString(16)} as before the event, found ${found.toString(16)}`,
      );
  }
  if (!same(m, cpu, at, FS_BASE)) differs(m, cpu, at, 'FS base', FS_BASE);
}

function flags(m: Monitor, cpu: Cpu, expected: number): void {
  const found = cpu.rflags();
  if (((found ^ expected) & ~FLAG_RF) !== 0)
    m.report(S6, cpu, `expected RFLAGS ${expected.toString(16)} as before the event, found ${found.toString(16)}`);
}

const SELECTORS = [
  ['ES', ES],
  ['DS', DS],
  ['FS', FS],
] as const;

const NOTHING: readonly number[] = [];
const SYSCALL_CLOBBERS: readonly number[] = [RAX, RCX, R11];

/** A return to CPL3 has completed; `at` is the context that it ends. */
export function userResumeIsExact(m: Monitor, cpu: Cpu, at: number): void {
  const { words } = m.ghost;
  const kind = words[at + CTX_KIND];
  if (words[at + CTX_VECTOR] === NO_SNAPSHOT || kind === GP) return;
  segments(m, cpu, at);
  if (kind === SYSCALL) {
    generalRegisters(m, cpu, at, SYSCALL_CLOBBERS);
    if (toVa(cpu.r[RIP], cpu.r[RIP + 1]) !== saved(m, at, RCX)) differs(m, cpu, at, 'rip', RIP, RCX);
    flags(m, cpu, words[at + CTX_REGISTERS + R11]);
    systemCallResult(m, cpu);
    return;
  }
  generalRegisters(m, cpu, at, NOTHING);
  if (!same(m, cpu, at, RIP)) differs(m, cpu, at, 'rip', RIP);
  flags(m, cpu, words[at + CTX_RFLAGS]);
}

/** An image whose system calls all answer the same says so; otherwise rax is what the body made of it. */
function systemCallResult(m: Monitor, cpu: Cpu): void {
  const expected = m.view.manifest.syscallResult;
  if (expected === undefined || toVa(cpu.r[RAX], cpu.r[RAX + 1]) === expected) return;
  m.report(
    S6,
    cpu,
    `expected rax ${hex64(vaLo(expected), vaHi(expected))}, the result of every system call, found ${hex64(cpu.r[RAX], cpu.r[RAX + 1])}`,
  );
}

/** A return to CPL0 has completed; `at` is the context that it ends. */
export function kernelResumeIsExact(m: Monitor, cpu: Cpu, at: number): void {
  generalRegisters(m, cpu, at, NOTHING);
  if (!same(m, cpu, at, RIP) && !isFixup(m, cpu, at)) differs(m, cpu, at, 'rip', RIP);
  flags(m, cpu, m.ghost.words[at + CTX_RFLAGS]);
  segments(m, cpu, at);
  environment(m, cpu, at);
  if (m.ghost.words[at + CTX_KIND] === NMI) nmiLeavesNoTrace(m, cpu, at);
}

function isFixup(m: Monitor, cpu: Cpu, at: number): boolean {
  if (m.ghost.words[at + CTX_KIND] !== PF) return false;
  return m.view.manifest.exceptionTable.get(saved(m, at, RIP)) === toVa(cpu.r[RIP], cpu.r[RIP + 1]);
}

const HALF_NAMES = ['kernel', 'user'];

function environment(m: Monitor, cpu: Cpu, at: number): void {
  const { words } = m.ghost;
  const half = m.view.isUserHalf(cpu.r[CR3]) ? 1 : 0;
  if (half !== words[at + CTX_FROM_USER_HALF])
    m.report(
      S6,
      cpu,
      `expected CR3 on the ${HALF_NAMES[words[at + CTX_FROM_USER_HALF]]} half as before the event, found the ${HALF_NAMES[half]} half`,
    );
  const before = m.view.mmOfRoot(words[at + CTX_REGISTERS + CR3]);
  const mm = m.view.mmOfRoot(cpu.r[CR3]);
  if (mm !== before)
    m.report(S6, cpu, `expected CR3 of address space ${before} as before the event, found that of address space ${mm}`);
  const gs = m.view.gsIsKernels(cpu, GS_BASE) ? 0 : 1;
  if (gs !== words[at + CTX_FROM_USER_GS])
    m.report(
      S6,
      cpu,
      `expected ${words[at + CTX_FROM_USER_GS] === 0 ? 'kernel' : 'user'} GS as before the event, found GS base ${hex64(cpu.r[GS_BASE], cpu.r[GS_BASE + 1])}`,
    );
}

/**
 * An NMI can hit between a fault and the read of CR2, and between the write and the read of the SYSCALL scratch word.
 */
function nmiLeavesNoTrace(m: Monitor, cpu: Cpu, at: number): void {
  const { words } = m.ghost;
  if (!same(m, cpu, at, CR2)) differs(m, cpu, at, 'CR2', CR2);
  const pa = m.view.sp2Pa[cpu.index];
  if (pa === undefined || words[at + CTX_CPU] !== cpu.index) return;
  const { words: memory } = m.view.machine.memory;
  if (memory[pa >>> 2] !== words[at + CTX_SP2_LO] || memory[(pa >>> 2) + 1] !== words[at + CTX_SP2_HI])
    m.report(
      S6,
      cpu,
      `expected the SYSCALL scratch word ${hex64(words[at + CTX_SP2_LO], words[at + CTX_SP2_HI])} as before the NMI, found ${hex64(memory[pa >>> 2], memory[(pa >>> 2) + 1])}`,
    );
}
