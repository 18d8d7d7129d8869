/**
 * A booted kernel that is driven by the actions of a trace, and goes back to any mark. It says when the kernel has come
 * to an end that no kernel may come to: a shutdown, an oops or a panic, code that the emulator does not execute. What
 * else must hold is for the watch to say, which is asked after every action.
 */

import type { KernelAction } from '../../counterexamples/kernel-case';
import type { Cpu } from '../../emulator/cpu/cpu';
import type { LinuxMachine } from '../../emulator/linux/boot/linux-machine';
import { TrampolineError } from '../../emulator/linux/boot/trampoline';
import { CR3, RIP } from '../../emulator/registers';
import { HALTED, SHUTDOWN } from '../../emulator/step-result';
import { UnimplementedError } from '../../emulator/unimplemented';
import { comeBack, type Interruption } from './interruption';
import { happen } from './kernel-events';

/** What a trace ended with. `property` is a slug: of a property, or of one of the ends that no kernel may come to. */
export interface KernelViolation {
  readonly property: string;
  readonly message: string;
  readonly cpu: number;
  /** Of the CPU, sign-folded. */
  readonly rip: number;
}

/** A trace that ends with a violation. */
export interface KernelFailure extends KernelViolation {
  readonly trace: readonly KernelAction[];
}

/** Whoever judges while the machine runs; its state is attached to the machine, so that marks have it. */
export interface Watch {
  readonly violation: KernelViolation | undefined;
  /** The machine has gone back to before it. */
  forget(): void;
}

const NOBODY: Watch = { violation: undefined, forget: () => {} };

/** Lines of the console that a kernel in good health does not write. */
const COMPLAINT =
  /^.*(Kernel panic|Oops|BUG:|WARNING:|general protection fault|double fault|unable to handle|unchecked MSR|stack guard page|INFO: rcu|soft lockup|bad pt_regs).*$/m;

/** Of `runUntil`: it was not done. */
export const NEVER = Number.POSITIVE_INFINITY;

/** Boundaries until the program must have announced what it was sent to. */
const MOST_TO_ANNOUNCE = 400_000;
const ROUND = 256;
/** The routine of the program that announces an excursion and goes there. */
const NEXT = 'next';

/** The program in user mode, as `readWorkload` answers it. */
interface ProgramImage {
  readonly elf: { symbol(name: string): number | undefined };
  readonly excursions: readonly string[];
}

/** The program as it runs: the CPU that runs it, and the physical addresses of its words. */
interface Program {
  readonly cpu: number;
  readonly index: number;
  readonly round: number;
}

export class KernelSystem {
  readonly linux: LinuxMachine;
  readonly image: ProgramImage;
  /** The last announcement since somebody has set it to undefined. */
  heard: number | undefined;
  /** Told before each boundary, of the CPU that takes it. */
  onBoundary: ((cpu: Cpu) => void) | undefined;
  /** The last `back` has not come back. */
  isAway = false;
  private readonly watch: Watch;
  private readonly program: Program | undefined;
  /** What is violated in the state after the boot already. */
  private readonly initial: KernelViolation | undefined;
  private own: KernelViolation | undefined;
  /** Characters of the console after the boot, and those that were looked at. */
  private readonly consoleAtBoot: number;
  private consoleSeen: number;

  /** The first event that was taken and is not over. */
  private interruption: Interruption | undefined;
  /** What it was at each mark. */
  private readonly interruptions: (Interruption | undefined)[] = [];
  /** The address of the C function of NMIs, sign-folded. */
  readonly nmiBody: number;

  /** The machine is as it was after the boot. `nmiBody` is the address of the C function of NMIs, sign-folded. */
  constructor(linux: LinuxMachine, image: ProgramImage, nmiBody: number, watch: Watch = NOBODY) {
    this.nmiBody = nmiBody;
    this.linux = linux;
    this.image = image;
    this.watch = watch;
    this.consoleAtBoot = linux.platform.console.length;
    this.consoleSeen = this.consoleAtBoot;
    linux.platform.announced = (_cpu, value) => {
      this.heard = value;
    };
    this.program = this.toFirst();
    this.initial = this.violation;
  }

  get violation(): KernelViolation | undefined {
    return this.initial ?? this.watch.violation ?? this.own;
  }

  mark(): number {
    const mark = this.linux.machine.mark();
    this.interruptions[mark] = this.interruption;
    return mark;
  }

  rollback(mark: number): void {
    this.linux.machine.rollback(mark);
    this.interruption = this.interruptions[mark];
    this.own = undefined;
    this.consoleSeen = this.consoleAtBoot;
    this.watch.forget();
  }

  release(mark: number): void {
    this.linux.machine.release(mark);
  }

  /** Does what the action says, or as much of it as goes without a violation. Answers how many boundaries it took. */
  perform(action: KernelAction): number {
    switch (action.action) {
      case 'excursion':
        return this.begin(action.name, action.round);
      case 'turns':
        return this.turns(action.count);
      case 'run':
        return this.run(action.cpu, action.count);
      case 'back':
        this.back(action.cpu);
        return 0;
      default:
        return happen(this, action);
    }
  }

  /** An event was taken, before which the CPU was as it says. */
  taken(interruption: Interruption | undefined): void {
    this.interruption ??= interruption;
  }

  /** One boundary in the turns of the CPUs, or at most so many. Answers how many. */
  step(most = 1): number {
    this.guarded(() => {
      const { interleaving, machine } = this.linux;
      this.onBoundary?.(machine.cpus[interleaving.next()]);
      const end = interleaving.step(this.onBoundary === undefined ? most : 1);
      if (end === 'shutdown') this.fail('no-shutdown', 'a CPU is in shutdown, after a triple fault');
      if (end === 'asleep') this.fail('no-sleep', 'every CPU waits, and no timer is armed');
    });
    return this.linux.interleaving.taken;
  }

  /** At most so many boundaries of one CPU: fewer if it halts or if somebody stops the machine. */
  run(c: number, count: number): number {
    const { machine } = this.linux;
    let taken = 0;
    this.guarded(() => {
      let result = 0;
      while (taken < count && result !== HALTED && this.violation === undefined) {
        this.onBoundary?.(machine.cpus[c]);
        result = machine.run(c, this.onBoundary === undefined ? count - taken : 1);
        taken += machine.boundaries;
        if (result === SHUTDOWN) this.fail('no-shutdown', 'a CPU is in shutdown, after a triple fault');
      }
    });
    return taken;
  }

  /**
   * Boundaries of one CPU until `done` says so after one of them. Answers how many it took; more than `most` if it was
   * not done by then, if the CPU has halted, or if something is violated.
   */
  runUntil(c: number, done: (cpu: Cpu) => boolean, most: number): number {
    const { machine } = this.linux;
    const cpu = machine.cpus[c];
    let taken = 0;
    machine.stop = false;
    this.guarded(() => {
      for (let isDone = false; !isDone; isDone = done(cpu)) {
        if (taken === most) {
          taken = NEVER;
          return;
        }
        this.onBoundary?.(cpu);
        const result = machine.step(c);
        taken++;
        if (result === SHUTDOWN) this.fail('no-shutdown', 'a CPU is in shutdown, after a triple fault');
        if (result === HALTED || (machine.stop && this.violation !== undefined)) {
          taken = NEVER;
          return;
        }
      }
    });
    return taken;
  }

  /** What was printed since somebody looked is read. To be asked at the end of whatever may have printed something. */
  readConsole(): void {
    const { console } = this.linux.platform;
    if (console.length === this.consoleSeen) return;
    this.consoleSeen = console.length;
    const [line] = COMPLAINT.exec(console.text.slice(this.consoleAtBoot)) ?? [];
    if (line !== undefined) this.fail('no-complaint', `the kernel says: ${line.trim()}`);
  }

  private turns(count: number): number {
    let taken = 0;
    while (taken < count && this.violation === undefined) taken += this.step(count - taken);
    this.readConsole();
    return taken;
  }

  /** The program is sent to an excursion, and runs until it says that it has come there. Only the first action. */
  private begin(name: string, round: number): number {
    const { elf, excursions } = this.image;
    const index = excursions.indexOf(name);
    if (index < 0) throw new RangeError(`the program has no excursion ${name}`);
    const { cpus, memory } = this.linux.machine;
    if (this.program === undefined) return 0;
    memory.write32At(this.program.index, index);
    memory.write32At(this.program.round, round * ROUND);
    const cpu = cpus[this.program.cpu];
    cpu.set64(RIP, BigInt(elf.symbol(NEXT) ?? 0));
    return this.untilHeard(index + 1 + round * ROUND);
  }

  private untilHeard(value: number): number {
    this.heard = undefined;
    let taken = 0;
    while (this.heard !== value && this.violation === undefined) {
      if (taken === MOST_TO_ANNOUNCE) throw new RangeError(`the program does not announce ${value}`);
      taken += this.step(MOST_TO_ANNOUNCE - taken);
    }
    return taken;
  }

  /**
   * Where the program that is ready has announced its first excursion, and where its words are then: before, their page
   * may be one that is shared until it is written to. Undefined if something is violated on the way.
   */
  private toFirst(): Program | undefined {
    this.untilHeard(1);
    if (this.violation !== undefined) return undefined;
    const { machine, interleaving } = this.linux;
    const cpu = machine.cpus[interleaving.next()];
    const at = (name: string) => {
      const va = this.image.elf.symbol(name);
      const leaf = va === undefined ? undefined : machine.translate(cpu.r[CR3], va);
      if (leaf?.writable) return leaf.pa;
      throw new RangeError(`expected a program that has begun its excursions, with its word ${name} in memory`);
    };
    return { cpu: cpu.index, index: at('index'), round: at('round') };
  }

  private back(c: number): void {
    const { interruption } = this;
    this.interruption = undefined;
    this.isAway = interruption === undefined || !comeBack(this, c, interruption, this.nmiBody);
    this.readConsole();
  }

  /** Of what has no number among the properties: an end to which no kernel may come. */
  fail(property: string, message: string): void {
    const { cpus } = this.linux.machine;
    const cpu = cpus[this.linux.interleaving.next()];
    this.own ??= { property, message, cpu: cpu.index, rip: cpu.rip() };
  }

  private guarded(body: () => void): void {
    try {
      body();
    } catch (error) {
      if (!(error instanceof UnimplementedError || error instanceof TrampolineError)) throw error;
      this.fail('executable', error.message);
    }
  }
}
