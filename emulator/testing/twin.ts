/** A second emulator in the place of QEMU, for tests of what compares the two: a fault can be planted in it. */
import { Mnemonic } from 'iced-x86';
import type { LoadableImage } from '../boot';
import type { Cpu } from '../cpu/cpu';
import { setRflags } from '../cpu/outcome';
import { Machine } from '../machine';
import { readState, type State } from '../oracle/architectural-state';
import type { EpochMachine, OracleEvent } from '../oracle/epoch-machine';
import { isHeld } from '../oracle/epoch-run';
import { type ObservedCpu, observeCpus } from '../oracle/observed-cpu';
import type { Choices } from '../oracle/qemu-choices';
import { unloadable } from '../oracle/qemu-state';
import { type TableRegisters, tableRegisters } from '../oracle/table-registers';
import { CPL, CS, GPR_NAMES, IN_HLT, RIP, SS, STI_SHADOW } from '../registers';
import { toBigInt, toVa } from '../words';

const COMPARABLE = 0xa0000;

export class Twin implements EpochMachine {
  readonly comparableBytes = COMPARABLE;
  /** Steps done, counted as lock-step counts them. */
  steps = 0;
  /** After each step: where a test plants a fault. */
  afterStep: (twin: Twin) => void = () => {};
  tables: (tables: TableRegisters) => TableRegisters = (tables) => tables;
  machine!: Machine;
  /** The selected CPU. */
  observed!: ObservedCpu;
  /** How often another machine's state was loaded. */
  loads = 0;
  private all!: readonly ObservedCpu[];
  private polls = 1;
  /** None: what runs comes by `load`. */
  private image: LoadableImage = { entry: 0, segments: [], symbol: () => 0 };
  private choices: Choices | undefined;
  private ramBytes = 4 << 20;

  async boot(image: LoadableImage, cpus: readonly Cpu[]): Promise<void> {
    this.image = image;
    this.machine = new Machine(image, { cpus: cpus.length, ramBytes: this.ramBytes });
    this.all = observeCpus(this.machine);
    [this.observed] = this.all;
    this.machine.choose = (_cpu, n) => {
      if (this.choices === undefined) return 0xff;
      return this.observed.op?.mnemonic === Mnemonic.In ? this.choices.ports[n] : this.choices.page[n];
    };
    for (const cpu of cpus) {
      this.machine.cpus[cpu.index].r.set(cpu.r);
      this.machine.cpus[cpu.index].refresh();
    }
  }

  async select(cpu: number): Promise<void> {
    this.observed = this.all[cpu];
  }

  async readState(state: State): Promise<void> {
    readState(this.observed.cpu, state);
  }

  async step(state: State): Promise<void> {
    const { cpu } = this.observed;
    if (this.polls > 0) this.polls--;
    else {
      this.stepAlone();
      while (cpu.r[IN_HLT] !== 0 || this.observed.op?.mnemonic === Mnemonic.Pause) this.observed.step();
      this.afterStep(this);
    }
    readState(cpu, state);
  }

  async writeRegister(name: string, value: bigint): Promise<void> {
    const { cpu } = this.observed;
    const gpr = (GPR_NAMES as readonly string[]).indexOf(name);
    if (name === 'rip') cpu.set64(RIP, value);
    else if (name === 'eflags') setRflags(cpu, Number(value));
    else if (name === 'ss') cpu.r[SS] = Number(value);
    else if (name === 'cs') enterSegment(cpu, Number(value));
    else if (gpr >= 0) cpu.set64(2 * gpr, value);
    else throw new Error(`nothing here should set ${name}`);
  }

  readMemory(pa: number, into: Uint8Array): void {
    into.set(new Uint8Array(this.machine.memory.words.buffer, pa, into.length));
  }

  writeWord(pa: number, value: number): void {
    this.machine.memory.write32At(pa, value);
  }

  async raiseNmi(): Promise<void> {
    this.machine.raiseNmi(this.observed.cpu.index);
  }

  async raiseIrq(vector: number): Promise<void> {
    this.machine.raiseIrq(this.observed.cpu.index, vector);
    this.polls++;
  }

  async readTables(): Promise<TableRegisters> {
    return this.tables(tableRegisters(this.observed.cpu));
  }

  async setChoices(choices: Choices): Promise<void> {
    this.choices = choices;
  }

  async runTo(va: bigint, events: readonly OracleEvent[], state: State): Promise<void> {
    const { cpu } = this.observed;
    const target = toVa(Number(va & 0xffffffffn), Number(va >> 32n) | 0);
    for (const event of events) {
      if (event !== 'nmi') this.machine.raiseIrq(this.observed.cpu.index, event);
      else this.machine.raiseNmi(this.observed.cpu.index);
      if (event === 'nmi' && events.length > 1) this.advance();
    }
    // Far longer than any epoch: a machine that never gets there is compared where it is.
    const due = () => isHeld(cpu) && cpu.r[STI_SHADOW] === 0;
    for (let n = 0; n < 100_000 && (n === 0 || cpu.rip() !== target || due()); n++) this.advance();
    this.polls = 0;
    readState(cpu, state);
  }

  async passHalt(): Promise<void> {
    const { r } = this.observed.cpu;
    this.observed.cpu.set64(RIP, toBigInt(r[RIP], r[RIP + 1]) + 1n);
  }

  async restart(): Promise<void> {
    this.choices = undefined;
  }

  canLoad({ cpus }: Machine): boolean {
    return cpus.every((cpu) => unloadable(cpu) === undefined);
  }

  async load(machine: Machine): Promise<void> {
    this.loads++;
    this.ramBytes = machine.memory.size;
    await this.boot(this.image, machine.cpus);
    const { memory } = this.machine;
    // Most of both is empty.
    machine.memory.words.forEach((word, i) => {
      if (word !== memory.words[i]) memory.write32(i, word);
    });
    this.polls = 0;
  }

  private advance(): void {
    this.stepAlone();
    this.afterStep(this);
  }

  private stepAlone(): void {
    this.steps++;
    this.observed.step();
  }
}

function enterSegment(cpu: Cpu, selector: number): void {
  cpu.r[CS] = selector;
  cpu.r[CPL] = selector & 3;
  cpu.refresh();
}
