/**
 * What the ghost state keeps of an open context: what it interrupted, where its frame lies, and what a return has to
 * give back. Plain functions on the ghost words; when they are called is the monitor's business.
 */
import { Mnemonic } from 'iced-x86';
import type { Cpu } from '../../emulator/cpu/cpu';
import type { MicroOp } from '../../emulator/micro-op';
import type { Delivery } from '../../emulator/observer';
import { CPL, CR3, GS_BASE, RIP, RSP, VEC_NMI, VEC_PF } from '../../emulator/registers';
import { toVa } from '../../emulator/words';
import { GP, IRQ, NMI, NMI_STACK, PF, SYSCALL, USER } from '../../model/kinds';
import { type GuestView, SYSCALL_EVENT } from '../guest/guest-view';
import {
  BUFFERS_CLEARED,
  CTX_BODY,
  CTX_CPU,
  CTX_FRAME,
  CTX_FRAME_BYTES,
  CTX_FROM_INTERRUPTS,
  CTX_FROM_STACK,
  CTX_FROM_USER,
  CTX_FROM_USER_GS,
  CTX_FROM_USER_HALF,
  CTX_KIND,
  CTX_REGISTERS,
  CTX_RFLAGS,
  CTX_SP2_HI,
  CTX_SP2_LO,
  CTX_VECTOR,
  type Ghost,
  NMI_REPEAT,
  SNAPSHOT_WORDS,
  USER_GS_HI,
  USER_GS_LO,
} from './ghost';

const { Iretq } = Mnemonic;
const PAGE_MASK = 0xfffff000 | 0;

/** A context whose interrupted point nobody saw: the first-run frame of a forked task, or a frame handed over. */
export const NO_SNAPSHOT = -1;
/**
 * The abstract kind of what is delivered. Every exception of user code, and every INT n, enters as its #PF does: on the
 * stack of sp0, with the user's CR3 and GS, and IF cleared (SDM Vol. 3A, 6.12.1). What is left at CPL0 is the #GP of a
 * bad IRET.
 */
export function kindOf({ vector, source }: Delivery, fromUser: boolean): number {
  if (vector === VEC_NMI) return NMI;
  if (source === 'irq') return IRQ;
  return fromUser || vector === VEC_PF ? PF : GP;
}

/** What has opened the context `at`, as `EventHandlers` counts events. */
export function eventOf({ words }: Ghost, at: number): number {
  return words[at + CTX_KIND] === SYSCALL ? SYSCALL_EVENT : words[at + CTX_VECTOR];
}

/** A task that has never run sleeps in the body of the system call that forked it. */
export function openFirstRun(ghost: Ghost, t: number): void {
  const { words } = ghost;
  const at = ghost.open(t);
  words[at + CTX_KIND] = SYSCALL;
  words[at + CTX_BODY] = 1;
  words[at + CTX_FROM_USER] = 1;
  words[at + CTX_VECTOR] = NO_SNAPSHOT;
}

/** Copies what a return has to give back into the context whose first word is `to[at]`. */
export function snapshot(view: GuestView, cpu: Cpu, to: Int32Array, at: number): void {
  const { r } = cpu;
  const first = at + CTX_REGISTERS;
  for (let i = 0; i < SNAPSHOT_WORDS; i++) to[first + i] = r[i];
  to[at + CTX_RFLAGS] = cpu.rflags();
  to[at + CTX_CPU] = cpu.index;
  const sp2 = view.sp2Pa[cpu.index];
  if (sp2 === undefined) return;
  to[at + CTX_SP2_LO] = view.machine.memory.words[sp2 >>> 2];
  to[at + CTX_SP2_HI] = view.machine.memory.words[(sp2 >>> 2) + 1];
}

/** What a context from user mode interrupted is always the same, and is not recorded. */
export function fromUserMode(words: Int32Array, at: number): void {
  words[at + CTX_FROM_USER] = 1;
  words[at + CTX_FROM_USER_HALF] = 0;
  words[at + CTX_FROM_USER_GS] = 0;
  words[at + CTX_FROM_INTERRUPTS] = 0;
  words[at + CTX_FROM_STACK] = USER;
}

/** A 64-bit register at the point that the context `at` interrupted, as a number. */
export function savedRegister(ghost: Ghost, at: number, register: number): number {
  return toVa(ghost.words[at + CTX_REGISTERS + register], ghost.words[at + CTX_REGISTERS + register + 1]);
}

/** A 64-bit register is what it was at the point that the context `at` interrupted. */
export function isAsSaved(ghost: Ghost, cpu: Cpu, at: number, register: number): boolean {
  const saved = at + CTX_REGISTERS + register;
  return cpu.r[register] === ghost.words[saved] && cpu.r[register + 1] === ghost.words[saved + 1];
}

/**
 * IRETQ, on `stack` now, went into the manifest's repeat range, and not because that is where the NMI had hit. Without
 * that range, what goes elsewhere on the NMI stack after another NMI has hit is taken for the repeat.
 */
export function returnsIntoRepeat(view: GuestView, ghost: Ghost, cpu: Cpu, at: number, stack: number): boolean {
  const range = view.manifest.repeatNmi;
  if (ghost.words[at + CTX_KIND] !== NMI) return false;
  if (range === undefined)
    return (
      ghost.words[ghost.cpu(cpu.index) + NMI_REPEAT] === 1 && stack === NMI_STACK && !isAsSaved(ghost, cpu, at, RIP)
    );
  const rip = toVa(cpu.r[RIP], cpu.r[RIP + 1]);
  const from = savedRegister(ghost, at, RIP);
  return rip >= range.start && rip < range.end && !(from >= range.start && from < range.end);
}

/**
 * The CPU is at an IRET to user mode: one that the manifest names or, where it names none, one whose frame has a
 * selector of the user's. `control` is the last instruction that was fetched and may change CPL.
 */
export function isIretToUser(view: GuestView, cpu: Cpu, control: MicroOp | undefined): boolean {
  const { irets } = view.manifest;
  const rip = toVa(cpu.r[RIP], cpu.r[RIP + 1]);
  if (irets.length > 0) return irets.includes(rip);
  if (cpu.r[CPL] !== 0 || control?.mnemonic !== Iretq || control.va !== rip) return false;
  const cs = view.machine.readVirtual64(cpu.r[CR3] & PAGE_MASK, toVa(cpu.r[RSP], cpu.r[RSP + 1]) + 8);
  return cs !== undefined && (cs.lo & 3) === 3;
}

/** The saved registers of the innermost context of thread t from user mode are changed on purpose: nothing compares. */
export function forgetSnapshot(ghost: Ghost, t: number): void {
  for (let k = ghost.depth(t) - 1; k >= 0; k--) {
    const at = ghost.context(t, k);
    if (ghost.words[at + CTX_FROM_USER] === 0) continue;
    ghost.words[at + CTX_VECTOR] = NO_SNAPSHOT;
    return;
  }
}

/** VERW is about to be executed. */
export function clearsBuffers(ghost: Ghost, cpu: Cpu): void {
  ghost.words[ghost.cpu(cpu.index) + BUFFERS_CLEARED] = 1;
}

/** The frame is dead: copied, or no longer needed. */
export function endFrame(words: Int32Array, at: number): void {
  words[at + CTX_FRAME] = 0;
  words[at + CTX_FRAME_BYTES] = 0;
}

/** An NMI context of thread t is open (on the IST stack, if asked). */
export function nmiIsOpen(ghost: Ghost, t: number, onIst: boolean): boolean {
  for (let k = 0; k < ghost.depth(t); k++) {
    const at = ghost.context(t, k);
    if (ghost.words[at + CTX_KIND] === NMI && !(onIst && ghost.words[at + CTX_FROM_USER] === 1)) return true;
  }
  return false;
}

/**
 * rsp, just loaded from memory, is the user's again. Its value is what the user had, and it was not loaded from a word
 * in which the kernel keeps a stack pointer of its own (`operand`, its address, 0 for POP): a user can have chosen the
 * value of one of those. Where there are two tables, the user's rsp is only looked for on the user half: the kernel
 * half reads its own stacks.
 */
export function isUsersRsp(view: GuestView, ghost: Ghost, cpu: Cpu, operand: number): boolean {
  const { words } = ghost;
  const at = ghost.innermost(ghost.running(cpu.index));
  if (at < 0 || words[at + CTX_FROM_USER] === 0 || words[at + CTX_VECTOR] === NO_SNAPSHOT) return false;
  const saved = at + CTX_REGISTERS + RSP;
  if (cpu.r[RSP] !== words[saved] || cpu.r[RSP + 1] !== words[saved + 1]) return false;
  if (view.manifest.pgdUserOffset !== 0 && !view.isUserHalf(cpu.r[CR3])) return false;
  const pa = operand === 0 ? -1 : (view.machine.translate(cpu.r[CR3] & PAGE_MASK, operand)?.pa ?? -1);
  return !view.threadspPa.includes(pa) && !view.topPa.includes(pa) && pa !== view.sp0Pa(cpu.index);
}

export function knowsUserGs(ghost: Ghost, t: number): boolean {
  const at = ghost.thread(t);
  return (ghost.words[at + USER_GS_LO] | ghost.words[at + USER_GS_HI]) !== 0;
}

/**
 * Thread t has entered the kernel, with the registers of the context at `words[at]`: it gets its GS base of now back,
 * unless it has asked for a service, which may have been another GS base.
 */
export function renewUserGs(ghost: Ghost, t: number, words: Int32Array, at: number, asksForService: boolean): void {
  const gs = at + CTX_REGISTERS + GS_BASE;
  const user = ghost.thread(t);
  ghost.words[user + USER_GS_LO] = asksForService ? 0 : words[gs];
  ghost.words[user + USER_GS_HI] = asksForService ? 0 : words[gs + 1];
}

/** The GS base with which a task runs in user mode is its own from now on. */
export function rememberUserGs(ghost: Ghost, cpu: Cpu, t: number): void {
  const at = ghost.thread(t);
  ghost.words[at + USER_GS_LO] = cpu.r[GS_BASE];
  ghost.words[at + USER_GS_HI] = cpu.r[GS_BASE + 1];
}
