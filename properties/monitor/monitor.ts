/**
 * The observer of the machine: keeps the ghost state, asks the safety properties after every micro-step, and notices
 * when the abstract state may have changed. It is the only object that sees every instruction, so the common
 * instruction costs it two tests of small integers; what a property needs more rarely (a frame, a page-table walk)
 * happens behind a flag of the instruction or a watched page.
 *
 * A run stops at the first violating moment: before an instruction, at its fault, at an access, before or after a
 * delivery, or when it has completed. A later moment of the same instruction is a consequence, and is not reported. Of
 * several properties violated at one moment the lowest number is reported.
 */
import { Code, Mnemonic } from 'iced-x86';
import type { Cpu } from '../../emulator/cpu/cpu';
import { type MicroOp, OP_BRANCH, OP_CONTROL, OP_GS, OP_MEM_READ, OP_WRITES_RSP } from '../../emulator/micro-op';
import type { Delivery, Fault, Observer } from '../../emulator/observer';
import {
  CPL,
  CR2,
  CR3,
  EA,
  FLAG_IF,
  GS_BASE,
  ICOUNT,
  NMI_BLOCKED,
  NMI_PENDING,
  RIP,
  RSP,
  VEC_NMI,
} from '../../emulator/registers';
import { toVa } from '../../emulator/words';
import { CR3_WINDOW, NMI, SYSCALL, USER } from '../../model/kinds';
import {
  endFrame,
  forgetSnapshot,
  fromUserMode,
  isUsersRsp,
  kindOf,
  knowsUserGs,
  NO_SNAPSHOT,
  nmiIsOpen,
  openFirstRun,
  rememberUserGs,
  snapshot,
} from '../ghost/contexts';
import {
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
  Ghost,
  HANDLER_RSP_HI,
  HANDLER_RSP_LO,
  HANDS_OVER,
  INTERRUPTS,
  LEGAL_HI,
  LEGAL_LO,
  LEGAL_POP_BYTES,
  LEGAL_PUSH_BYTES,
  NMI_AGAIN,
  NMI_OWED,
  NMI_REPEAT,
  PROGRESS_AT,
  RSP_SAVED,
  RUNNING,
  SINCE_PENDING,
  STACK,
  USER_GS,
  USER_HALF,
  USER_RSP,
} from '../ghost/ghost';
import {
  WATCHES_ALPHA,
  WATCHES_END,
  WATCHES_STACK,
  WATCHES_TABLE,
  WATCHES_TASK,
  WatchedPages,
} from '../ghost/watched-pages';
import type { GuestView } from '../guest/guest-view';
import { abstractStack } from '../guest/regions';
import { accessIsMapped } from '../safety/accesses-are-mapped';
import { entryStackIsCoherent } from '../safety/entry-stack-is-coherent';
import { entryTerminates, panicIsNotReached } from '../safety/entry-terminates';
import { fastReturnIsCanonical, noDeliveryOnUserStack } from '../safety/fast-return-is-canonical';
import { flagsAreClearAtBody } from '../safety/flags-are-clear-at-body';
import { interruptsOffInWindow } from '../safety/interrupts-off-in-window';
import {
  codeUsesKernelCr3,
  enabledInterruptsUseOwnCr3,
  nmiUsesOwnUserMemory,
} from '../safety/kernel-code-uses-kernel-cr3';
import { gsAccessUsesKernelGs } from '../safety/kernel-gs-accesses-use-kernel-gs';
import { frameIsUntouched } from '../safety/live-frames-are-untouched';
import { nestingIsBounded } from '../safety/nesting-is-bounded';
import { nmiIsDelivered, nmisAreUnblocked } from '../safety/nmi-is-delivered';
import { handlerIsNotReentered, handlerReturns, nmiIsNotForgotten } from '../safety/nmi-is-kept';
import { noDoubleFault } from '../safety/no-double-fault';
import { S18, type Violation } from '../safety/property';
import { kernelResumeIsExact, returnsIntoRepeat, userResumeIsExact } from '../safety/resume-is-exact';
import { rspWasSaved, scheduledOutOnOwnStack } from '../safety/scheduled-out-on-own-stack';
import { stackIsLegal, takenOverStackIsFree } from '../safety/stack-is-legal';
import { userFlagsAreSafe } from '../safety/user-flags-are-safe';
import { userModeUsesUserCr3 } from '../safety/user-mode-uses-user-cr3';
import { userModeUsesUserGs } from '../safety/user-mode-uses-user-gs';
import { UserTableCheck } from '../safety/user-table-is-minimal';

/** Classes of code, kept in MicroOp.tag. */
const TAG_OTHER = 0;
const TAG_TEXT = 1;
const TAG_NMI_HANDLER = 2;
const TAG_PANIC = 3;
/** An access to user memory: an instruction of the exception table. */
const TAG_USER_ACCESS = 4;
/** The saved registers of the innermost context from user mode are changed on purpose. */
const TAG_REGS_CHANGED = 5;

const PAGE_MASK = 0xfffff000 | 0;

const { Iretq, Sysretq, Syscall, Ret, Mov, Pop } = Mnemonic;

/** Instructions after which there is something to look at; the rest only move data. */
const NOTEWORTHY = OP_CONTROL | OP_WRITES_RSP | OP_BRANCH;

export class Monitor implements Observer {
  readonly view: GuestView;
  readonly ghost: Ghost;
  readonly pages: WatchedPages;
  /** What the user table maps (S12). */
  readonly userTable: UserTableCheck;
  violation: Violation | undefined;
  /** The last instruction that was fetched and may change CPL: an IRET that faults is this one. */
  #control: MicroOp | undefined;
  /** The moment of `violation` is over. */
  #settled = false;
  /** The abstract state may have changed at this boundary. */
  touched = false;
  /** Within a delivery: the new context is not open yet, and no frame is the running context's own. */
  delivering_ = false;
  private readonly words: Int32Array;
  private readonly pending = new Int32Array(CTX_WORDS);

  constructor(view: GuestView) {
    this.view = view;
    this.ghost = new Ghost(view.bounds.cpus, view.bounds.tasks);
    this.words = this.ghost.words;
    this.pages = new WatchedPages(view);
    this.userTable = new UserTableCheck(view);
  }

  /**
   * Takes over a machine whose CPUs have just reached user mode (or idle): the guest has booted, every thread that does
   * not run waits with a first-run frame or idles, and the user GS base of a running task is what it runs with.
   */
  attach(): void {
    const { machine, bounds } = this.view;
    machine.attachState(this.words);
    for (const cpu of machine.cpus) {
      const t = Math.max(0, this.view.currentThread(cpu.index));
      this.words[this.ghost.cpu(cpu.index) + RUNNING] = t;
      if (this.view.isTask(t)) rememberUserGs(this.ghost, cpu, t);
    }
    for (let t = 0; t < bounds.tasks; t++) if (!this.runs(t)) openFirstRun(this.ghost, t);
    this.pages.watchAll();
    machine.observer = this;
    for (const cpu of machine.cpus) this.refresh(cpu, this.ghost.cpu(cpu.index));
    this.userTable.check(this);
    for (const cpu of machine.cpus) if (cpu.r[CPL] === 3) this.firstUserState(cpu);
  }

  /** Boot has ended in the first return to user mode of this CPU: it is judged as every other. */
  private firstUserState(cpu: Cpu): void {
    userModeUsesUserCr3(this, cpu);
    userModeUsesUserGs(this, cpu);
    userFlagsAreSafe(this, cpu);
    entryStackIsCoherent(this, cpu);
    nmisAreUnblocked(this, cpu);
  }

  private runs(t: number): boolean {
    return this.view.machine.cpus.some((cpu) => this.ghost.running(cpu.index) === t);
  }

  /** Reports a violation. The first moment of a run counts, and of several at one moment the lowest number. */
  report(property: number, cpu: Cpu, message: string): void {
    if (this.violation !== undefined && (this.#settled || this.violation.property <= property)) return;
    this.violation = { property, cpu: cpu.index, rip: toVa(cpu.r[RIP], cpu.r[RIP + 1]), message };
    this.view.machine.stop = true;
  }

  /** A moment begins: what an earlier one has violated stands. */
  #moment(): void {
    this.#settled = this.violation !== undefined;
  }

  /** Forgets a violation, because the machine has gone back to before it. */
  forget(): void {
    this.violation = undefined;
    this.#settled = false;
    this.touched = false;
    this.delivering_ = false;
  }

  private touch(): void {
    this.touched = true;
    this.view.machine.stop = true;
  }

  classify(va: number): number {
    const { text, nmiHandler, panic, exceptionTable, regsChanged } = this.view.manifest;
    if (va === nmiHandler) return TAG_NMI_HANDLER;
    if (va === panic) return TAG_PANIC;
    if (exceptionTable.has(va)) return TAG_USER_ACCESS;
    if (regsChanged.includes(va)) return TAG_REGS_CHANGED;
    return va >= text.start && va < text.end ? TAG_TEXT : TAG_OTHER;
  }

  executing(cpu: Cpu, op: MicroOp): void {
    if (op.tag !== TAG_OTHER) this.fetched(cpu, op);
    if ((op.flags & OP_GS) !== 0 && cpu.r[CPL] === 0) gsAccessUsesKernelGs(this, cpu, this.ghost.cpu(cpu.index));
    if ((op.flags & OP_CONTROL) === 0) return;
    this.#control = op;
    if (op.mnemonic === Sysretq) fastReturnIsCanonical(this, cpu);
  }

  /** A fetch of instrumentable code: the innermost context has reached its body. */
  private fetched(cpu: Cpu, op: MicroOp): void {
    const g = this.ghost.cpu(cpu.index);
    // The panic is where the kernel ends, whatever it runs with: what led there is the cause.
    if (op.tag === TAG_PANIC) {
      panicIsNotReached(this, cpu, this.words[g + RUNNING]);
      return;
    }
    codeUsesKernelCr3(this, cpu, g);
    if (op.tag === TAG_USER_ACCESS) nmiUsesOwnUserMemory(this, cpu, g);
    if (op.tag === TAG_NMI_HANDLER) this.nmiHandlerBegins(cpu, g);
    if (op.tag === TAG_REGS_CHANGED) forgetSnapshot(this.ghost, this.words[g + RUNNING]);
    if (this.words[g + ENTERING] === 0) return;
    flagsAreClearAtBody(this, cpu);
    const at = this.ghost.innermost(this.words[g + RUNNING]);
    this.words[at + CTX_BODY] = 1;
    if (this.words[at + CTX_KIND] === NMI && this.words[at + CTX_FROM_USER] === 0) endFrame(this.words, at);
    this.words[g + ENTERING] = 0;
    this.touch();
  }

  private nmiHandlerBegins(cpu: Cpu, g: number): void {
    handlerIsNotReentered(this, cpu, g);
    this.words[g + NMI_OWED] = 0;
    if (this.words[g + NMI_AGAIN] === 0) return;
    this.words[g + NMI_AGAIN] = 0;
    this.touch();
  }

  retired(cpu: Cpu, op: MicroOp): void {
    const { flags } = op;
    // Almost every instruction ends here: it moves data, and nobody waits for an NMI.
    if ((flags & NOTEWORTHY) === 0 && cpu.r[NMI_PENDING] === 0) return;
    this.#moment();
    const g = this.ghost.cpu(cpu.index);
    if ((flags & OP_BRANCH) !== 0 && cpu.r[CPL] === 0) entryTerminates(this, cpu, g);
    if ((flags & (OP_CONTROL | OP_WRITES_RSP)) !== 0) this.environmentChanged(cpu, op, g);
    if (op.mnemonic === Ret && (this.words[g + HANDLER_RSP_LO] | this.words[g + HANDLER_RSP_HI]) !== 0)
      handlerReturns(this, cpu, g);
    if (cpu.r[NMI_PENDING] !== 0) nmiIsDelivered(this, cpu, g);
    else this.words[g + SINCE_PENDING] = 0;
  }

  /** After an instruction that writes rsp, CR3, GS, IF or CPL. */
  private environmentChanged(cpu: Cpu, op: MicroOp, g: number): void {
    switch (op.mnemonic) {
      case Syscall:
        this.openSyscall(cpu, g);
        break;
      case Iretq:
      case Sysretq:
        this.returned(cpu, g);
        break;
      case Mov:
      case Pop:
        if ((op.flags & OP_WRITES_RSP) !== 0) this.rspLoaded(cpu, op, g);
        break;
      default:
        break;
    }
    this.refresh(cpu, g);
  }

  /**
   * `mov ..., %rsp` or `pop %rsp`: a load from a threadsp word is a context switch, one from CR3 opens the window in
   * which rsp is no stack pointer, and one of the value that the user had is the user's again, even if it points into a
   * kernel stack (CVE-2015-3291).
   */
  private rspLoaded(cpu: Cpu, op: MicroOp, g: number): void {
    this.words[g + CR3_IN_RSP] = op.icedCode === Code.Mov_r64_cr ? 1 : 0;
    this.words[g + USER_RSP] = 0;
    this.forgetLegalStack(g);
    const fromOperand = (op.flags & OP_MEM_READ) !== 0;
    if (!fromOperand && op.mnemonic !== Pop) return;
    const va = fromOperand ? toVa(cpu.r[EA], cpu.r[EA + 1]) : 0;
    const t = fromOperand ? this.view.threadspVa.indexOf(va) : -1;
    if (t >= 0) {
      this.switchedTo(cpu, t, g);
      return;
    }
    const operand = fromOperand ? (this.view.machine.translate(cpu.r[CR3] & PAGE_MASK, va)?.pa ?? -1) : -1;
    this.words[g + USER_RSP] = isUsersRsp(this.view, this.ghost, cpu, operand) ? 1 : 0;
  }

  /** rsp was loaded from the threadsp of thread t. */
  private switchedTo(cpu: Cpu, t: number, g: number): void {
    const before = this.words[g + RUNNING];
    if (t === before) return;
    rspWasSaved(this, cpu, before);
    takenOverStackIsFree(this, cpu, t);
    this.words[g + RUNNING] = t;
    this.words[this.ghost.thread(t) + RSP_SAVED] = 0;
    this.words[g + PROGRESS_AT] = cpu.r[ICOUNT];
    this.forgetLegalStacks();
    this.refreshEntering(g);
    this.touch();
  }

  /** Stack legality was judged with another thread or context: judge again. */
  private forgetLegalStacks(): void {
    for (let c = 0; c < this.ghost.cpus; c++) this.forgetLegalStack(this.ghost.cpu(c));
  }

  private forgetLegalStack(g: number): void {
    this.words[g + LEGAL_POP_BYTES] = 0;
    this.words[g + LEGAL_PUSH_BYTES] = 0;
  }

  private refreshEntering(g: number): void {
    const at = this.ghost.innermost(this.words[g + RUNNING]);
    this.words[g + ENTERING] = at >= 0 && this.words[at + CTX_BODY] === 0 ? 1 : 0;
  }

  /** Recomputes what the ghost knows of the environment of a CPU, and judges the window (S5, S19) where it changed. */
  private refresh(cpu: Cpu, g: number): void {
    const { words } = this;
    const { r } = cpu;
    const user = r[CPL] === 3;
    const half = this.view.isUserHalf(r[CR3]) ? 1 : 0;
    const gs = this.view.gsIsKernels(cpu, GS_BASE) ? 0 : 1;
    const interrupts = (cpu.rflags() & FLAG_IF) !== 0 ? 1 : 0;
    const stack = user ? USER : this.stackOf(cpu, g);
    if (stack !== words[g + STACK]) this.stackLeft(g, stack);
    words[g + USER_HALF] = half;
    words[g + USER_GS] = gs;
    words[g + INTERRUPTS] = interrupts;
    words[g + STACK] = stack;
    const mm = this.view.mmOfRoot(r[CR3]);
    const environment =
      r[CPL] |
      (half << 2) |
      (gs << 3) |
      (interrupts << 4) |
      (stack << 5) |
      (r[NMI_BLOCKED] << 9) |
      (r[NMI_PENDING] << 10) |
      (mm << 11);
    if (environment !== words[g + ENVIRONMENT]) this.touch();
    words[g + ENVIRONMENT] = environment;
    if (user || interrupts === 0) return;
    enabledInterruptsUseOwnCr3(this, cpu, g);
    interruptsOffInWindow(this, cpu, g);
  }

  /** The abstract stack of a CPU at CPL0. */
  stackOf(cpu: Cpu, g: number): number {
    if (this.words[g + USER_RSP] === 1) return USER;
    const rsp = toVa(cpu.r[RSP], cpu.r[RSP + 1]);
    return abstractStack(this.view.regions, rsp, cpu.index, this.words[g + RUNNING], this.words[g + CR3_IN_RSP] === 1);
  }

  /** rsp moves to another stack: a frame that lies on the per-CPU stack it leaves has been copied, and is dead. */
  private stackLeft(g: number, stack: number): void {
    const at = this.ghost.innermost(this.words[g + RUNNING]);
    this.forgetLegalStack(g);
    if (at < 0 || this.delivering_) return;
    const frame = this.words[at + CTX_FRAME];
    if (this.pages.isPerCpuStack(frame) && stack !== frame && this.words[at + CTX_BODY] === 0) endFrame(this.words, at);
  }

  stackAccess(cpu: Cpu, lo: number, hi: number, bytes: number, write: boolean): void {
    if (cpu.r[CPL] === 3 && !this.delivering_) return;
    const { words } = this;
    const g = this.ghost.cpu(cpu.index);
    const offset = (lo - words[g + LEGAL_LO]) >>> 0;
    const room = write ? words[g + LEGAL_PUSH_BYTES] : words[g + LEGAL_POP_BYTES];
    if (hi === words[g + LEGAL_HI] && offset + bytes <= room) return;
    this.#moment();
    stackIsLegal(this, cpu, g, toVa(lo, hi), bytes, write);
  }

  watchedStore(cpu: Cpu, pa: number, bytes: number, vaLo: number, vaHi: number): void {
    this.#moment();
    const why = this.pages.why(pa);
    if ((why & WATCHES_END) !== 0) this.taskBeginsAnew(this.view.endedPa.indexOf(pa & ~7));
    if ((why & WATCHES_STACK) !== 0) frameIsUntouched(this, cpu, pa, toVa(vaLo, vaHi), bytes);
    if ((why & WATCHES_TASK) !== 0) scheduledOutOnOwnStack(this, cpu, pa);
    if ((why & WATCHES_TABLE) !== 0) this.userTable.tableWritten(this, pa);
    if ((why & WATCHES_ALPHA) !== 0 && this.pages.isAbstracted(pa)) this.touch();
  }

  /** A task that had ended begins again, as one that was forked: it has a first-run frame, and nothing of before. */
  private taskBeginsAnew(t: number): void {
    if (t < 0 || this.view.hasEnded(t) || this.runs(t)) return;
    while (this.ghost.depth(t) > 0) this.ghost.close(t);
    openFirstRun(this.ghost, t);
    this.touch();
  }

  /** The instruction is an IRET to user mode, whose frame is the user's affair: its fault is nobody's mistake (S1). */
  mayFaultAtIret(cpu: Cpu): boolean {
    const { irets } = this.view.manifest;
    const rip = toVa(cpu.r[RIP], cpu.r[RIP + 1]);
    if (irets.length > 0) return irets.includes(rip);
    if (cpu.r[CPL] !== 0 || this.#control?.mnemonic !== Iretq || this.#control.va !== rip) return false;
    const cs = this.view.machine.readVirtual64(cpu.r[CR3] & PAGE_MASK, toVa(cpu.r[RSP], cpu.r[RSP + 1]) + 8);
    return cs !== undefined && (cs.lo & 3) === 3;
  }

  faulted(cpu: Cpu, fault: Fault): void {
    this.#moment();
    accessIsMapped(this, cpu, fault);
    noDoubleFault(this, cpu, fault);
    if (cpu.r[CPL] === 0 && !this.delivering_ && this.mayFaultAtIret(cpu)) {
      const g = this.ghost.cpu(cpu.index);
      const at = this.ghost.innermost(this.words[g + RUNNING]);
      this.words[g + HANDS_OVER] = at >= 0 && this.words[at + CTX_FROM_USER] === 1 ? 1 : 0;
    }
  }

  delivering(cpu: Cpu, event: Delivery): void {
    this.#moment();
    const { pending } = this;
    const g = this.ghost.cpu(cpu.index);
    noDeliveryOnUserStack(this, cpu, g, event);
    noDoubleFault(this, cpu, event);
    this.delivering_ = true;
    this.forgetLegalStack(g);
    pending.fill(0);
    pending[CTX_FROM_USER] = cpu.r[CPL] === 3 ? 1 : 0;
    pending[CTX_FROM_USER_HALF] = this.words[g + USER_HALF];
    pending[CTX_FROM_USER_GS] = this.words[g + USER_GS];
    pending[CTX_FROM_INTERRUPTS] = this.words[g + INTERRUPTS];
    pending[CTX_FROM_STACK] = this.words[g + STACK];
    snapshot(this.view, cpu, pending, 0);
  }

  delivered(cpu: Cpu, event: Delivery): void {
    this.#moment();
    const { words, ghost, pending } = this;
    const g = ghost.cpu(cpu.index);
    const t = words[g + RUNNING];
    this.delivering_ = false;
    const handsOver = words[g + HANDS_OVER] === 1;
    if (handsOver) ghost.close(t);
    words[g + HANDS_OVER] = 0;
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
    if (handsOver || pending[CTX_FROM_USER] === 1) fromUserMode(this.words, at);
    words[g + CR3_IN_RSP] = 0;
    words[g + USER_RSP] = 0;
    words[g + PROGRESS_AT] = cpu.r[ICOUNT];
    const stack = this.stackOf(cpu, g);
    words[at + CTX_FRAME] = stack;
    words[at + CTX_FRAME_LO] = cpu.r[RSP];
    words[at + CTX_FRAME_HI] = cpu.r[RSP + 1];
    words[at + CTX_FRAME_BYTES] = event.error >= 0 ? 48 : 40;
    words[g + STACK] = stack;
    this.refreshEntering(g);
    nestingIsBounded(this, cpu, ghost.depth(t));
    this.touch();
    this.refresh(cpu, g);
  }

  private openSyscall(cpu: Cpu, g: number): void {
    const t = this.words[g + RUNNING];
    const at = this.ghost.open(t);
    snapshot(this.view, cpu, this.words, at);
    this.words[at + CTX_KIND] = SYSCALL;
    fromUserMode(this.words, at);
    this.words[g + ENTERING] = 1;
    this.words[g + PROGRESS_AT] = cpu.r[ICOUNT];
    this.words[g + CR3_IN_RSP] = 0;
    this.words[g + USER_RSP] = 1;
    this.forgetLegalStack(g);
    this.touch();
  }

  /** SYSRET or IRET has completed. */
  private returned(cpu: Cpu, g: number): void {
    const t = this.words[g + RUNNING];
    const at = this.ghost.innermost(t);
    this.forgetLegalStack(g);
    if (cpu.r[CPL] === 3) this.returnedToUser(cpu, g, t, at);
    else if (at >= 0) this.returnedToKernel(cpu, g, t, at);
    this.refreshEntering(g);
  }

  private returnedToUser(cpu: Cpu, g: number, t: number, at: number): void {
    userModeUsesUserCr3(this, cpu);
    userModeUsesUserGs(this, cpu);
    if (at >= 0) {
      userResumeIsExact(this, cpu, at);
      userFlagsAreSafe(this, cpu);
      entryStackIsCoherent(this, cpu);
      nmiIsNotForgotten(this, cpu, g, t);
      this.ghost.close(t);
      nmisAreUnblocked(this, cpu);
      this.touch();
    }
    this.words[g + PROGRESS_AT] = cpu.r[ICOUNT];
    if (this.view.isTask(t) && !knowsUserGs(this.ghost, t)) rememberUserGs(this.ghost, cpu, t);
  }

  private returnedToKernel(cpu: Cpu, g: number, t: number, at: number): void {
    if (returnsIntoRepeat(this, cpu, g, at)) {
      this.words[at + CTX_BODY] = 0;
      this.words[g + NMI_REPEAT] = 0;
      this.touch();
      return;
    }
    if (this.words[at + CTX_FROM_USER] === 1) return;
    kernelResumeIsExact(this, cpu, at);
    nmiIsNotForgotten(this, cpu, g, t);
    this.words[g + CR3_IN_RSP] = this.words[at + CTX_FROM_STACK] === CR3_WINDOW ? 1 : 0;
    this.words[g + USER_RSP] = this.words[at + CTX_FROM_STACK] === USER ? 1 : 0;
    this.ghost.close(t);
    if (!nmiIsOpen(this.ghost, t, true)) this.words[g + NMI_REPEAT] = 0;
    this.touch();
    this.words[g + PROGRESS_AT] = cpu.r[ICOUNT];
  }

  nmiLatched(_cpu: Cpu): void {
    this.touch();
  }

  shutdown(cpu: Cpu): void {
    this.report(
      S18,
      cpu,
      'expected every fault to be delivered, the CPU shut down: a fault while #DF was being delivered',
    );
  }

  /** A guest read its choice port: it is making progress of its own. */
  chose(cpu: Cpu): void {
    this.words[this.ghost.cpu(cpu.index) + PROGRESS_AT] = cpu.r[ICOUNT];
  }
}
