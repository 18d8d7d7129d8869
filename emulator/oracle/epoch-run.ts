/**
 * Our machine in epochs: one of its CPUs runs to a place that another machine can be sent to afterwards. That is its
 * next return to user mode, or a boundary before it; the instruction there has not been reached before in the epoch, so
 * that one breakpoint finds it. Choices have one answer throughout an epoch. Where the guest goes round until it gets
 * another one, the epoch ends before; so it does before a HLT that nothing would end.
 */
import type { Cpu } from '../cpu/cpu';
import type { Machine } from '../machine';
import {
  CPL,
  CR3,
  CR4,
  CR4_SMEP,
  DB_PENDING,
  EFLAGS,
  FLAG_IF,
  IN_HLT,
  NMI_BLOCKED,
  NMI_PENDING,
  SS_SHADOW,
  STI_SHADOW,
} from '../registers';
import { HALTED } from '../step-result';
import { deliverableVector } from '../system/local-apic';
import type { OracleEvent } from './epoch-machine';
import type { Choices } from './qemu-choices';
import { QemuImitation } from './qemu-imitation';

export interface EpochOptions {
  /** Instructions and deliveries. */
  readonly steps: number;
  readonly cpus: number;
  readonly tasks: number;
  readonly mms: number;
  /** Uniform numbers in [0, 1); the only source of choices, events and lengths. */
  readonly random: () => number;
  /** Mean number of steps between two NMIs, and between two interrupts, once the CPU has reached user mode. */
  readonly nmiEvery: number;
  readonly irqEvery: number;
  readonly vectors: readonly number[];
  /** Mean number of steps of an epoch that does not return to user mode before. */
  readonly length: number;
}

/** What happened in one, so that it can be done again. */
export interface Epoch {
  /** The one that runs. */
  readonly cpu: number;
  readonly choices: Choices;
  readonly events: readonly OracleEvent[];
  /** It begins with a HLT that has been executed when the events come. */
  readonly asleep: boolean;
  /** Without those that are done before all events are raised. */
  readonly steps: number;
}

const ROOT = 0xfffff000;
/** No epoch is longer, in multiples of the mean. */
const LONGEST = 20;
const MAX_ALTERNATIVES = 256;
/** Ports from 0xC0 on. Two ports have one answer: what the guests ask of the two decides how large it may be. */
const PORT_ANSWERS = new Map([
  [2, 3],
  [4, 4],
  [6, 7],
  [8, 8],
  [10, 10],
  [12, 12],
  [14, 14],
]);

export class EpochRun {
  readonly machine: Machine;
  readonly imitation: QemuImitation;
  /** Epochs that ended at a return to user mode, and at a HLT. */
  returns = 0;
  halts = 0;
  /** The CPU of the epoch under way. */
  private cpu: Cpu;
  /** By CPU: the next instruction is a HLT, and nothing has been there to wake it. */
  private readonly atHalt: boolean[];
  /** By CPU: it has been there. */
  private readonly inUserMode: boolean[];
  private readonly options: EpochOptions;
  private readonly choices: Choices = { page: new Uint8Array(MAX_ALTERNATIVES), ports: new Uint8Array(16) };
  /** Linear addresses of the instructions that the epoch has reached. */
  private readonly reached = new Set<number>();
  /** The last boundary at which the epoch under way may end; the same when each choice was asked last, or -1. */
  private possible = 0;
  private readonly askedAt = new Int32Array(2 * MAX_ALTERNATIVES);
  private goesRound = false;
  /** A CPU has halted with interrupts off: NMIs may wake it, but it will do nothing else. */
  private hasStopped = false;

  constructor(machine: Machine, options: EpochOptions) {
    this.machine = machine;
    this.options = options;
    this.imitation = new QemuImitation(machine);
    [this.cpu] = machine.cpus;
    this.atHalt = machine.cpus.map(() => false);
    this.inUserMode = machine.cpus.map(() => false);
    this.observe();
  }

  /** Every CPU has been in user mode. */
  get hasBooted(): boolean {
    return this.inUserMode.every((been) => been);
  }

  /** The machine has been put back into a state in which no CPU was about to halt. */
  beginAgain(): void {
    this.atHalt.fill(false);
    this.hasStopped = false;
  }

  /** Some CPU is about to halt. */
  get isAtHalt(): boolean {
    return this.atHalt.includes(true);
  }

  /** One epoch from the mark on, which is the newest one; undefined: the guest has stopped for good. */
  run(mark: number): Epoch | undefined {
    if (this.hasStopped) return undefined;
    const { machine } = this;
    this.cpu = machine.cpus[this.drawCpu()];
    const atHalt = this.atHalt[this.cpu.index];
    for (;;) {
      this.drawChoices();
      // Another CPU may have sent an interrupt since.
      const asleep = atHalt && !isHeld(this.cpu);
      const epoch = { cpu: this.cpu.index, choices: copy(this.choices), events: this.drawEvents(atHalt), asleep };
      this.raise(epoch);
      const steps = this.runOurs(mark, epoch);
      if (steps > 0) return { ...epoch, steps };
      if (!this.goesRound) return undefined;
      machine.rollback(mark);
    }
  }

  /** Makes the machine imitate QEMU and ask here for its choices. */
  observe(): void {
    this.machine.observer = this.imitation;
    this.machine.choose = (_cpu, alternatives) => this.choice(alternatives, this.imitation.takePort());
  }

  private choice(alternatives: number, port: boolean): number {
    const key = alternatives + (port ? MAX_ALTERNATIVES : 0);
    // Nothing new since it was asked last: the guest goes round until it gets another answer.
    if (this.askedAt[key] === this.possible) this.goesRound = true;
    this.askedAt[key] = this.possible;
    return port ? this.choices.ports[alternatives] : this.choices.page[alternatives];
  }

  /** Until CPU 0 has booted there is nothing for another one to run on. */
  private drawCpu(): number {
    const { length } = this.machine.cpus;
    return length > 1 && this.inUserMode[0] ? Math.floor(this.options.random() * length) : 0;
  }

  private drawChoices(): void {
    const { random } = this.options;
    for (let n = 2; n < MAX_ALTERNATIVES; n++) this.choices.page[n] = Math.floor(random() * n);
    for (const [n, answers] of PORT_ANSWERS) {
      // A port takes three commands, so that half of them keep their answer.
      if (random() < 0.5) this.choices.ports.fill(Math.floor(random() * answers), n, n + 2);
    }
  }

  private drawEvents(atHalt: boolean): OracleEvent[] {
    const { random, nmiEvery, irqEvery, vectors, length } = this.options;
    const events: OracleEvent[] = [];
    const { r, index } = this.cpu;
    if (this.inUserMode[index] && canFetch(this.machine, this.cpu)) {
      if (random() < length / nmiEvery) events.push('nmi');
      for (const vector of vectors) if (random() < length / irqEvery / vectors.length) events.push(vector);
    }
    // Interrupts follow when the NMI has been delivered.
    if (r[NMI_BLOCKED] !== 0 && events[0] === 'nmi') events.length = 1;
    const wakes = events.includes(vectors[0]) || deliverableVector(r) >= 0;
    if (atHalt && (r[EFLAGS] & FLAG_IF) !== 0 && !wakes) events.push(vectors[0]);
    return events;
  }

  private raise({ events, asleep }: Omit<Epoch, 'steps'>): void {
    const { machine } = this;
    const { index } = this.cpu;
    if (asleep) machine.step(index);
    for (const event of events) {
      if (event !== 'nmi') machine.raiseIrq(index, event);
      else {
        machine.raiseNmi(index);
        if (events.length > 1) machine.step(index);
      }
    }
  }

  /**
   * Runs to the end of an epoch and answers with its number of steps; 0: there is no such end, because the guest goes
   * round or stops for good at once. Sets `atHalt`.
   */
  private runOurs(mark: number, epoch: Omit<Epoch, 'steps'>): number {
    const { machine, cpu, reached, options } = this;
    const { r, index } = cpu;
    const length = 1 + Math.floor(options.random() * 2 * options.length);
    /** The last instruction that was reached for the first time. */
    let latest = 0;
    let cpl = r[CPL];
    reached.clear();
    this.askedAt.fill(-1);
    this.possible = 0;
    this.atHalt[index] = false;
    this.goesRound = false;
    for (let n = 0; ; n++) {
      const va = cpu.rip();
      const held = isHeld(cpu);
      if (n > 0 && r[IN_HLT] === 0 && !reached.has(va)) {
        latest = n;
        if (!held) {
          this.possible = n;
          if (cpl !== 3 && r[CPL] === 3) return this.returned(n);
          if (n >= length) return n;
        }
      }
      // A return to user mode with an event due is over when the event has been handled.
      if (!held) cpl = r[CPL];
      reached.add(va);
      const result = machine.step(index);
      if (r[IN_HLT] !== 0 && (r[EFLAGS] & FLAG_IF) === 0) this.hasStopped = true;
      if (result < HALTED && !this.goesRound && n < LONGEST * options.length) continue;
      // The HLT was the step before: a place for a breakpoint even in the shadow of STI.
      const atHalt = result === HALTED && (r[EFLAGS] & FLAG_IF) !== 0 && latest === n - 1 && latest > 0;
      this.atHalt[index] = atHalt;
      if (atHalt) this.halts++;
      return this.again(mark, epoch, atHalt ? latest : this.possible);
    }
  }

  private returned(steps: number): number {
    this.inUserMode[this.cpu.index] = true;
    this.returns++;
    return steps;
  }

  /** It has gone too far. */
  private again(mark: number, epoch: Omit<Epoch, 'steps'>, steps: number): number {
    this.machine.rollback(mark);
    this.raise(epoch);
    for (let n = 0; n < steps; n++) this.machine.step(this.cpu.index);
    return steps;
  }
}

/** An event is due before the next instruction, or is held back for just this one. */
export function isHeld(cpu: Cpu): boolean {
  const { r } = cpu;
  if (cpu.attention === 0) return false;
  if ((r[SS_SHADOW] | r[STI_SHADOW] | r[DB_PENDING]) !== 0) return true;
  if (r[NMI_PENDING] !== 0 && r[NMI_BLOCKED] === 0) return true;
  return (r[EFLAGS] & FLAG_IF) !== 0 && deliverableVector(r) >= 0;
}

function copy({ page, ports }: Choices): Choices {
  return { page: page.slice(), ports: ports.slice() };
}

/** An NMI is delivered before interrupts are raised. */
export function isDeliveredFirst({ events }: Pick<Epoch, 'events'>): boolean {
  return events[0] === 'nmi' && events.length > 1;
}

/** All steps of an epoch. */
export function stepsOf(epoch: Epoch): number {
  return epoch.steps + (epoch.asleep ? 1 : 0) + (isDeliveredFirst(epoch) ? 1 : 0);
}

/** If not, QEMU would raise the page fault of the fetch before it takes an interrupt of a device. */
export function canFetch(machine: Machine, cpu: Cpu): boolean {
  const { r } = cpu;
  const leaf = machine.translate((r[CR3] & ROOT) >>> 0, cpu.rip());
  if (leaf === undefined || leaf.noExecute) return false;
  return r[CPL] === 3 ? leaf.user : !(leaf.user && (r[CR4] & CR4_SMEP) !== 0);
}
