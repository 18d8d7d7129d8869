/**
 * The moments of a machine's run at which properties are asked. A micro-step (an instruction, with its faults, accesses
 * and deliveries) has several. The first moment with a violation counts: what follows is its consequence. Of several
 * properties that are violated at one moment the lowest number is reported.
 *
 * Arguments that are objects are reused: copy what you keep.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import type { MicroOp } from '../../emulator/micro-op';
import type { Delivery, Fault } from '../../emulator/observer';
import type { Scene } from './scene';

/** `undefined` where the property holds; else one sentence: what was expected, what was found. */
export type Answer = string | undefined;

/**
 * What a property asks, by moment. Functions, not methods: they are called without their object. `cpu` is the CPU that
 * does it. The words that a property keeps for itself lie in the ghost state, or a rollback would not undo them.
 */
export interface Moments {
  /** After boot. Once, with the first CPU. */
  readonly booted?: (scene: Scene, cpu: Cpu) => Answer;
  /** Before each instruction. */
  readonly executing?: (scene: Scene, cpu: Cpu, op: MicroOp) => Answer;
  /** Before each fetch of `.text`. */
  readonly fetched?: (scene: Scene, cpu: Cpu, op: MicroOp) => Answer;
  /** Before the first fetch of `.text` in a context. */
  readonly bodyReached?: (scene: Scene, cpu: Cpu) => Answer;
  /** After the first branch of a context that leads out of entry text. */
  readonly entryTextLeft?: (scene: Scene, cpu: Cpu) => Answer;
  /** Before the first instruction of a C function that entry text calls for an event, where these are known. */
  readonly handlerReached?: (scene: Scene, cpu: Cpu) => Answer;
  /** Before the NMI handler's first instruction. */
  readonly nmiHandlerReached?: (scene: Scene, cpu: Cpu) => Answer;
  /** Before the first instruction of the panic. */
  readonly panicReached?: (scene: Scene, cpu: Cpu) => Answer;
  /** Before each access to user memory (exception table). */
  readonly userMemoryAccessed?: (scene: Scene, cpu: Cpu) => Answer;
  /** Before each %gs-relative instruction at CPL0. */
  readonly gsAccessed?: (scene: Scene, cpu: Cpu) => Answer;
  /** After each write of CR3 by MOV; `op` says from which register. */
  readonly cr3Written?: (scene: Scene, cpu: Cpu, op: MicroOp) => Answer;
  /** Before SYSRET. */
  readonly sysretReached?: (scene: Scene, cpu: Cpu) => Answer;
  /**
   * Before each implicit stack access at CPL0; ours are asked only outside of the bounds that the ghost state knows to
   * be legal. `lo` and `hi` are the words of the lowest address.
   */
  readonly stackAccessed?: (scene: Scene, cpu: Cpu, lo: number, hi: number, bytes: number, write: boolean) => Answer;
  /**
   * After each store to a page that holds a stack. `bytes` bytes at the virtual address `va`, which is the physical
   * address `pa`.
   */
  readonly storedToStack?: (scene: Scene, cpu: Cpu, pa: number, va: number, bytes: number) => Answer;
  /** After each store to a page that holds a threadsp. */
  readonly storedToTask?: (scene: Scene, cpu: Cpu, pa: number, va: number, bytes: number) => Answer;
  /** After each store to a page of a user page table. */
  readonly storedToTable?: (scene: Scene, cpu: Cpu, pa: number, va: number, bytes: number) => Answer;
  /** When a fault is raised. */
  readonly faulted?: (scene: Scene, cpu: Cpu, fault: Fault) => Answer;
  /** Before each delivery. */
  readonly delivering?: (scene: Scene, cpu: Cpu, event: Delivery) => Answer;
  /** After each delivery. */
  readonly delivered?: (scene: Scene, cpu: Cpu, event: Delivery) => Answer;
  /** At a shutdown. */
  readonly shutDown?: (scene: Scene, cpu: Cpu) => Answer;
  /** After each instruction. */
  readonly retired?: (scene: Scene, cpu: Cpu, op: MicroOp) => Answer;
  /** After each branch at CPL0. */
  readonly branched?: (scene: Scene, cpu: Cpu) => Answer;
  /** After each RET at CPL0. */
  readonly functionReturned?: (scene: Scene, cpu: Cpu) => Answer;
  /**
   * At each load of rsp from the threadsp of another thread. `before` gives way to `thread`; the ghost still says that
   * `before` runs.
   */
  readonly threadSwitched?: (scene: Scene, cpu: Cpu, before: number, thread: number) => Answer;
  /** At CPL0 with IF=1, after each instruction that may change IF, CR3, rsp, GS or CPL, and after each delivery. */
  readonly interruptsOn?: (scene: Scene, cpu: Cpu) => Answer;
  /**
   * After each SYSRET and IRET that ends a context. `context` is the first ghost word of the context, which is still
   * open.
   */
  readonly returned?: (scene: Scene, cpu: Cpu, context: number) => Answer;
  /** After boot, and after each return to CPL3. */
  readonly userModeReached?: (scene: Scene, cpu: Cpu) => Answer;
  /** After each instruction with an NMI pending. */
  readonly nmiPending?: (scene: Scene, cpu: Cpu) => Answer;
}

/** The name of a moment. */
export type Moment = keyof Moments;

/** When each moment is, in the words of the documents. The order is that of a micro-step. */
export const MOMENTS: Readonly<Record<Moment, string>> = {
  booted: 'after boot',
  executing: 'before each instruction',
  fetched: 'before each fetch of `.text`',
  panicReached: 'before the first instruction of the panic',
  userMemoryAccessed: 'before each access to user memory (exception table)',
  handlerReached: 'before the first instruction of the C function of an event',
  nmiHandlerReached: "before the NMI handler's first instruction",
  bodyReached: 'before the first fetch of `.text` in a context',
  entryTextLeft: 'after the first branch of a context that leads out of entry text',
  gsAccessed: 'before each %gs-relative instruction at CPL0',
  sysretReached: 'before SYSRET',
  stackAccessed: 'before each implicit stack access at CPL0',
  storedToStack: 'after each store to a page that holds a stack',
  storedToTask: 'after each store to a page that holds a threadsp',
  storedToTable: 'after each store to a page of a user page table',
  faulted: 'when a fault is raised',
  delivering: 'before each delivery',
  delivered: 'after each delivery',
  shutDown: 'at a shutdown',
  retired: 'after each instruction',
  cr3Written: 'after each write of CR3 by MOV',
  branched: 'after each branch at CPL0',
  functionReturned: 'after each RET at CPL0',
  threadSwitched: 'at each load of rsp from the threadsp of another thread',
  interruptsOn:
    'at CPL0 with IF=1, after each instruction that may change IF, CR3, rsp, GS or CPL, and after each delivery',
  returned: 'after each SYSRET and IRET that ends a context',
  userModeReached: 'after boot, and after each return to CPL3',
  nmiPending: 'after each instruction with an NMI pending',
};
