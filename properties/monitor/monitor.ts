/**
 * The observer of the machine: tells the keeper of the ghost state what happens, asks the properties at each moment,
 * and notices when the abstract state may have changed. It knows when to ask, and no property. It is not told of the
 * common instruction; what is needed more rarely happens behind a flag of the instruction or a watched page.
 *
 * A run stops at the first violating moment: a later one of the same instruction is a consequence, and is not reported.
 * Of several properties that are violated at one moment the lowest number is reported.
 */
import { Code, Mnemonic } from 'iced-x86';
import type { Cpu } from '../../emulator/cpu/cpu';
import { type MicroOp, OP_BRANCH, OP_CONTROL, OP_GS, OP_WRITES_RSP } from '../../emulator/micro-op';
import type { Delivery, Fault, Observer } from '../../emulator/observer';
import { CPL, NMI_PENDING, RIP } from '../../emulator/registers';
import { toVa } from '../../emulator/words';
import { clearsBuffers, forgetSnapshot, isIretToUser, returnsIntoRepeat } from '../ghost/contexts';
import { CTX_FROM_USER, ENTERING, Ghost, INTERRUPTS, RUNNING, SINCE_PENDING } from '../ghost/ghost';
import {
  WATCHES_ALPHA,
  WATCHES_END,
  WATCHES_STACK,
  WATCHES_TABLE,
  WATCHES_TASK,
  WatchedPages,
} from '../ghost/watched-pages';
import type { GuestView } from '../guest/guest-view';
import type { ManifestView } from '../guest/manifest-view';
import { allProperties, isOurs, type NumberedProperty } from '../safety/index';
import type { Answer, Violation } from '../safety/property';
import type { Scene } from '../safety/scene';
import { type Checks, checksOf } from './checks';
import { codeTag, TAG_ACCESS, TAG_HANDLER, TAG_NMI_HANDLER, TAG_OTHER, TAG_PANIC, TAG_REGS_CHANGED } from './code-tags';
import { GhostKeeper } from './ghost-keeper';
import { type JoinedAccess, joinedAccess } from './joined-accesses';
import { callsToSpare, NOTEWORTHY } from './noteworthy';

const { Iretq, Sysretq, Syscall, Ret, Mov, Pop, Verw } = Mnemonic;
const { Mov_cr_r64 } = Code;
const CR3_NUMBER = 3;

export class Monitor<V extends GuestView = ManifestView> implements Observer, Scene {
  readonly view: V;
  readonly ghost: Ghost;
  readonly pages: WatchedPages;
  readonly joinedAccess: JoinedAccess;
  violation: Violation | undefined;
  /** The abstract state may have changed at this boundary. */
  touched = false;
  /**
   * Besides the CPU that ran and the contexts of its thread: a word that alpha reads, or a thread that no CPU runs, may
   * have changed. Whoever computes alpha as a whole takes it back.
   */
  touchedBeyond = true;
  inDelivery = false;
  /** `machine.run` stops wherever the abstract state may have changed. */
  stopsAtChanges = true;
  /** Told of a violation, for runs that are not of one CPU. */
  violated: () => void = () => {};
  private readonly keeper: GhostKeeper;
  private readonly checks: Checks;
  /** Somebody asks after every instruction; only properties of ours ask of stack accesses. */
  private readonly asksAlways: boolean;
  private readonly trustsBounds: boolean;
  private readonly words: Int32Array;
  /** The last instruction that was fetched and may change CPL: an IRET that faults is this one. */
  private control: MicroOp | undefined;
  /** The moment of `violation` is over. */
  private settled = false;

  constructor(view: V, properties: readonly NumberedProperty[] = allProperties()) {
    this.view = view;
    this.ghost = new Ghost(view.bounds.cpus, view.bounds.tasks);
    this.words = this.ghost.words;
    this.pages = new WatchedPages(view);
    this.keeper = new GhostKeeper(view, this.ghost, this.pages);
    this.checks = checksOf(properties, view);
    this.joinedAccess = joinedAccess(this, this.checks);
    this.trustsBounds = this.checks.stackAccessed.every(({ property }) => isOurs(property));
    this.asksAlways = this.checks.executing.length > 0 || this.checks.retired.length > 0;
  }

  /** Takes over a machine whose CPUs have just reached user mode (or idle): the guest has booted. */
  attach(): void {
    const { machine } = this.view;
    for (const words of [this.words, this.view.state]) machine.attachState(words);
    this.keeper.begin();
    this.pages.watchAll();
    machine.observer = this;
    for (const cpu of machine.cpus) this.refresh(cpu, this.ghost.cpu(cpu.index));
    const [first] = machine.cpus;
    for (const { property, ask } of this.checks.booted) this.judge(property, first, ask(this, first));
    for (const cpu of machine.cpus) if (cpu.r[CPL] === 3) this.userModeReached(cpu);
  }

  /** Reports a violation. The first moment of a run counts, and of several at one moment the lowest number. */
  report(property: number, cpu: Cpu, message: string): void {
    if (this.violation !== undefined && (this.settled || this.violation.property <= property)) return;
    this.violation = { property, cpu: cpu.index, rip: toVa(cpu.r[RIP], cpu.r[RIP + 1]), message };
    this.view.machine.stop = true;
    this.violated();
  }

  private judge(property: number, cpu: Cpu, answer: Answer): void {
    if (answer !== undefined) this.report(property, cpu, answer);
  }

  /** A moment begins: what an earlier one has violated stands. */
  private moment(): void {
    this.settled = this.violation !== undefined;
  }

  /** Forgets a violation, because the machine has gone back to before it. */
  forget(): void {
    this.violation = undefined;
    this.settled = false;
    this.touched = false;
    this.touchedBeyond = true;
    this.inDelivery = false;
    if (this.view.rolledBack()) this.pages.threadsChanged();
  }

  /** A CPU begins to run. What an earlier run has touched, and nobody has judged, is not forgotten. */
  begin(): void {
    if (this.touched) this.touchedBeyond = true;
    this.touched = false;
  }

  private touch(): void {
    this.touched = true;
    if (this.stopsAtChanges) this.view.machine.stop = true;
  }

  classify(va: number): number {
    return codeTag(this.view, va);
  }

  unobserved({ tag, flags, mnemonic }: MicroOp): number {
    return this.asksAlways || mnemonic === Verw ? 0 : callsToSpare(tag, flags);
  }

  executing(cpu: Cpu, op: MicroOp): void {
    if (this.checks.executing.length > 0) {
      this.moment();
      for (const { property, ask } of this.checks.executing) this.judge(property, cpu, ask(this, cpu, op));
    }
    if (op.tag !== TAG_OTHER) this.fetched(cpu, op);
    if ((op.flags & OP_GS) !== 0 && cpu.r[CPL] === 0)
      for (const { property, ask } of this.checks.gsAccessed) this.judge(property, cpu, ask(this, cpu));
    if (op.mnemonic === Verw) clearsBuffers(this.ghost, cpu);
    if ((op.flags & OP_CONTROL) === 0) return;
    this.control = op;
    if (op.mnemonic === Sysretq)
      for (const { property, ask } of this.checks.sysretReached) this.judge(property, cpu, ask(this, cpu));
  }

  /** A fetch of instrumentable code. */
  private fetched(cpu: Cpu, op: MicroOp): void {
    const g = this.ghost.cpu(cpu.index);
    if (op.tag === TAG_HANDLER || op.tag === TAG_NMI_HANDLER)
      for (const { property, ask } of this.checks.handlerReached) this.judge(property, cpu, ask(this, cpu));
    if (op.tag === TAG_HANDLER && !this.view.isText(op.va)) return;
    // The panic is where the kernel ends, whatever it runs with: what led there is the cause.
    if (op.tag === TAG_PANIC) {
      for (const { property, ask } of this.checks.panicReached) this.judge(property, cpu, ask(this, cpu));
      return;
    }
    for (const { property, ask } of this.checks.fetched) this.judge(property, cpu, ask(this, cpu, op));
    if (op.tag === TAG_ACCESS)
      for (const { property, ask } of this.checks.userMemoryAccessed) this.judge(property, cpu, ask(this, cpu));
    if (op.tag === TAG_NMI_HANDLER) this.nmiHandlerReached(cpu, g);
    if (op.tag === TAG_REGS_CHANGED) forgetSnapshot(this.ghost, this.words[g + RUNNING]);
    if (this.words[g + ENTERING] !== 0) this.bodyReached(cpu, g);
  }

  private nmiHandlerReached(cpu: Cpu, g: number): void {
    for (const { property, ask } of this.checks.nmiHandlerReached) this.judge(property, cpu, ask(this, cpu));
    if (this.keeper.nmiHandlerReached(g)) this.touch();
  }

  private bodyReached(cpu: Cpu, g: number): void {
    for (const { property, ask } of this.checks.bodyReached) this.judge(property, cpu, ask(this, cpu));
    this.keeper.bodyReached(g);
    this.touch();
  }

  retired(cpu: Cpu, op: MicroOp): void {
    const { flags } = op;
    // Told because an event is pending, and it is no NMI.
    if ((flags & NOTEWORTHY) === 0 && cpu.r[NMI_PENDING] === 0 && !this.asksAlways) return;
    this.moment();
    const g = this.ghost.cpu(cpu.index);
    if ((flags & OP_BRANCH) !== 0 && cpu.r[CPL] === 0) this.branched(cpu, op, g);
    if ((flags & (OP_CONTROL | OP_WRITES_RSP)) !== 0) this.environmentChanged(cpu, op, g);
    for (const { property, ask } of this.checks.retired) this.judge(property, cpu, ask(this, cpu, op));
    if (cpu.r[NMI_PENDING] === 0) this.words[g + SINCE_PENDING] = 0;
    else for (const { property, ask } of this.checks.nmiPending) this.judge(property, cpu, ask(this, cpu));
  }

  private branched(cpu: Cpu, op: MicroOp, g: number): void {
    if (this.words[g + ENTERING] !== 0) this.entering(cpu, g);
    for (const { property, ask } of this.checks.branched) this.judge(property, cpu, ask(this, cpu));
    if (op.mnemonic !== Ret) return;
    for (const { property, ask } of this.checks.functionReturned) this.judge(property, cpu, ask(this, cpu));
  }

  /** A branch of a context on its way to its body. */
  private entering(cpu: Cpu, g: number): void {
    if (!this.keeper.leavesEntryText(cpu, g)) return;
    for (const { property, ask } of this.checks.entryTextLeft) this.judge(property, cpu, ask(this, cpu));
  }

  /** After an instruction that writes rsp, CR3, GS, IF or CPL. */
  private environmentChanged(cpu: Cpu, op: MicroOp, g: number): void {
    switch (op.mnemonic) {
      case Syscall:
        this.keeper.openSyscall(cpu, g);
        this.touch();
        break;
      case Iretq:
      case Sysretq:
        if (!this.view.isPlainIret(op.va)) this.returned(cpu, g);
        break;
      case Mov:
      case Pop:
        if ((op.flags & OP_WRITES_RSP) !== 0) this.rspLoaded(cpu, op, g);
        else if (op.icedCode === Mov_cr_r64 && op.d === CR3_NUMBER)
          for (const { property, ask } of this.checks.cr3Written) this.judge(property, cpu, ask(this, cpu, op));
        break;
    }
    this.refresh(cpu, g, (op.flags & OP_CONTROL) === 0);
  }

  private rspLoaded(cpu: Cpu, op: MicroOp, g: number): void {
    const thread = this.keeper.rspLoaded(cpu, op, g);
    if (thread < 0) return;
    const before = this.words[g + RUNNING];
    for (const { property, ask } of this.checks.threadSwitched)
      this.judge(property, cpu, ask(this, cpu, before, thread));
    this.keeper.switchedTo(cpu, thread, g);
    this.touchedBeyond = true;
    this.touch();
  }

  /** The environment of a CPU may have changed: what follows from it at CPL0 with interrupts on is asked again. */
  private refresh(cpu: Cpu, g: number, stackOnly = false): void {
    if (stackOnly ? this.keeper.refreshStack(cpu, g) : this.keeper.refresh(cpu, g, this.inDelivery)) this.touch();
    if (cpu.r[CPL] === 3 || this.words[g + INTERRUPTS] === 0) return;
    for (const { property, ask } of this.checks.interruptsOn) this.judge(property, cpu, ask(this, cpu));
  }

  stackAccess(cpu: Cpu, lo: number, hi: number, bytes: number, write: boolean): void {
    if (this.trustsBounds && this.ghost.isKnownLegal(cpu.index, lo, hi, bytes, write)) return;
    if (cpu.r[CPL] === 3 && !this.inDelivery) return;
    this.moment();
    for (const { property, ask } of this.checks.stackAccessed)
      this.judge(property, cpu, ask(this, cpu, lo, hi, bytes, write));
  }

  watchedStore(cpu: Cpu, pa: number, bytes: number, vaLo: number, vaHi: number): void {
    this.moment();
    const why = this.pages.why(pa);
    const va = toVa(vaLo, vaHi);
    const { storedToStack, storedToTask, storedToTable } = this.checks;
    if ((why & ~WATCHES_STACK) !== 0) this.touchedBeyond = true;
    if ((why & WATCHES_END) !== 0 && this.keeper.taskBeginsAnew(this.view.endedPa.indexOf(pa & ~7))) this.touch();
    if ((why & WATCHES_STACK) !== 0)
      for (const { property, ask } of storedToStack) this.judge(property, cpu, ask(this, cpu, pa, va, bytes));
    if ((why & WATCHES_TASK) !== 0)
      for (const { property, ask } of storedToTask) this.judge(property, cpu, ask(this, cpu, pa, va, bytes));
    if ((why & WATCHES_TABLE) !== 0)
      for (const { property, ask } of storedToTable) this.judge(property, cpu, ask(this, cpu, pa, va, bytes));
    if ((why & WATCHES_ALPHA) !== 0 && this.pages.isAbstracted(pa)) this.touch();
  }

  mayFaultAtIret(cpu: Cpu): boolean {
    return isIretToUser(this.view, cpu, this.control);
  }

  faulted(cpu: Cpu, fault: Fault): void {
    this.moment();
    for (const { property, ask } of this.checks.faulted) this.judge(property, cpu, ask(this, cpu, fault));
    if (cpu.r[CPL] === 0 && !this.inDelivery && this.mayFaultAtIret(cpu))
      this.keeper.faultedAtIret(this.ghost.cpu(cpu.index));
  }

  delivering(cpu: Cpu, event: Delivery): void {
    this.moment();
    for (const { property, ask } of this.checks.delivering) this.judge(property, cpu, ask(this, cpu, event));
    this.inDelivery = true;
    this.keeper.delivering(cpu, this.ghost.cpu(cpu.index));
  }

  delivered(cpu: Cpu, event: Delivery): void {
    this.moment();
    this.inDelivery = false;
    const g = this.ghost.cpu(cpu.index);
    this.keeper.delivered(cpu, event, g);
    for (const { property, ask } of this.checks.delivered) this.judge(property, cpu, ask(this, cpu, event));
    this.touch();
    this.refresh(cpu, g);
  }

  /** SYSRET or IRET has completed. */
  private returned(cpu: Cpu, g: number): void {
    const at = this.ghost.innermost(this.words[g + RUNNING]);
    this.keeper.forgetLegalStack(g);
    if (cpu.r[CPL] === 3) this.returnedToUser(cpu, g, at);
    else if (at >= 0) this.returnedToKernel(cpu, g, at);
  }

  private returnedToUser(cpu: Cpu, g: number, at: number): void {
    if (at >= 0) this.contextEnds(cpu, at);
    this.keeper.resumedUser(cpu, g);
    this.userModeReached(cpu);
    this.keeper.learnUserGs(cpu, g);
    if (at >= 0) this.touch();
  }

  private userModeReached(cpu: Cpu): void {
    for (const { property, ask } of this.checks.userModeReached) this.judge(property, cpu, ask(this, cpu));
  }

  private contextEnds(cpu: Cpu, at: number): void {
    for (const { property, ask } of this.checks.returned) this.judge(property, cpu, ask(this, cpu, at));
  }

  private returnedToKernel(cpu: Cpu, g: number, at: number): void {
    if (returnsIntoRepeat(this.view, this.ghost, cpu, at, this.keeper.stackOf(cpu, g))) {
      this.keeper.repeatsNmi(g, at);
      this.touch();
      return;
    }
    if (this.words[at + CTX_FROM_USER] === 1) return;
    this.contextEnds(cpu, at);
    this.keeper.resumedKernel(cpu, g, at);
    this.touch();
  }

  nmiLatched(_cpu: Cpu): void {
    this.touch();
  }

  shutdown(cpu: Cpu): void {
    for (const { property, ask } of this.checks.shutDown) this.judge(property, cpu, ask(this, cpu));
  }

  /** A guest read its choice port: it is making progress of its own. */
  chose(cpu: Cpu): void {
    this.keeper.progress(cpu, this.ghost.cpu(cpu.index));
  }
}
