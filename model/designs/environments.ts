/**
 * From a table to what the rules ask: in which environment each step is enabled. The steps of a path are followed from
 * the environment in which the path begins; where a step would change something, it is enabled in the environment that
 * it meets, and only there. So no state needs a program counter: half, GS and stack say how far a context has come.
 */
import type { DesignConfig } from '../design-config';
import {
  CR3_WINDOW,
  ENTRY,
  GP,
  IRQ,
  IRQ_STACK,
  KERNEL,
  KINDS,
  NMI,
  NMI_STACK,
  PF,
  PTI,
  STACKS,
  SYSCALL,
  USER,
} from '../kinds';
import { type DesignTable, KERNEL_EVENTS, type KernelEvent, USER_EVENTS, type UserEvent } from './design-table';
import type { Step } from './sequences';

/** Half of the page-table pair (1: user), GS base (1: the user's), and the region that rsp is in. */
export interface Environment {
  readonly half: number;
  readonly gs: number;
  readonly stack: number;
}

/** What an event from the kernel has found, and its return has to put back. */
export interface Found {
  readonly half: number;
  readonly gs: number;
}

const KIND_OF: Readonly<Record<UserEvent, number>> = {
  syscall: SYSCALL,
  irq: IRQ,
  'page-fault': PF,
  'general-protection': GP,
  nmi: NMI,
};

/** Steps that are told by kind, origin, half, GS and stack of the innermost context. */
const CONTEXT_STEPS = [
  'swapgs-to-kernel',
  'read-cr3-into-rsp',
  'load-kernel-cr3',
  'load-entry-stack',
  'load-kernel-stack',
  'load-irq-stack',
  'enter-body',
  'sti',
  'return-to-pti-stack',
  'leave-to-entry-stack',
  'load-user-cr3',
  'load-user-rsp',
  'swapgs-to-user',
  'sysret',
  'iret-to-user',
] as const;
type ContextStep = (typeof CONTEXT_STEPS)[number];

/** Steps of the return of an NMI to the kernel, told by what it found and by half and GS now. */
const FOUND_STEPS = ['restore-user-cr3', 'restore-user-gs', 'repeat-nmi', 'nmi-iret-to-kernel'] as const;
type FoundStep = (typeof FOUND_STEPS)[number];

const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);
const nowhere = (): number[][][][][] =>
  times(KINDS, () => times(2, () => times(2, () => times(2, () => times(STACKS, () => 0)))));
const notFound = (): number[][][][] => times(2, () => times(2, () => times(2, () => times(2, () => 0))));

const isOneOf = <T extends string>(steps: readonly T[], step: string): step is T =>
  (steps as readonly string[]).includes(step);

/** One sequence, followed from one environment: which of its steps changed something, and where each one stood. */
export interface Followed {
  readonly steps: readonly Step[];
  readonly fromUser: boolean;
  readonly found: Found | undefined;
  /** The environment that each step meets. */
  readonly before: readonly Environment[];
  readonly taken: readonly boolean[];
  readonly after: Environment;
}

/** Follows the paths of one design, and marks where each step is enabled. */
class Follower {
  readonly followed: Followed[] = [];
  private readonly table: DesignTable;
  private readonly entryStack: number;
  private readonly userHalf: number;
  readonly at = Object.fromEntries(CONTEXT_STEPS.map((step) => [step, nowhere()])) as Record<
    ContextStep,
    number[][][][][]
  >;
  readonly atFound = Object.fromEntries(FOUND_STEPS.map((step) => [step, notFound()])) as Record<
    FoundStep,
    number[][][][]
  >;
  /** Whether an IRQ from the kernel (0) and from user mode (1) leaves the IRQ stack again. */
  readonly leavesIrqStack = [0, 0];
  /** The stack of the body of an event from user mode, by kind; for an IRQ the stack that its handler leaves for. */
  readonly bodyStack: number[] = new Array(KINDS).fill(KERNEL);

  constructor(table: DesignTable) {
    this.table = table;
    this.entryStack = table.entryStack === 'per-task' ? PTI : ENTRY;
    this.userHalf = table.pageTables - 1;
  }

  all(): void {
    for (const event of USER_EVENTS) if (event !== 'general-protection') this.fromUser(event, this.arrival(event));
    // The frame of a #GP lies where the IRETQ of a system call stands.
    for (const arrival of this.irets(SYSCALL)) this.fromUser('general-protection', arrival);
    for (const event of KERNEL_EVENTS) this.fromKernel(event);
    const { stack, leave = [] } = this.table.firstRun;
    const asleep = { half: 0, gs: 0, stack: stack === 'pti' ? PTI : KERNEL };
    for (const steps of leave) this.follow(steps, SYSCALL, 1, asleep);
  }

  /** The environment after the delivery of an event from user mode. */
  private arrival(event: UserEvent): Environment {
    const stack = event === 'syscall' ? USER : event === 'nmi' ? NMI_STACK : this.entryStack;
    return { half: this.userHalf, gs: 1, stack };
  }

  /** The environments in which an event of that kind returns to user mode by IRETQ. */
  private irets(kind: number): Environment[] {
    const places = this.at['iret-to-user'][kind][1];
    return places.flatMap((byGs, half) =>
      byGs.flatMap((byStack, gs) => byStack.flatMap((enabled, stack) => (enabled === 1 ? [{ half, gs, stack }] : []))),
    );
  }

  private fromUser(event: UserEvent, arrival: Environment): void {
    const { enter, leave } = this.table.fromUser[event];
    const kind = KIND_OF[event];
    const body = this.follow(enter, kind, 1, arrival);
    this.bodyStack[kind] = body.stack === IRQ_STACK ? this.stackLeft(enter, kind, arrival) : body.stack;
    for (const steps of leave) this.follow(steps, kind, 1, body);
  }

  /** The stack that `load-irq-stack` leaves. */
  private stackLeft(enter: readonly Step[], kind: number, arrival: Environment): number {
    return this.follow(enter.slice(0, enter.indexOf('load-irq-stack')), kind, 1, arrival).stack;
  }

  private fromKernel(event: KernelEvent): void {
    const { enter, leave } = this.table.fromKernel[event];
    const kind = KIND_OF[event];
    for (const { found, stack } of this.interrupted(event)) {
      const body = this.follow(enter, kind, 0, { ...found, stack });
      this.follow(leave, kind, 0, body, found);
    }
  }

  /** What an event may interrupt: an NMI anything; others what has interrupts on, or may fault. */
  private interrupted(event: KernelEvent): { readonly found: Found; readonly stack: number }[] {
    const kernel = { half: 0, gs: 0 };
    if (event !== 'nmi') return Array.from({ length: STACKS }, (_, stack) => ({ found: kernel, stack }));
    const halves = this.userHalf === 1 ? [0, 1] : [0];
    return halves.flatMap((half) => [0, 1].map((gs) => ({ found: { half, gs }, stack: NMI_STACK })));
  }

  /** Follows steps from an environment, marks where each one changes something, and answers where they lead. */
  private follow(
    steps: readonly Step[],
    kind: number,
    fromUser: number,
    from: Environment,
    found?: Found,
  ): Environment {
    let at = from;
    const before: Environment[] = [];
    const taken: boolean[] = [];
    for (const step of steps) {
      const next = this.after(step, at, kind, found);
      before.push(at);
      taken.push(next !== undefined);
      if (next === undefined) continue;
      const rule = step === 'restore-user-cr3-if-user-gs' ? 'restore-user-cr3' : step;
      if (rule === 'leave-irq-stack') this.leavesIrqStack[fromUser] = 1;
      else if (isOneOf(FOUND_STEPS, rule)) this.atFound[rule][found?.half ?? 0][found?.gs ?? 0][at.half][at.gs] = 1;
      else if (isOneOf(CONTEXT_STEPS, rule)) this.at[rule][kind][fromUser][at.half][at.gs][at.stack] = 1;
      at = next;
    }
    this.followed.push({ steps, fromUser: fromUser === 1, found, before, taken, after: at });
    return at;
  }

  /** The environment after a step; undefined where the step changes nothing, and so is not taken. */
  private after(step: Step, at: Environment, kind: number, found?: Found): Environment | undefined {
    switch (step) {
      case 'swapgs-to-kernel':
        return at.gs === 1 ? { ...at, gs: 0 } : undefined;
      case 'swapgs-to-user':
        return at.gs === 0 ? { ...at, gs: 1 } : undefined;
      case 'load-kernel-cr3':
        return at.half === 1 ? { ...at, half: 0 } : undefined;
      case 'load-user-cr3':
        return at.half === 0 && this.userHalf === 1 ? { ...at, half: 1 } : undefined;
      case 'read-cr3-into-rsp':
        return movedTo(at, CR3_WINDOW);
      case 'load-entry-stack':
      case 'leave-to-entry-stack':
        return movedTo(at, this.entryStack);
      case 'load-kernel-stack':
        return movedTo(at, KERNEL);
      case 'load-irq-stack':
        return movedTo(at, IRQ_STACK);
      case 'leave-irq-stack':
        return at.stack === IRQ_STACK
          ? { ...at, stack: found === undefined ? this.bodyStack[kind] : at.stack }
          : undefined;
      case 'return-to-pti-stack':
        return movedTo(at, PTI);
      case 'load-user-rsp':
        return movedTo(at, USER);
      case 'restore-user-cr3':
        return found?.half === 1 && at.half === 0 ? { ...at, half: 1 } : undefined;
      case 'restore-user-cr3-if-user-gs':
        return found?.gs === 1 && found.half === 1 && at.half === 0 ? { ...at, half: 1 } : undefined;
      case 'restore-user-gs':
        return found?.gs === 1 && at.gs === 0 ? { ...at, gs: 1 } : undefined;
      default:
        return at;
    }
  }
}

function movedTo(at: Environment, stack: number): Environment | undefined {
  return at.stack === stack ? undefined : { ...at, stack };
}

const flag = (holds: boolean) => (holds ? 1 : 0);

/** Every sequence of a design, followed from each environment in which it may begin. */
export function followDesign(table: DesignTable): readonly Followed[] {
  const follower = new Follower(table);
  follower.all();
  return follower.followed;
}

const compiled = new WeakMap<DesignTable, DesignConfig>();

/** What the rules read of a design. A table that was compiled before is not compiled again. */
export function compileDesign(table: DesignTable): DesignConfig {
  const known = compiled.get(table) ?? compile(table);
  compiled.set(table, known);
  return known;
}

function compile(table: DesignTable): DesignConfig {
  const follower = new Follower(table);
  follower.all();
  const { at, atFound, bodyStack, leavesIrqStack } = follower;
  const { contextSwitch } = table;
  return {
    pti: table.pageTables - 1,
    perTaskEntry: flag(table.entryStack === 'per-task'),
    entryCodeInUserTable: flag(table.entryCodeInUserTable),
    kernelDataInUserTable: flag(table.kernelDataInUserTable),
    leavesEntryStackBeforeSti: flag(bodyStack[SYSCALL] !== ENTRY),
    firstRunStack: table.firstRun.stack === 'pti' ? PTI : KERNEL,
    setsTop: flag(contextSwitch.includes('set-top')),
    setsSp0: flag(contextSwitch.includes('set-sp0')),
    releasesCpuEarly: flag(contextSwitch.indexOf('release-cpu') < contextSwitch.indexOf('switch-to')),
    ignoresNestedNmis: flag(table.nestedNmis === 'ignored' || !table.fromKernel.nmi.leave.includes('repeat-nmi')),
    bodyStack,
    leavesIrqStack,
    swapgsToKernelAt: at['swapgs-to-kernel'],
    readCr3IntoRspAt: at['read-cr3-into-rsp'],
    loadKernelCr3At: at['load-kernel-cr3'],
    loadEntryStackAt: at['load-entry-stack'],
    loadKernelStackAt: at['load-kernel-stack'],
    loadIrqStackAt: at['load-irq-stack'],
    enterBodyAt: at['enter-body'],
    stiAt: at.sti,
    returnToPtiStackAt: at['return-to-pti-stack'],
    leaveToEntryStackAt: at['leave-to-entry-stack'],
    loadUserCr3At: at['load-user-cr3'],
    loadUserRspAt: at['load-user-rsp'],
    swapgsToUserAt: at['swapgs-to-user'],
    sysretAt: at.sysret,
    iretToUserAt: at['iret-to-user'],
    restoreUserCr3At: atFound['restore-user-cr3'],
    restoreUserGsAt: atFound['restore-user-gs'],
    repeatNmiAt: atFound['repeat-nmi'],
    nmiIretToKernelAt: atFound['nmi-iret-to-kernel'],
  };
}
