/**
 * QEMU's TCG as the second machine, driven through its gdbstub. Traps, all of QEMU 7.2:
 *
 * - `Qqemu.sstep=1`: the default mask, 7, holds interrupts and NMIs back while stepping.
 * - An interrupt is raised by the write that a device would make to the local APIC (an MSI), from outside the CPU's
 *   thread; QEMU then polls the APIC at the next boundary, and that poll counts as a step in which nothing executes.
 * - A selector that `P` sets is loaded from the guest's GDT, through the guest's page tables, as they are then.
 * - Long mode is entered by setting registers. CS only becomes a 64-bit segment if the descriptor that it is loaded
 *   from says so, and GDTR, base 0, cannot be set; so page tables and a GDT in RAM that the guest does not know serve
 *   for that one load.
 */
import { readSync, writeSync } from 'node:fs';
import type { LoadableImage } from '../boot';
import type { Cpu } from '../cpu/cpu';
import { CR0, CR3, CR4, CS, EFER, EFER_LME } from '../registers';
import { readState, registerValue, STATE_NAMES, STATE_WORDS, type State, stateIndex } from './architectural-state';
import { GdbRemote } from './gdb-remote';
import type { OracleMachine } from './oracle-machine';
import { QemuError, type QemuProcess, startQemu } from './qemu-process';
import { parseInfoRegisters, type TableRegisters } from './table-registers';
import { type RegisterLayout, readRegisterLayout, type TargetRegister } from './target-description';

const RAM = 16 << 20;
/** A PC has video memory and ROM from here to 1 MiB. */
const COMPARABLE = 0xa0000;
/** Physical memory that no guest uses: three page tables, and 2 MiB that linear address 0 is mapped to. */
const SCRATCH_PML4 = 8 << 20,
  SCRATCH_PDPT = SCRATCH_PML4 + 0x1000,
  SCRATCH_PD = SCRATCH_PML4 + 0x2000,
  SCRATCH = 10 << 20;
/** In it, by linear address: a GDT at 0, ten bytes of zero, and code. */
const ZEROES = 0x1000,
  CODE = 0x2000;
/** After reset, LDTR and IDTR have base 0 and limit 0xffff (SDM vol. 3, table 9-1); the boot protocol has no tables. */
const DROP_TABLES = [
  [0x0f, 0x01, 0x10], // lgdt (%rax)
  [0x0f, 0x01, 0x18], // lidt (%rax)
  [0x0f, 0x00, 0xd1], // lldt %cx
];
/** Present, writable; the same and a 2 MiB page. */
const TABLE = 0x3n,
  LARGE = 0x83n;
/** A present, readable, accessed 64-bit code segment of ring 0. */
const CODE64 = 0x00209b0000000000n;
/** MSI address of the CPU with APIC id 0; the data word is the vector, with bits 10:8 the delivery mode (4: NMI). */
const MSI = 0xfee00000n;
const MSI_NMI = 0x400;
const RIP_INDEX = stateIndex('rip');

export class Qemu implements OracleMachine {
  readonly comparableBytes = COMPARABLE;
  private readonly process: QemuProcess;
  private readonly gdb: GdbRemote;
  private readonly layout: RegisterLayout;
  /** Where each register of a state is in the answer to `g`; undefined for those that are not there. */
  private readonly places: readonly (TargetRegister | undefined)[];
  private readonly csOffset: number;

  private constructor(process: QemuProcess, gdb: GdbRemote, layout: RegisterLayout) {
    this.process = process;
    this.gdb = gdb;
    this.layout = layout;
    this.places = STATE_NAMES.map((name) => (name === 'cpl' ? undefined : this.register(name)));
    this.csOffset = this.register('cs').offset;
  }

  /** Starts QEMU and connects to it. Throws a QemuError or a GdbError. */
  static async start(program: string): Promise<Qemu> {
    const process = await startQemu(program, RAM);
    try {
      const gdb = await GdbRemote.connect(process.gdbSocket);
      const layout = await readRegisterLayout(gdb);
      await gdb.order('Qqemu.PhyMemMode:1');
      await gdb.order('Qqemu.sstep=1');
      return new Qemu(process, gdb, layout);
    } catch (error) {
      process.stop();
      throw error;
    }
  }

  stop(): void {
    this.gdb.end();
    this.process.stop();
  }

  async boot(image: LoadableImage, cpu: Cpu): Promise<void> {
    for (const { paddr, data } of image.segments) this.writeBytes(paddr, data);
    await this.enterLongMode(cpu.r);
    await this.dropTables();
    await this.writeRegister('cr3', BigInt(cpu.r[CR3] >>> 0));
    const state = new Int32Array(STATE_WORDS);
    readState(cpu, state);
    const controls = ['cr0', 'cr3', 'cr4', 'efer', 'cpl', 'cs'];
    for (const [i, name] of STATE_NAMES.entries())
      if (!controls.includes(name)) await this.writeRegister(name, registerValue(state, 2 * i));
  }

  async step(state: State): Promise<void> {
    await this.gdb.step();
    await this.readState(state);
  }

  /** Runs without single steps until RIP is at `va`. */
  async runTo(va: bigint): Promise<void> {
    await this.gdb.insertBreakpoint(va);
    await this.gdb.continue();
    await this.gdb.removeBreakpoint(va);
  }

  /** CPU time of all threads of the process so far, in seconds. */
  cpuSeconds(): number {
    return this.process.cpuSeconds();
  }

  async writeRegister(name: string, value: bigint): Promise<void> {
    const { index, bytes } = this.register(name);
    const buffer = Buffer.alloc(8);
    buffer.writeBigUInt64LE(value);
    await this.gdb.writeRegister(index, buffer.subarray(0, bytes));
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
    return this.sendMsi(MSI_NMI);
  }

  raiseIrq(vector: number): Promise<void> {
    return this.sendMsi(vector);
  }

  async readTables(): Promise<TableRegisters> {
    return parseInfoRegisters(await this.gdb.monitor('info registers'));
  }

  private async readState(state: State): Promise<void> {
    const all = await this.gdb.readRegisters();
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

  private writeBytes(pa: number, bytes: Uint8Array): void {
    writeSync(this.process.ram, bytes, 0, bytes.length, pa);
  }

  private write64(pa: number, value: bigint): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    this.writeBytes(pa, bytes);
  }

  private async sendMsi(data: number): Promise<void> {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(data);
    await this.gdb.writeMemory(MSI, bytes);
  }

  private async enterLongMode(r: Int32Array): Promise<void> {
    this.write64(SCRATCH_PML4, BigInt(SCRATCH_PDPT) | TABLE);
    this.write64(SCRATCH_PDPT, BigInt(SCRATCH_PD) | TABLE);
    this.write64(SCRATCH_PD, BigInt(SCRATCH) | LARGE);
    this.write64(SCRATCH + r[CS], CODE64);
    await this.writeRegister('cr4', BigInt(r[CR4] >>> 0));
    await this.writeRegister('efer', BigInt(r[EFER] & EFER_LME));
    await this.writeRegister('cr3', BigInt(SCRATCH_PML4));
    await this.writeRegister('cr0', BigInt(r[CR0] >>> 0));
    await this.writeRegister('cs', BigInt(r[CS]));
  }
  private async dropTables(): Promise<void> {
    this.writeBytes(SCRATCH + CODE, Uint8Array.from(DROP_TABLES.flat()));
    await this.writeRegister('rax', BigInt(ZEROES));
    await this.writeRegister('rcx', 0n);
    await this.writeRegister('rip', BigInt(CODE));
    const state = new Int32Array(STATE_WORDS);
    const end = CODE + DROP_TABLES.flat().length;
    // Twice as many as there are instructions: a step may look at the APIC and execute nothing.
    for (let i = 0; i < 2 * DROP_TABLES.length && state[RIP_INDEX] !== end; i++) await this.step(state);
    if (state[RIP_INDEX] !== end)
      throw new QemuError(
        `expected QEMU to step to 0x${end.toString(16)}, found it at 0x${state[RIP_INDEX].toString(16)}`,
      );
  }
}
