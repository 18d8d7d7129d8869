/**
 * QEMU's TCG as the second machine, driven through its gdbstub. Traps, all of QEMU 7.2:
 *
 * - `Qqemu.sstep=1`: the default mask, 7, holds interrupts and NMIs back while stepping.
 * - An interrupt is raised by the write that a device would make to the local APIC (an MSI), from outside the CPU's
 *   thread; QEMU then polls the APIC at the next boundary, and that poll counts as a step in which nothing executes.
 *   An NMI that is raised with it waits for the end of the translated block that follows the poll; where nothing can be
 *   fetched, the page fault comes before either. An interrupt of another CPU needs no poll.
 * - Of several CPUs only the one that is named in `vCont` runs; a stop selects it for `g` and `P`.
 * - A breakpoint at which the CPU already is stops it again at once, even if an event is due.
 * - Data are changed through the file that is the RAM; code that has been translated must not be changed that way.
 */
import { readSync, writeSync } from 'node:fs';
import type { LoadableImage } from '../boot';
import type { Cpu } from '../cpu/cpu';
import type { Machine } from '../machine';
import { APIC_IRR, NMI_PENDING } from '../registers';
import { readState, registerValue, STATE_NAMES, STATE_WORDS, type State, stateIndex } from './architectural-state';
import type { EpochMachine, OracleEvent } from './epoch-machine';
import { GdbError, type GdbRemote } from './gdb-remote';
import { answer, type Choices, mapChoicePage } from './qemu-choices';
import { type Connection, connect, MSI_NMI, msi } from './qemu-connection';
import { QemuError, type QemuProcess, type Size } from './qemu-process';
import { type BareMachine, dropTables, enterLongMode, enterState, startOthers, unloadable } from './qemu-state';
import { parseInfoRegisters, type TableRegisters } from './table-registers';
import type { RegisterLayout, TargetRegister } from './target-description';

const RAM = 16 << 20;
/** Of RAM, at its end. */
const SCRATCH = 8 << 20;
/** A PC has video memory and ROM from here to 1 MiB. */
const COMPARABLE = 0xa0000,
  HIGH = 0x100000;
/** Milliseconds after which a guest that reaches no breakpoint is stopped. */
const PATIENCE = 2000;
const HLT_LENGTH = 1n;
/** Bytes that one command writes, and commands of one batch. */
const CHUNK = 64,
  BATCH = 64;
const SELECTORS = ['ds', 'es', 'fs', 'gs', 'ss'];
const RIP_INDEX = stateIndex('rip');

export class Qemu implements EpochMachine, BareMachine {
  readonly comparableBytes = COMPARABLE;
  readonly scratch: number;
  private readonly size: Size;
  private readonly program: string;
  private process: QemuProcess;
  private gdb: GdbRemote;
  private readonly layout: RegisterLayout;
  /** Where each register of a state is in the answer to `g`; undefined for those that are not there. */
  private readonly places: readonly (TargetRegister | undefined)[];
  private readonly csOffset: number;
  private readonly state = new Int32Array(STATE_WORDS);
  private selected = 0;

  private choices: Choices | undefined;
  /** Something has been executed, so something may have been translated. */
  private hasRun = false;
  /** A breakpoint that is still set. */
  private breakpoint: string | undefined;

  private constructor(program: string, size: Size, { process, gdb, layout }: Connection) {
    this.size = size;
    this.scratch = size.ramBytes - SCRATCH;
    this.program = program;
    this.process = process;
    this.gdb = gdb;
    this.layout = layout;
    this.places = STATE_NAMES.map((name) => (name === 'cpl' ? undefined : this.register(name)));
    this.csOffset = this.register('cs').offset;
  }

  /** Starts QEMU and connects to it; the guest may use all RAM but 8 MiB. Throws a QemuError or a GdbError. */
  static async start(program: string, { ramBytes = RAM, cpus = 1 }: Partial<Size> = {}): Promise<Qemu> {
    const size = { ramBytes, cpus };
    return new Qemu(program, size, await connect(program, size));
  }

  stop(): void {
    this.gdb.end();
    this.process.stop();
  }

  async boot(image: LoadableImage, cpus: readonly Cpu[]): Promise<void> {
    for (const { paddr, data } of image.segments) this.writeBytes(paddr, data);
    await this.enter(cpus, async (cpu) => {
      await dropTables(this);
      await this.setRegisters(cpu, ['cr0', 'cr4', 'efer', 'cpl', 'cs']);
    });
  }

  /** Makes 64-bit mode of all CPUs and does the rest with one after the other. */
  private async enter(cpus: readonly Cpu[], finish: (cpu: Cpu) => Promise<void>): Promise<void> {
    const [first, ...others] = cpus;
    await this.select(0);
    await enterLongMode(this, first);
    if (others.length > 0) await startOthers(this);
    for (const cpu of others) {
      await this.select(cpu.index);
      // Takes the start-up IPI, and executes nothing.
      await this.stepOnce();
      await enterLongMode(this, cpu);
      await finish(cpu);
    }
    await this.select(0);
    await finish(first);
  }

  async select(cpu: number): Promise<void> {
    this.selected = cpu;
  }

  /** As the gdbstub numbers the selected CPU. */
  private get thread(): number {
    return this.selected + 1;
  }

  async restart(): Promise<void> {
    this.stop();
    this.choices = undefined;
    this.breakpoint = undefined;
    this.hasRun = false;
    this.selected = 0;
    const { process, gdb } = await connect(this.program, this.size);
    this.process = process;
    this.gdb = gdb;
  }

  canLoad({ cpus }: Machine): boolean {
    return cpus.every((cpu) => unloadable(cpu) === undefined);
  }

  /** After a reset, so that nothing of what was done before is left in places that cannot be read. */
  async load(machine: Machine): Promise<void> {
    const { choices } = this;
    await this.reset();
    const { words } = machine.memory;
    const ram = Buffer.from(words.buffer, words.byteOffset, words.byteLength);
    await this.writeCode(0, ram.subarray(0, COMPARABLE));
    if (ram.length > HIGH) await this.writeCode(HIGH, ram.subarray(HIGH));
    await this.enter(machine.cpus, async (cpu) => {
      await enterState(this, cpu);
      // With CR8 the debugger would raise a poll of the APIC.
      await this.setRegisters(cpu, ['cs', 'ss', 'cpl', 'cr8']);
    });
    if (choices !== undefined) await this.setChoices(choices);
    for (const { index, r } of machine.cpus) {
      for (let vector = 0; vector < 256; vector++)
        if ((r[APIC_IRR + (vector >>> 5)] & (1 << (vector & 31))) !== 0) await this.gdb.order(msi(index, vector));
      if (r[NMI_PENDING] !== 0) await this.gdb.order(msi(index, MSI_NMI));
    }
  }

  /** The whole PC as after power-on, but for its RAM. */
  private async reset(): Promise<void> {
    await this.clearBreakpoint();
    this.choices = undefined;
    await this.gdb.monitor('system_reset');
  }

  /** Makes RAM from the physical address `pa` on what `bytes` say, in a way that translated code notices. */
  async writeCode(pa: number, bytes: Uint8Array): Promise<void> {
    if (!this.hasRun && bytes.length > CHUNK) return this.writeBytes(pa, bytes);
    const present = Buffer.alloc(bytes.length);
    this.readMemory(pa, present);
    const commands: string[] = [];
    for (let at = 0; at < bytes.length; at += CHUNK) {
      const wanted = Buffer.from(bytes.subarray(at, at + CHUNK));
      if (!wanted.equals(present.subarray(at, at + wanted.length)))
        commands.push(`M${(pa + at).toString(16)},${wanted.length.toString(16)}:${wanted.toString('hex')}`);
    }
    for (let i = 0; i < commands.length; i += BATCH) await this.orderAll(commands.slice(i, i + BATCH));
  }

  async setChoices(choices: Choices): Promise<void> {
    const commands = answer(this.process, choices, this.choices);
    if (this.choices === undefined) await mapChoicePage(this.gdb);
    this.choices = { page: choices.page.slice(), ports: choices.ports.slice() };
    if (commands.length > 0) await this.orderAll(commands);
  }

  async runTo(va: bigint, events: readonly OracleEvent[], state: State): Promise<void> {
    const irqs = events.filter((event) => event !== 'nmi').map((vector) => msi(this.selected, vector));
    const nmis = events.filter((event) => event === 'nmi').map(() => msi(this.selected, MSI_NMI));
    const old = this.breakpoint === undefined ? [] : [`z${this.breakpoint}`];
    this.breakpoint = `0,${va.toString(16)},1`;
    const both = irqs.length > 0 && nmis.length > 0;
    if (both) await this.orderAll([...nmis, ...old], `vCont;s:${this.thread}`);
    const before = both ? irqs : [...irqs, ...nmis, ...old];
    this.hasRun = true;
    await this.orderAll([...before, `Z${this.breakpoint}`], `vCont;c:${this.thread}`, PATIENCE);
    await this.readState(state);
  }

  async passHalt(): Promise<void> {
    const reply = await this.gdb.readRegisters(this.thread);
    await this.writeRegister('rip', reply.readBigUInt64LE(this.register('rip').offset) + HLT_LENGTH);
  }

  async continueTo(va: number): Promise<void> {
    await this.runTo(BigInt(va), [], this.state);
    if (this.state[RIP_INDEX] !== va)
      throw new QemuError(`expected QEMU at 0x${va.toString(16)}, found it at 0x${this.state[RIP_INDEX].toString(16)}`);
  }

  async stepOnce(): Promise<bigint> {
    await this.step(this.state);
    return registerValue(this.state, RIP_INDEX);
  }

  async step(state: State): Promise<void> {
    this.hasRun = true;
    await this.clearBreakpoint();
    await this.gdb.step(this.thread);
    await this.readState(state);
  }

  /** Runs without single steps until RIP is at `va`. */
  async runUntil(va: bigint): Promise<void> {
    await this.gdb.insertBreakpoint(va);
    await this.gdb.continue();
    await this.gdb.removeBreakpoint(va);
  }

  /** CPU time of all threads of the process so far, in seconds. */
  cpuSeconds(): number {
    return this.process.cpuSeconds();
  }

  writeRegister(name: string, value: bigint): Promise<void> {
    return this.orderAll([`Hg${this.thread}`, this.setting(name, value)]);
  }

  readMemory(pa: number, into: Uint8Array): void {
    if (readSync(this.process.ram, into, 0, into.length, pa) !== into.length)
      throw new QemuError(`expected ${into.length} bytes of QEMU's RAM at physical 0x${pa.toString(16)}, found fewer`);
  }

  writeWord(pa: number, value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value);
    this.writeBytes(pa, bytes);
  }

  raiseNmi(): Promise<void> {
    return this.gdb.order(msi(this.selected, MSI_NMI));
  }

  raiseIrq(vector: number): Promise<void> {
    return this.gdb.order(msi(this.selected, vector));
  }

  async readTables(): Promise<TableRegisters> {
    if (this.size.cpus > 1) await this.gdb.monitor(`cpu ${this.selected}`);
    return parseInfoRegisters(await this.gdb.monitor('info registers'));
  }

  async readState(state: State): Promise<void> {
    // Of one CPU nothing is to be selected: that takes time.
    const all = await this.gdb.readRegisters(this.size.cpus > 1 ? this.thread : undefined);
    for (let i = 0; i < this.places.length; i++) {
      const place = this.places[i];
      const pair = place !== undefined && place.bytes === 8;
      state[2 * i] = place === undefined ? all[this.csOffset] & 3 : all.readInt32LE(place.offset);
      state[2 * i + 1] = pair ? all.readInt32LE(place.offset + 4) : 0;
    }
  }

  private register(name: string): TargetRegister {
    const register = this.layout.get(name);
    if (register === undefined)
      throw new QemuError(
        `expected register "${name}" in the gdbstub's target description, found none: use QEMU 7.2 or later`,
      );
    return register;
  }

  writeBytes(pa: number, bytes: Uint8Array): void {
    writeSync(this.process.ram, bytes, 0, bytes.length, pa);
  }

  private async clearBreakpoint(): Promise<void> {
    if (this.breakpoint === undefined) return;
    await this.gdb.order(`z${this.breakpoint}`);
    this.breakpoint = undefined;
  }

  /** Commands whose only good answer is OK, and one more in the same write, whatever it answers. */
  private async orderAll(commands: readonly string[], last?: string, patience?: number): Promise<void> {
    const replies = await this.gdb.sendAll(last === undefined ? commands : [...commands, last], patience);
    const bad = commands.findIndex((_, i) => replies[i] !== 'OK');
    if (bad >= 0) throw new GdbError(`the gdbstub answered "${replies[bad]}" to "${commands[bad]}"`);
  }

  /** All that a state has, but for the names that are left out: selectors first, because they are loaded from a GDT. */
  private async setRegisters(cpu: Cpu, leftOut: readonly string[]): Promise<void> {
    const state = new Int32Array(STATE_WORDS);
    readState(cpu, state);
    const names = STATE_NAMES.filter((name) => !leftOut.includes(name) && !SELECTORS.includes(name));
    const ordered = [...SELECTORS.filter((name) => !leftOut.includes(name)), 'cr3', ...names];
    const settings = ordered.map((name) => this.setting(name, registerValue(state, stateIndex(name))));
    await this.orderAll([`Hg${this.thread}`, ...settings]);
  }

  /** The command that sets a register. */
  private setting(name: string, value: bigint): string {
    const { index, bytes } = this.register(name);
    const buffer = Buffer.alloc(8);
    buffer.writeBigUInt64LE(value);
    return `P${index.toString(16)}=${buffer.toString('hex', 0, bytes)}`;
  }
}
