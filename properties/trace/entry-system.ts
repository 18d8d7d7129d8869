/**
 * The booted guest as a transition system: an action is a transition of the abstract machine, found by running one CPU
 * until its abstraction changes.
 */
import type { Action } from '../../counterexamples/format';
import type { ElfImage } from '../../emulator/elf/elf-image';
import { CPL, NMI_BLOCKED, NMI_PENDING, RIP, STI_SHADOW } from '../../emulator/registers';
import { toVa } from '../../emulator/words';
import type { RuleInstance } from '../../model/checker/model';
import { INTERRUPTS } from '../ghost/ghost';
import { locationName } from '../guest/location';
import type { Guest } from '../monitor/guest';
import type { Monitor } from '../monitor/monitor';
import type { Refinement } from '../refinement/refinement';
import { ANY_RULE, type Change, eventOutcome, scripted, stepOutcome } from './change';
import { ChangeFinder, isHeldBack } from './change-finder';
import type { ActionOutcome, BoundarySystem, Chooser, Option, Taken } from './transition-system';

/** Boundaries that a step may take at most; entry-terminates fails long before, unless the guest keeps choosing. */
const STEP_LIMIT = 20_000;

/** Longest stutter that settling takes. */
const SETTLE_LIMIT = 500;

const FIRST: Chooser = () => 0;
const DONE: ActionOutcome = { kind: 'done', length: 1 };

interface EventOptions {
  readonly step: Option;
  readonly irq: Option | undefined;
  readonly nmi: Option;
}

function eventOptions(cpu: number, vector: number | undefined): EventOptions {
  const irq: Option | undefined = vector === undefined ? undefined : { kind: 'irq', cpu, vector };
  return { step: { kind: 'step', cpu }, irq, nmi: { kind: 'nmi', cpu } };
}

export class EntrySystem implements BoundarySystem {
  readonly guest: Guest;
  readonly monitor: Monitor;
  readonly refinement: Refinement | undefined;
  private readonly image: ElfImage;
  private readonly initial: number;
  /** What belongs to each mark; the slots of marks that are gone are used again. */
  private readonly saved: { readonly abstract: Uint32Array | undefined; diverged: ChangeFinder['diverged'] }[] = [];
  private readonly finder: ChangeFinder;
  private readonly initialOutcome: ActionOutcome | undefined;
  private choose: Chooser = FIRST;
  /** Choices since the action began. An action that is answered keeps the array. */
  private choices: number[] = [];
  /** The options of each CPU, made once. */
  private readonly events: readonly EventOptions[];

  constructor(guest: Guest, refinement: Refinement | undefined) {
    this.guest = guest;
    this.monitor = guest.monitor;
    this.refinement = refinement;
    this.image = guest.image;
    this.finder = new ChangeFinder(guest, refinement);
    this.events = guest.machine.cpus.map(({ index }) => eventOptions(index, this.timerVector));
    guest.machine.choose = (cpu, alternatives) => {
      const choice = this.choose(alternatives);
      this.choices.push(choice);
      this.monitor.chose(cpu);
      return choice;
    };
    const divergence = refinement?.start(this.monitor);
    this.initialOutcome =
      this.finder.violation() ?? (divergence === undefined ? undefined : { kind: 'diverged', ...divergence });
    this.initial = this.mark();
  }

  /** The first divergence of this run; refinement is off from then on. */
  get diverged(): ChangeFinder['diverged'] {
    return this.finder.diverged;
  }

  /** Instructions that were executed, with those that were taken back. */
  get instructions(): number {
    return this.finder.instructions;
  }

  initially(): ActionOutcome | undefined {
    return this.initialOutcome;
  }

  reset(): void {
    this.rollback(this.initial);
  }

  mark(): number {
    const mark = this.guest.machine.mark();
    const saved = this.saved[mark];
    if (saved === undefined) this.saved[mark] = { abstract: this.refinement?.save(), diverged: this.finder.diverged };
    else {
      if (saved.abstract !== undefined) this.refinement?.save(saved.abstract);
      saved.diverged = this.finder.diverged;
    }
    return mark;
  }

  rollback(mark: number): void {
    this.guest.machine.rollback(mark);
    const saved = this.saved[mark];
    if (saved.abstract !== undefined) this.refinement?.restore(saved.abstract);
    this.finder.diverged = saved.diverged;
    this.monitor.forget();
    this.finder.waiting.wakeAll();
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
      const { step, irq, nmi } = this.events[c];
      if (!this.finder.waiting.waits(c)) options.push(step);
      if (irq !== undefined && this.takesIrq(c)) options.push(irq);
      if (cpu.r[NMI_PENDING] === 0 && !isHeldBack(cpu.r)) options.push(nmi);
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
      this.interruptsOn(c) && r[STI_SHADOW] === 0 && !isHeldBack(r) && (r[NMI_PENDING] === 0 || r[NMI_BLOCKED] === 1)
    );
  }

  private interruptsOn(c: number): boolean {
    return this.monitor.ghost.words[this.monitor.ghost.cpu(c) + INTERRUPTS] === 1;
  }

  /** symbol+offset of the next instruction of a CPU, or its address where no symbol is near. */
  location(c: number): string {
    const { r } = this.guest.machine.cpus[c];
    return locationName(this.image, toVa(r[RIP], r[RIP + 1]));
  }

  isInUserMode(c: number): boolean {
    return this.guest.machine.cpus[c].r[CPL] === 3;
  }

  take(option: Option, choose: Chooser): Taken {
    this.begin(choose);
    switch (option.kind) {
      case 'step':
        return this.named(option.cpu, this.finder.runToChange(option.cpu, STEP_LIMIT));
      case 'run': {
        const change = this.finder.runToChange(option.cpu, option.count);
        return change.kind === 'none' ? this.stuttered(option) : this.named(option.cpu, change);
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
        const change = this.finder.raise(option);
        return {
          action: { action: 'irq', cpu: option.cpu, vector: option.vector, at },
          outcome: eventOutcome(change, 'irq'),
        };
      }
      case 'nmi': {
        const at = this.location(option.cpu);
        const change = this.finder.raise(option);
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
    const waiting = this.finder.waiting.save();
    this.begin(choose);
    const length = this.finder.stutters(c, SETTLE_LIMIT);
    const { choices } = this;
    this.rollback(mark);
    this.release(mark);
    this.finder.waiting.restore(waiting);
    const count = Math.ceil(length * fraction);
    if (count === 0) return undefined;
    const action: Action = { action: 'run', cpu: c, count, ...(choices.length > 0 ? { choices } : {}) };
    return this.perform(action).kind === 'done' ? action : undefined;
  }

  private begin(choose: Chooser): void {
    this.choose = choose;
    if (this.choices.length > 0) this.choices = [];
  }

  private stuttered(option: Extract<Option, { kind: 'run' }>): Taken {
    const choices = this.choices.length > 0 ? { choices: this.choices } : {};
    return {
      action: { action: 'run', cpu: option.cpu, count: option.count, ...choices },
      outcome: { kind: 'done', length: 0 },
    };
  }

  /** The action that a step of CPU `c` turned out to be. */
  private named(c: number, change: Change): Taken {
    switch (change.kind) {
      case 'transition':
        return { action: this.stepOf(c, change.instance), outcome: DONE };
      case 'unknown':
        return { action: this.stepOf(c), outcome: DONE };
      case 'none':
        return { action: this.stepOf(c), outcome: { kind: 'disabled', why: change.why } };
      case 'violated':
        return { action: this.stepOf(c, this.finder.violatingRule(c, change.property)), outcome: change };
      case 'diverged':
        return { action: this.stepOf(c), outcome: change };
    }
  }

  /** The step by a rule of CPU `cpu`, or by any; with the choices that were made. */
  private stepOf(cpu: number, instance?: RuleInstance): Action {
    const { choices } = this;
    const rule = instance?.rule ?? ANY_RULE;
    const args = instance === undefined || instance.args.length < 2 ? undefined : instance.args.slice(1);
    if (choices.length === 0)
      return args === undefined ? { action: 'step', cpu, rule } : { action: 'step', cpu, rule, args };
    return args === undefined ? { action: 'step', cpu, rule, choices } : { action: 'step', cpu, rule, args, choices };
  }

  perform(action: Action, choose: Chooser = FIRST): ActionOutcome {
    if (action.action === 'step' || action.action === 'run') this.begin(scripted(action.choices ?? [], choose));
    else this.begin(choose);
    switch (action.action) {
      case 'step':
        return stepOutcome(this.finder.runToChange(action.cpu, STEP_LIMIT), action);
      case 'run': {
        const change = this.finder.runToChange(action.cpu, action.count);
        if (change.kind === 'none') return { kind: 'done', length: 0 };
        if (change.kind === 'transition' || change.kind === 'unknown')
          return { kind: 'disabled', why: 'the abstract state changed on the way' };
        return change;
      }
      case 'irq':
      case 'nmi': {
        const reached = action.at === undefined ? undefined : this.runTo(action.cpu, action.at);
        if (reached !== undefined) return reached;
        if (action.action === 'irq' && !this.interruptsOn(action.cpu))
          return { kind: 'disabled', why: 'interrupts are off' };
        const { cpu } = action;
        return eventOutcome(
          this.finder.raise(
            action.action === 'irq' ? { kind: 'irq', cpu, vector: action.vector } : { kind: 'nmi', cpu },
          ),
          action.action,
        );
      }
    }
  }

  /** Runs stutters of a CPU up to an instruction. */
  private runTo(c: number, at: string): ActionOutcome | undefined {
    for (let i = 0; i < STEP_LIMIT; i++) {
      if (this.location(c) === at) return undefined;
      const change = this.finder.runToChange(c, 1);
      if (change.kind === 'violated' || change.kind === 'diverged') return change;
      if (change.kind !== 'none') return { kind: 'disabled', why: `the abstract state changed before ${at}` };
      if (this.finder.waiting.waits(c)) return { kind: 'disabled', why: `CPU ${c} waits before ${at}` };
    }
    return { kind: 'disabled', why: `${at} is not on the way` };
  }
}
