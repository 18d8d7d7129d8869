/**
 * Keeps the ghost state: which contexts are open and what they interrupted, which thread runs, where rsp comes from and
 * what the environment (CPL, half, GS, IF, stack) of each CPU is. It is told what the hardware does, and knows no
 * property. Where a method answers a truth value, it says whether the abstract state may have changed.
 */
import { Code, Mnemonic } from 'iced-x86';
import type { Cpu } from '../../emulator/cpu/cpu';
import { type MicroOp, OP_MEM_READ } from '../../emulator/micro-op';
import type { Delivery } from '../../emulator/observer';
import { CPL, CR2, CR3, EA, EFLAGS, FLAG_IF, GS_BASE, ICOUNT, RIP, RSP, VEC_NMI } from '../../emulator/registers';
import { toVa } from '../../emulator/words';
import { CR3_WINDOW, NMI, SYSCALL, USER } from '../../model/kinds';
import {
  endFrame,
  fromUserMode,
  isUsersRsp,
  kindOf,
  knowsUserGs,
  NO_SNAPSHOT,
  nmiIsOpen,
  openFirstRun,
  rememberUserGs,
  renewUserGs,
  snapshot,
} from '../ghost/contexts';
import {
  BEYOND_ENTRY_TEXT,
  BUFFERS_CLEARED,
  BY_ENTRY_TEXT,
  CR3_IN_RSP,
  CTX_BODY,
  CTX_CR2_HI,
  CTX_CR2_LO,
  CTX_ERROR,
  CTX_FAULT,
  CTX_FRAME,
  CTX_FRAME_BYTES,
  CTX_FRAME_HI,
  CTX_FRAME_LO,
  CTX_FROM_INTERRUPTS,
  CTX_FROM_STACK,
  CTX_FROM_USER,
  CTX_FROM_USER_GS,
  CTX_FROM_USER_HALF,
  CTX_KIND,
  CTX_VECTOR,
  CTX_WORDS,
  ENTERING,
  ENVIRONMENT,
  type Ghost,
  HANDS_OVER,
  INTERRUPTS,
  LEGAL_POP_BYTES,
  LEGAL_PUSH_BYTES,
  NMI_AGAIN,
  NMI_OWED,
  NMI_REPEAT,
  PROGRESS_AT,
  RSP_SAVED,
  RUNNING,
  STACK,
  USER_GS,
  USER_HALF,
  USER_RSP,
} from '../ghost/ghost';
import type { WatchedPages } from '../ghost/watched-pages';
import type { GuestView } from '../guest/guest-view';
import { environmentOf, withStack } from './environment';

const { Pop } = Mnemonic;
const { Mov_r64_cr } = Code;
const FRAME_BYTES = 40;
const ERROR_CODE_BYTES = 8;

export class GhostKeeper {
  private readonly view: GuestView;
  private readonly ghost: Ghost;
  private readonly pages: WatchedPages;
  private readonly words: Int32Array;
  /** The context that a delivery is about to open. */
  private readonly pending = new Int32Array(CTX_WORDS);

  constructor(view: GuestView, ghost: Ghost, pages: WatchedPages) {
    this.view = view;
    this.ghost = ghost;
    this.pages = pages;
    this.words = ghost.words;
  }

  /**
   * The state after boot: every thread that does not run waits with a first-run frame or idles, and the user GS base of
   * a running task is what it runs with.
   */
  begin(): void {
    for (const cpu of this.view.machine.cpus) {
      const t = Math.max(0, this.view.currentThread(cpu.index));
      this.words[this.ghost.cpu(cpu.index) + RUNNING] = t;
      if (this.view.isTask(t)) rememberUserGs(this.ghost, cpu, t);
    }
    for (const t of this.view.waitingAtFirst()) if (!this.runs(t)) openFirstRun(this.ghost, t);
  }

  private runs(t: number): boolean {
    return this.view.machine.cpus.some((cpu) => this.ghost.running(cpu.index) === t);
  }

  progress(cpu: Cpu, g: number): void {
    this.words[g + PROGRESS_AT] = cpu.r[ICOUNT];
  }

  /** The innermost context has reached its body. */
  bodyReached(g: number): void {
    const at = this.ghost.innermost(this.words[g + RUNNING]);
    this.words[at + CTX_BODY] = 1;
    if (this.words[at + CTX_KIND] === NMI && this.words[at + CTX_FROM_USER] === 0) endFrame(this.words, at);
    this.words[g + ENTERING] = 0;
  }

  /** A branch of the innermost context is the first one out of entry text. */
  leavesEntryText(cpu: Cpu, g: number): boolean {
    if (this.words[g + ENTERING] !== BY_ENTRY_TEXT) return false;
    if (this.view.isEntryText(toVa(cpu.r[RIP], cpu.r[RIP + 1]))) return false;
    this.words[g + ENTERING] = BEYOND_ENTRY_TEXT;
    return true;
  }

  nmiHandlerReached(g: number): boolean {
    const again = this.words[g + NMI_AGAIN] !== 0;
    this.words[g + NMI_OWED] = 0;
    this.words[g + NMI_AGAIN] = 0;
    return again;
  }

  /**
   * `mov ..., %rsp` or `pop %rsp`: a load from a threadsp word is a context switch, one from CR3 opens the window in
   * which rsp is no stack pointer, and one of the value that the user had is the user's again, even if it points into a
   * kernel stack (CVE-2015-3291). Answers the thread that it switches to, or -1.
   */
  rspLoaded(cpu: Cpu, op: MicroOp, g: number): number {
    this.words[g + CR3_IN_RSP] = op.icedCode === Mov_r64_cr ? 1 : 0;
    this.words[g + USER_RSP] = 0;
    this.forgetLegalStack(g);
    const fromOperand = (op.flags & OP_MEM_READ) !== 0;
    if (!fromOperand && op.mnemonic !== Pop) return -1;
    const va = fromOperand ? toVa(cpu.r[EA], cpu.r[EA + 1]) : 0;
    const t = fromOperand ? this.threadSavedAt(va, op.va) : -1;
    if (t >= 0) return t === this.words[g + RUNNING] ? -1 : t;
    this.words[g + USER_RSP] = isUsersRsp(this.view, this.ghost, cpu, va) ? 1 : 0;
    return -1;
  }

  /** The thread whose threadsp is at `va`, which may be one that nobody has seen yet; or -1. */
  private threadSavedAt(va: number, rip: number): number {
    const known = this.view.threadSavedAt(va);
    if (known >= 0) return known;
    const found = this.view.threadFound(va, rip);
    if (found < 0) return -1;
    this.ghost.clear(found);
    if (this.view.isTask(found)) openFirstRun(this.ghost, found);
    this.pages.threadsChanged();
    return found;
  }

  /** rsp was loaded from the threadsp of thread t, which did not run here. */
  switchedTo(cpu: Cpu, t: number, g: number): void {
    const before = this.words[g + RUNNING];
    this.words[g + RUNNING] = t;
    this.words[g + BUFFERS_CLEARED] = 0;
    if (this.view.threadLeft(before)) this.pages.threadsChanged();
    this.words[this.ghost.thread(t) + RSP_SAVED] = 0;
    this.progress(cpu, g);
    // Stacks were judged legal with another thread: judge again.
    for (let c = 0; c < this.ghost.cpus; c++) this.forgetLegalStack(this.ghost.cpu(c));
    this.refreshEntering(g);
  }

  forgetLegalStack(g: number): void {
    this.words[g + LEGAL_POP_BYTES] = 0;
    this.words[g + LEGAL_PUSH_BYTES] = 0;
  }

  private refreshEntering(g: number): void {
    const at = this.ghost.innermost(this.words[g + RUNNING]);
    this.words[g + ENTERING] = at >= 0 && this.words[at + CTX_BODY] === 0 ? 1 : 0;
  }

  /** rsp has been written: of the environment of a CPU the stack may have changed. */
  refreshStack(cpu: Cpu, g: number): boolean {
    const { words } = this;
    const stack = cpu.r[CPL] === 3 ? USER : this.stackOf(cpu, g);
    if (stack !== words[g + STACK]) this.stackLeft(g, stack, false);
    words[g + STACK] = stack;
    return this.notes(g, withStack(words[g + ENVIRONMENT], cpu, stack));
  }

  /** Recomputes the environment of a CPU. */
  refresh(cpu: Cpu, g: number, inDelivery: boolean): boolean {
    const { words } = this;
    const { r } = cpu;
    const half = this.view.isUserHalf(r[CR3]) ? 1 : 0;
    const gs = this.view.gsIsKernels(cpu, GS_BASE) ? 0 : 1;
    const interrupts = (r[EFLAGS] & FLAG_IF) !== 0 ? 1 : 0;
    const stack = r[CPL] === 3 ? USER : this.stackOf(cpu, g);
    if (stack !== words[g + STACK]) this.stackLeft(g, stack, inDelivery);
    words[g + USER_HALF] = half;
    words[g + USER_GS] = gs;
    words[g + INTERRUPTS] = interrupts;
    words[g + STACK] = stack;
    const mm = this.view.mmOfRoot(r[CR3]);
    return this.notes(g, environmentOf(cpu, half, gs, interrupts, stack, mm));
  }

  private notes(g: number, environment: number): boolean {
    const changed = environment !== this.words[g + ENVIRONMENT];
    this.words[g + ENVIRONMENT] = environment;
    return changed;
  }

  /** The abstract stack of a CPU at CPL0. */
  stackOf(cpu: Cpu, g: number): number {
    if (this.words[g + USER_RSP] === 1) return USER;
    const rsp = toVa(cpu.r[RSP], cpu.r[RSP + 1]);
    return this.view.stackAt(rsp, cpu.index, this.words[g + RUNNING], this.words[g + CR3_IN_RSP] === 1);
  }

  /** rsp moves to another stack: a frame that lies on the per-CPU stack it leaves has been copied, and is dead. */
  private stackLeft(g: number, stack: number, inDelivery: boolean): void {
    const at = this.ghost.innermost(this.words[g + RUNNING]);
    this.forgetLegalStack(g);
    if (at < 0 || inDelivery) return;
    const frame = this.words[at + CTX_FRAME];
    if (this.pages.isPerCpuStack(frame) && stack !== frame && this.words[at + CTX_BODY] === 0) endFrame(this.words, at);
  }

  /** A task that had ended begins again, as one that was forked: it has a first-run frame, and nothing of before. */
  taskBeginsAnew(t: number): boolean {
    if (t < 0 || this.view.hasEnded(t) || this.runs(t)) return false;
    while (this.ghost.depth(t) > 0) this.ghost.close(t);
    openFirstRun(this.ghost, t);
    return true;
  }

  /** The IRET to user mode that has faulted ends the context whose frame it was to pop: the next delivery has it. */
  faultedAtIret(g: number): void {
    const at = this.ghost.innermost(this.words[g + RUNNING]);
    this.words[g + HANDS_OVER] = at >= 0 && this.words[at + CTX_FROM_USER] === 1 ? 1 : 0;
  }

  /** Before a delivery: notes what it interrupts. */
  delivering(cpu: Cpu, g: number): void {
    const { pending } = this;
    this.forgetLegalStack(g);
    pending.fill(0);
    pending[CTX_FROM_USER] = cpu.r[CPL] === 3 ? 1 : 0;
    pending[CTX_FROM_USER_HALF] = this.words[g + USER_HALF];
    pending[CTX_FROM_USER_GS] = this.words[g + USER_GS];
    pending[CTX_FROM_INTERRUPTS] = this.words[g + INTERRUPTS];
    pending[CTX_FROM_STACK] = this.words[g + STACK];
    snapshot(this.view, cpu, pending, 0);
  }

  /** After a delivery: its context is open, with the frame that was pushed. */
  delivered(cpu: Cpu, event: Delivery, g: number): void {
    const { words, ghost, pending } = this;
    const t = words[g + RUNNING];
    const handsOver = words[g + HANDS_OVER] === 1;
    if (handsOver) ghost.close(t);
    words[g + HANDS_OVER] = 0;
    if (this.view.kernelSetsRegisters && pending[CTX_FROM_USER] === 1)
      renewUserGs(ghost, t, pending, 0, event.source === 'software');
    if (event.vector === VEC_NMI) words[g + (nmiIsOpen(ghost, t, false) ? NMI_AGAIN : NMI_OWED)] = 1;
    if (event.vector === VEC_NMI && nmiIsOpen(ghost, t, true)) words[g + NMI_REPEAT] = 1;
    const at = ghost.open(t);
    for (let i = 0; i < CTX_WORDS; i++) words[at + i] = pending[i];
    words[at + CTX_KIND] = kindOf(event, pending[CTX_FROM_USER] === 1);
    words[at + CTX_VECTOR] = handsOver ? NO_SNAPSHOT : event.vector;
    words[at + CTX_FAULT] = event.source === 'fault' ? event.vector + 1 : 0;
    words[at + CTX_ERROR] = event.error;
    words[at + CTX_CR2_LO] = cpu.r[CR2];
    words[at + CTX_CR2_HI] = cpu.r[CR2 + 1];
    if (handsOver || pending[CTX_FROM_USER] === 1) fromUserMode(words, at);
    words[g + CR3_IN_RSP] = 0;
    words[g + USER_RSP] = 0;
    this.progress(cpu, g);
    const stack = this.stackOf(cpu, g);
    words[at + CTX_FRAME] = stack;
    words[at + CTX_FRAME_LO] = cpu.r[RSP];
    words[at + CTX_FRAME_HI] = cpu.r[RSP + 1];
    words[at + CTX_FRAME_BYTES] = event.error >= 0 ? FRAME_BYTES + ERROR_CODE_BYTES : FRAME_BYTES;
    words[g + STACK] = stack;
    this.refreshEntering(g);
  }

  /** SYSCALL has completed. */
  openSyscall(cpu: Cpu, g: number): void {
    const at = this.ghost.open(this.words[g + RUNNING]);
    snapshot(this.view, cpu, this.words, at);
    this.words[at + CTX_KIND] = SYSCALL;
    if (this.view.kernelSetsRegisters) renewUserGs(this.ghost, this.words[g + RUNNING], this.words, at, true);
    fromUserMode(this.words, at);
    this.words[g + ENTERING] = 1;
    this.progress(cpu, g);
    this.words[g + CR3_IN_RSP] = 0;
    this.words[g + USER_RSP] = 1;
    this.forgetLegalStack(g);
  }

  /** An NMI context begins again: an IRET went into the manifest's repeat range. */
  repeatsNmi(g: number, at: number): void {
    this.words[at + CTX_BODY] = 0;
    this.words[g + NMI_REPEAT] = 0;
    this.refreshEntering(g);
  }

  /** A return to CPL0 has ended the context `at` of the running thread. */
  resumedKernel(cpu: Cpu, g: number, at: number): void {
    const { words } = this;
    const t = words[g + RUNNING];
    words[g + CR3_IN_RSP] = words[at + CTX_FROM_STACK] === CR3_WINDOW ? 1 : 0;
    words[g + USER_RSP] = words[at + CTX_FROM_STACK] === USER ? 1 : 0;
    this.ghost.close(t);
    if (!nmiIsOpen(this.ghost, t, true)) words[g + NMI_REPEAT] = 0;
    this.progress(cpu, g);
    this.refreshEntering(g);
  }

  /** A return to CPL3 has ended the innermost context of the running thread, where it has one. */
  resumedUser(cpu: Cpu, g: number): void {
    const t = this.words[g + RUNNING];
    if (this.ghost.depth(t) > 0) this.ghost.close(t);
    this.words[g + BUFFERS_CLEARED] = 0;
    this.progress(cpu, g);
    this.refreshEntering(g);
  }

  /** The GS base with which a task first runs in user mode is its own from then on. */
  learnUserGs(cpu: Cpu, g: number): void {
    const t = this.words[g + RUNNING];
    if (this.view.isTask(t) && !knowsUserGs(this.ghost, t)) rememberUserGs(this.ghost, cpu, t);
  }
}
