/**
 * The booted guest as a transition system: an action is a transition of the abstract machine, found by running one CPU
 * until its abstraction changes. Properties are asked after every micro-step, refinement at every change; a divergence
 * switches refinement off and the properties go on.
 */
import type { Action } from '../../counterexamples/format';
import type { Cpu } from '../../emulator/cpu/cpu';
import type { ElfImage } from '../../emulator/elf/elf-image';
import { fetchOp } from '../../emulator/fetch';
import { OP_CONTROL, OP_MEM_READ, OP_STACK } from '../../emulator/micro-op';
import {
  CPL,
  DB_PENDING,
  EFLAGS,
  FLAG_IF,
  ICOUNT,
  IN_HLT,
  NMI_BLOCKED,
  NMI_PENDING,
  RIP,
  SS_SHADOW,
  STI_SHADOW,
} from '../../emulator/registers';
import { HALTED, RETIRED, SHUTDOWN, type StepResult } from '../../emulator/step-result';
import { deliverableVector } from '../../emulator/system/local-apic';
import { toVa } from '../../emulator/words';
import type { RuleInstance } from '../../model/checker/model';
import { INTERRUPTS } from '../ghost/ghost';
import { locationName } from '../guest/location';
import type { Guest } from '../monitor/guest';
import type { Monitor } from '../monitor/monitor';
import type { Refinement } from '../refinement/refinement';
import { L1, L5 } from '../safety/property';
import { ANY_RULE, type Change, eventOutcome, scripted, stepOutcome } from './change';
import { SpinDetector } from './spin-detector';
import type { Chooser, Option, Outcome, Taken, TransitionSystem } from './transition-system';

/** Vector of the timer in the guests of this repository, where no image is at hand. */
export const GUEST_TIMER_VECTOR = 0x20;

/**
 * A CPU that changes nothing is compared with itself every so many instructions: a multiple of the length of every
 * short loop.
 */
const SPIN_SAMPLE = 60;
/** Boundaries that a step may take at most; entry-terminates fails long before, unless the guest keeps choosing. */
const STEP_LIMIT = 20_000;

/** Boundaries until a raised line is taken where it is not masked: the STI shadow is one instruction long. */
const DELIVERY_LIMIT = 2;

/** Longest stutter that settling takes. */
const SETTLE_LIMIT = 500;

/** Instructions in a loop by which something from outside may be seen. */
const READS = OP_MEM_READ | OP_STACK | OP_CONTROL;

const FIRST: Chooser = () => 0;
const NOT_WAITING = -1;

export class EntrySystem implements TransitionSystem {
  readonly guest: Guest;
  readonly monitor: Monitor;
  readonly refinement: Refinement | undefined;
  /** The first divergence of this run; refinement is off from then on. */
  diverged: Extract<Outcome, { kind: 'diverged' }> | undefined;
  instructions = 0;
  readonly #image: ElfImage;
  readonly #initial: number;
  /** What belongs to each mark; the slots of marks that are gone are used again. */
  readonly #saved: { readonly abstract: Uint32Array | undefined; diverged: EntrySystem['diverged'] }[] = [];
  /** Hash of memory when the CPU was found to wait: it goes on as soon as somebody writes. -1: it does not wait. */
  readonly #waiting: number[];
  readonly #before: Outcome | undefined;
  #choose: Chooser = FIRST;
  readonly #choices: number[] = [];

  constructor(guest: Guest, refinement: Refinement | undefined) {
    this.guest = guest;
    this.monitor = guest.monitor;
    this.refinement = refinement;
    this.#image = guest.image;
    this.#waiting = guest.machine.cpus.map(() => NOT_WAITING);
    guest.machine.choose = (cpu, alternatives) => {
      const choice = this.#choose(alternatives);
      this.#choices.push(choice);
      this.monitor.chose(cpu);
      return choice;
    };
    const divergence = refinement?.start(this.monitor);
    this.#before = this.#violation() ?? (divergence === undefined ? undefined : { kind: 'diverged', ...divergence });
    this.#initial = this.mark();
  }

  initially(): Outcome | undefined {
    return this.#before;
  }

  reset(): void {
    this.rollback(this.#initial);
  }

  mark(): number {
    const mark = this.guest.machine.mark();
    const saved = this.#saved[mark];
    if (saved === undefined) this.#saved[mark] = { abstract: this.refinement?.save(), diverged: this.diverged };
    else {
      if (saved.abstract !== undefined) this.refinement?.save(saved.abstract);
      saved.diverged = this.diverged;
    }
    return mark;
  }

  rollback(mark: number): void {
    this.guest.machine.rollback(mark);
    const saved = this.#saved[mark];
    if (saved.abstract !== undefined) this.refinement?.restore(saved.abstract);
    this.diverged = saved.diverged;
    this.monitor.forget();
    this.#waiting.fill(NOT_WAITING);
  }

  release(mark: number): void {
    this.guest.machine.release(mark);
  }

  fingerprint(): string {
    return this.guest.machine.fingerprint();
  }

  options(): Option[] {
    const options: Option[] = [];
    for (const cpu of this.guest.machine.cpus) {
      const c = cpu.index;
      if (!this.#waits(c)) options.push({ kind: 'step', cpu: c });
      if (this.timerVector !== undefined && this.takesIrq(c))
        options.push({ kind: 'irq', cpu: c, vector: this.timerVector });
      if (cpu.r[NMI_PENDING] === 0 && !heldBack(cpu.r)) options.push({ kind: 'nmi', cpu: c });
    }
    return options;
  }

  /** Vector of the timer that the harness raises; undefined where the image takes no external interrupt. */
  get timerVector(): number | undefined {
    return this.guest.view.timerVector;
  }

  /** An external interrupt raised now would be taken at the next boundary. */
  takesIrq(c: number): boolean {
    const { r } = this.guest.machine.cpus[c];
    return (
      this.#interruptsOn(c) && r[STI_SHADOW] === 0 && !heldBack(r) && (r[NMI_PENDING] === 0 || r[NMI_BLOCKED] === 1)
    );
  }

  #interruptsOn(c: number): boolean {
    return this.monitor.ghost.words[this.monitor.ghost.cpu(c) + INTERRUPTS] === 1;
  }

  /** symbol+offset of the next instruction of a CPU, or its address where no symbol is near. */
  location(c: number): string {
    const { r } = this.guest.machine.cpus[c];
    return locationName(this.#image, toVa(r[RIP], r[RIP + 1]));
  }

  take(option: Option, choose: Chooser): Taken {
    this.#begin(choose);
    switch (option.kind) {
      case 'step':
        return this.#named(option.cpu, this.#runToChange(option.cpu, STEP_LIMIT));
      case 'run': {
        const change = this.#runToChange(option.cpu, option.count);
        return change.kind === 'none' ? this.#stuttered(option) : this.#named(option.cpu, change);
      }
      case 'part': {
        const action = this.settle(option.cpu, choose, option.fraction);
        if (action !== undefined) return { action, outcome: { kind: 'done', length: 0 } };
        return {
          action: { action: 'run', cpu: option.cpu, count: 1 },
          outcome: { kind: 'disabled', why: 'the next instruction is a transition' },
        };
      }
      case 'irq': {
        const at = this.location(option.cpu);
        const change = this.#raise(option);
        return {
          action: { action: 'irq', cpu: option.cpu, vector: option.vector, at },
          outcome: eventOutcome(change, 'irq'),
        };
      }
      case 'nmi': {
        const at = this.location(option.cpu);
        const change = this.#raise(option);
        return { action: { action: 'nmi', cpu: option.cpu, at }, outcome: eventOutcome(change, 'nmi') };
      }
    }
  }

  get cpus(): number {
    return this.guest.machine.cpus.length;
  }

  /** Runs up to the boundary before the next change: once to find it, once to stop short of it. */
  settle(c: number, choose: Chooser, fraction = 1): Action | undefined {
    const mark = this.mark();
    const waiting = [...this.#waiting];
    this.#begin(choose);
    const length = this.#stutters(c);
    const choices = [...this.#choices];
    this.rollback(mark);
    this.release(mark);
    for (let k = 0; k < waiting.length; k++) this.#waiting[k] = waiting[k];
    const count = Math.ceil(length * fraction);
    if (count === 0) return undefined;
    const action: Action = { action: 'run', cpu: c, count, ...(choices.length > 0 ? { choices } : {}) };
    return this.perform(action).kind === 'done' ? action : undefined;
  }

  /** Runs a CPU past its next change, or for as long as settling may; answers the boundaries before that. */
  #stutters(c: number): number {
    const { machine } = this.guest;
    const { monitor } = this;
    let length = 0;
    while (length < SETTLE_LIMIT && !this.#waits(c)) {
      monitor.touched = false;
      // One that was found to wait may come back to the memory in which it does.
      const result = machine.run(c, this.#waiting[c] === NOT_WAITING ? SETTLE_LIMIT - length : 1);
      this.instructions += machine.boundaries;
      length += machine.boundaries;
      if (monitor.violation !== undefined) return length - 1;
      if (result !== SHUTDOWN && monitor.touched && this.#judge(c) !== undefined) return length - 1;
      if (result === HALTED) this.#waiting[c] = machine.memoryHash();
    }
    return length;
  }

  #begin(choose: Chooser): void {
    this.#choose = choose;
    this.#choices.length = 0;
  }

  #stuttered(option: Extract<Option, { kind: 'run' }>): Taken {
    const choices = this.#choices.length > 0 ? { choices: [...this.#choices] } : {};
    return {
      action: { action: 'run', cpu: option.cpu, count: option.count, ...choices },
      outcome: { kind: 'done', length: 0 },
    };
  }

  /** The action that a step of CPU `c` turned out to be. */
  #named(c: number, change: Change): Taken {
    const choices = this.#choices.length > 0 ? { choices: [...this.#choices] } : {};
    const named = (rule: string, args: readonly number[]): Action => ({
      action: 'step',
      cpu: c,
      rule,
      ...(args.length > 0 ? { args: [...args] } : {}),
      ...choices,
    });
    if (change.kind === 'transition')
      return {
        action: named(change.instance.rule, change.instance.args.slice(1)),
        outcome: { kind: 'done', length: 1 },
      };
    if (change.kind === 'unknown') return { action: named(ANY_RULE, []), outcome: { kind: 'done', length: 1 } };
    if (change.kind === 'none') return { action: named(ANY_RULE, []), outcome: { kind: 'disabled', why: change.why } };
    const guess = change.kind === 'violated' ? this.#violatingRule(c, change.property) : undefined;
    return { action: named(guess?.rule ?? ANY_RULE, guess?.args.slice(1) ?? []), outcome: change };
  }

  /**
   * The rule by which the abstract machine violates the same property here; a violation inside an instruction has no
   * abstraction of its own.
   */
  #violatingRule(c: number, property: number): RuleInstance | undefined {
    if (this.diverged !== undefined) return undefined;
    return this.refinement?.violatingRule(c, property);
  }

  perform(action: Action, choose: Chooser = FIRST): Outcome {
    if (action.action === 'step' || action.action === 'run') this.#begin(scripted(action.choices ?? [], choose));
    else this.#begin(choose);
    switch (action.action) {
      case 'step':
        return stepOutcome(this.#runToChange(action.cpu, STEP_LIMIT), action);
      case 'run': {
        const change = this.#runToChange(action.cpu, action.count);
        if (change.kind === 'none') return { kind: 'done', length: 0 };
        if (change.kind === 'transition' || change.kind === 'unknown')
          return { kind: 'disabled', why: 'the abstract state changed on the way' };
        return change;
      }
      case 'irq':
      case 'nmi': {
        const reached = action.at === undefined ? undefined : this.#runTo(action.cpu, action.at);
        if (reached !== undefined) return reached;
        if (action.action === 'irq' && !this.#interruptsOn(action.cpu))
          return { kind: 'disabled', why: 'interrupts are off' };
        const { cpu } = action;
        return eventOutcome(
          this.#raise(action.action === 'irq' ? { kind: 'irq', cpu, vector: action.vector } : { kind: 'nmi', cpu }),
          action.action,
        );
      }
    }
  }

  /** Raises a line and delivers what the hardware delivers at this boundary. */
  #raise(option: Extract<Option, { kind: 'irq' | 'nmi' }>): Change {
    const { machine } = this.guest;
    const { r } = machine.cpus[option.cpu];
    if (heldBack(r)) return { kind: 'none', why: 'a single-step trap or the shadow of MOV SS comes first' };
    if (option.kind === 'irq') machine.raiseIrq(option.cpu, option.vector);
    else if (r[NMI_PENDING] === 1) return { kind: 'none', why: 'an NMI is pending already' };
    else machine.raiseNmi(option.cpu);
    if (option.kind === 'nmi' && r[NMI_BLOCKED] === 1)
      return this.#judge(option.cpu) ?? { kind: 'none', why: 'the NMI changed nothing' };
    return this.#runToChange(option.cpu, DELIVERY_LIMIT);
  }

  /** Runs stutters of a CPU up to an instruction. */
  #runTo(c: number, at: string): Outcome | undefined {
    for (let i = 0; i < STEP_LIMIT; i++) {
      if (this.location(c) === at) return undefined;
      const change = this.#runToChange(c, 1);
      if (change.kind === 'violated' || change.kind === 'diverged') return change;
      if (change.kind !== 'none') return { kind: 'disabled', why: `the abstract state changed before ${at}` };
      if (this.#waits(c)) return { kind: 'disabled', why: `CPU ${c} waits before ${at}` };
    }
    return { kind: 'disabled', why: `${at} is not on the way` };
  }

  /** Runs a CPU until its abstraction changes, a property is violated, it waits, or `limit` boundaries have passed. */
  #runToChange(c: number, limit: number): Change {
    const { machine } = this.guest;
    const { monitor } = this;
    let left = limit;
    let spin: SpinDetector | undefined;
    while (left > 0) {
      const chunk = Math.min(left, SPIN_SAMPLE);
      monitor.touched = false;
      const before = machine.cpus[c].r[ICOUNT];
      const result: StepResult = machine.run(c, chunk);
      const done = Math.max(1, (machine.cpus[c].r[ICOUNT] - before) | 0);
      this.instructions += done;
      left -= done;
      const violation = this.#violation();
      if (violation !== undefined) return violation;
      if (result === SHUTDOWN) return { kind: 'none', why: 'the CPU has shut down' };
      const change = monitor.touched ? this.#judge(c) : undefined;
      if (change !== undefined) return this.#moved(c, change);
      if (result === HALTED) return this.#nowWaits(c, 'is halted');
      if (result === RETIRED && done === chunk && chunk === SPIN_SAMPLE) {
        spin ??= new SpinDetector();
        if (spin.repeats(machine.cpuHash(c) ^ machine.memoryHash())) return this.#spins(c);
      }
    }
    return { kind: 'none', why: `nothing changed in ${limit} instructions` };
  }

  /**
   * A CPU that repeats its state waits for another one, or for an interrupt if it takes one. A loop that reads nothing
   * waits for nobody (L1). Otherwise it never gets out if no other CPU can help: if none waits in the kernel nobody ever
   * will (L1), else they wait for each other (L5).
   */
  #spins(c: number): Change {
    const { cpus } = this.guest.machine;
    const others = cpus.filter((cpu) => cpu.index !== c);
    const stuck = cpus[c].r[CPL] === 0 && !takesInterrupts(cpus[c]);
    if (stuck && !this.#readsInLoop(c)) {
      this.monitor.report(
        L1,
        cpus[c],
        'expected the entry to return, the CPU repeats its state and reads nothing meanwhile',
      );
      return this.#violation() ?? { kind: 'none', why: 'the CPU repeats its state' };
    }
    if (stuck && !others.some((cpu) => this.#canHelp(cpu))) {
      const waiting = others.filter((cpu) => inKernel(cpu)).map((cpu) => `CPU ${cpu.index}`);
      if (waiting.length === 0)
        this.monitor.report(
          L1,
          cpus[c],
          'expected the entry to return, the CPU repeats its state and no other CPU is in the kernel or about to enter it',
        );
      else
        this.monitor.report(
          L5,
          cpus[c],
          `expected a CPU that goes on, CPU ${c} and ${waiting.join(', ')} repeat their states with IF=0, each waiting for another`,
        );
      return this.#violation() ?? { kind: 'none', why: 'the CPU repeats its state' };
    }
    this.monitor.chose(cpus[c]);
    return this.#nowWaits(c, 'repeats its state');
  }

  /** Some instruction of the loop that the CPU goes round in reads memory or a port: it can be told to stop. */
  #readsInLoop(c: number): boolean {
    const { machine } = this.guest;
    for (let i = 0; i < SPIN_SAMPLE; i++) {
      const op = fetchOp(machine.cpus[c]);
      if (op === undefined || (op.flags & READS) !== 0) return true;
      machine.step(c);
    }
    return false;
  }

  /**
   * A CPU may do what another one waits for: it runs kernel code and does not wait itself, or an event that is pending
   * takes it into the kernel, or it waits with IF=1, and an interrupt may come.
   */
  #canHelp(cpu: Cpu): boolean {
    const { r } = cpu;
    if (r[NMI_PENDING] === 1 && r[NMI_BLOCKED] === 0) return true;
    if (takesInterrupts(cpu) && deliverableVector(r) >= 0) return true;
    return inKernel(cpu) && (!this.#waits(cpu.index) || takesInterrupts(cpu));
  }

  /** The CPU has been found to wait, and nobody has written to memory since. */
  #waits(c: number): boolean {
    return this.#waiting[c] === this.guest.machine.memoryHash();
  }

  #nowWaits(c: number, how: string): Change {
    this.#waiting[c] = this.guest.machine.memoryHash();
    return { kind: 'none', why: `CPU ${c} ${how}` };
  }

  /** A change wakes whoever waits for it. */
  #moved(c: number, change: Change): Change {
    for (let k = 0; k < this.#waiting.length; k++) if (k !== c) this.#waiting[k] = NOT_WAITING;
    return change;
  }

  #violation(): Extract<Outcome, { kind: 'violated' }> | undefined {
    const { violation } = this.monitor;
    return violation === undefined
      ? undefined
      : { kind: 'violated', property: violation.property, message: violation.message };
  }

  /** What the boundary was in the abstract machine; undefined for a stutter. */
  #judge(c: number): Change | undefined {
    if (this.refinement === undefined || this.diverged !== undefined) return { kind: 'unknown' };
    const step = this.refinement.check(this.monitor, c);
    switch (step.kind) {
      case 'stutter':
        return undefined;
      case 'transition':
        return step;
      case 'diverged':
        this.diverged = { kind: 'diverged', ...step.divergence };
        return this.diverged;
    }
  }
}

/** Neither in user mode nor halted. */
function inKernel({ r }: Cpu): boolean {
  return r[CPL] === 0 && r[IN_HLT] === 0;
}

function takesInterrupts({ r }: Cpu): boolean {
  return (r[EFLAGS] & FLAG_IF) !== 0;
}

/**
 * No event is delivered at this boundary: a single-step trap comes first, or MOV SS holds it back (SDM Vol. 3A, 6.9 and
 * 6.8.3). Raised one boundary later it is the same event.
 */
function heldBack(r: Int32Array): boolean {
  return (r[DB_PENDING] | r[SS_SHADOW]) !== 0;
}
