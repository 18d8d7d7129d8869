/**
 * Our machine with the pages of the native program, at CPL 3 and with the processor's vendor: executes one instruction
 * from the registers of a record, and fills in what the native program would answer.
 */
import type { Cpu } from '../../cpu/cpu';
import { setRflags } from '../../cpu/outcome';
import { Machine } from '../../machine';
import { type MicroOp, OP_REP } from '../../micro-op';
import type { Delivery, Fault, Observer } from '../../observer';
import type { Platform } from '../../platform';
import {
  CPL,
  CR0,
  CR0_AM,
  CS,
  EFER,
  EFER_NXE,
  EFER_SCE,
  REGISTER_WORDS,
  RIP,
  RSP,
  SS,
  VEC_BP,
  VEC_PF,
} from '../../registers';
import { RETIRED } from '../../step-result';
import { GUEST_PLATFORM } from '../../system/guest-platform';
import type { Vendor } from '../../vendor';
import { toVa, vaHi, vaLo } from '../../words';
import {
  BASE,
  CODE,
  CODE_BYTES,
  CODE_PLACE,
  CR2_PLACE,
  DATA,
  DATA_BYTES,
  END,
  ERROR_PLACE,
  FILLER,
  FLAGS_PLACE,
  PAGE,
  RECORD_REGISTERS,
  STACK,
  STACK_BYTES,
  VECTOR_PLACE,
  WINDOW,
  WINDOW_BYTES,
  WINDOW_PLACE,
} from './native-layout';

const PML4 = 0x1000,
  PDPT = 0x2000,
  PD = 0x3000,
  PT = 0x4000,
  CODE_PA = 0x5000,
  DATA_PA = 0x6000,
  RAM = 0x10000;
const WINDOW_PA = DATA_PA + (WINDOW - DATA);
/** Present, writable, user, accessed, dirty; without W; and bit 63 of an entry, in its high word. */
const WRITABLE = 0x67,
  READABLE = 0x65;
const NO_EXECUTE = 0x80000000 | 0;
const USER_CS = 0x33,
  USER_SS = 0x2b;
/** An instruction that takes more steps is none to compare. */
const MOST_STEPS = 80;
/** Below it a process has no memory (vm.mmap_min_addr). */
const LOWEST_MAPPING = 0x10000;

export interface Executed {
  /** Undefined if its bytes could not be fetched. */
  readonly op: MicroOp | undefined;
  /** The instruction itself completed. */
  readonly retired: boolean;
  /** Words of `cpu.r` before it. */
  readonly before: Int32Array;
}

export class NativeScene {
  readonly platform: Platform;
  private readonly machine: Machine;
  private readonly cpu: Cpu;
  private readonly seen = new Seen();
  private readonly before = new Int32Array(REGISTER_WORDS);

  constructor(vendor: Vendor, data: Uint8Array) {
    const instructions = { ...GUEST_PLATFORM.instructions, cmpxchg16b: 'executed' } as const;
    const image = { entry: CODE, segments: [], symbol: () => PML4 };
    const platform: Platform = { ...GUEST_PLATFORM, vendor, instructions };
    this.platform = platform;
    const machine = new Machine(image, { cpus: 1, ramBytes: RAM, platform });
    const { memory } = machine;
    for (const [pa, entry] of [
      [PML4, PDPT | WRITABLE],
      [PDPT + ((BASE >>> 30) & 511) * 8, PD | WRITABLE],
      [PD + ((BASE >>> 21) & 511) * 8, PT | WRITABLE],
      [entryOf(CODE), CODE_PA | READABLE],
      [entryOf(DATA), DATA_PA | WRITABLE],
      [entryOf(DATA + PAGE), (DATA_PA + PAGE) | READABLE],
    ] as const)
      memory.write32At(pa, entry);
    for (const va of [DATA, DATA + PAGE]) memory.write32At(entryOf(va) + 4, NO_EXECUTE);
    memory.writeBytes(CODE_PA, new Uint8Array(PAGE).fill(FILLER));
    memory.writeBytes(DATA_PA, data.subarray(0, DATA_BYTES));
    machine.boot(0, { cpus: 1, tasks: 1, mms: 1 });
    const [cpu] = machine.cpus;
    const { r } = cpu;
    r[CPL] = 3;
    r[CS] = USER_CS;
    r[SS] = USER_SS;
    r[CR0] |= CR0_AM;
    r[EFER] |= EFER_NXE | EFER_SCE;
    machine.observer = this.seen;
    cpu.refresh();
    this.machine = machine;
    this.cpu = cpu;
  }

  /**
   * Executes the instruction of a record, and fills `result`. Undefined: nothing to compare, because the instruction
   * touches what the native program has otherwise, leaves rsp in the stack of its handler, or goes to where more than
   * it would be executed.
   * @throws UnimplementedError
   */
  run(record: Int32Array, length: number, result: Int32Array): Executed | undefined {
    const { machine } = this;
    const mark = machine.mark();
    try {
      this.load(record);
      return this.execute(length, result);
    } finally {
      machine.rollback(mark);
      machine.release(mark);
    }
  }

  private load(record: Int32Array): void {
    const { cpu, machine } = this;
    for (const [i, register] of RECORD_REGISTERS.entries()) {
      cpu.r[register] = record[2 * i];
      cpu.r[register + 1] = record[2 * i + 1];
    }
    setRflags(cpu, record[2 * FLAGS_PLACE]);
    cpu.refresh();
    const offset = record[2 * RECORD_REGISTERS.indexOf(RIP)] & (PAGE - 1);
    const code = new Uint8Array(record.buffer, record.byteOffset + CODE_PLACE * 8, CODE_BYTES);
    machine.memory.writeBytes(CODE_PA + offset, code.subarray(0, PAGE - offset));
  }

  private execute(length: number, result: Int32Array): Executed | undefined {
    const { cpu, machine, seen, before } = this;
    const start = cpu.rip();
    const { undo } = machine.memory;
    const from = undo.top;
    before.set(cpu.r);
    seen.forget();
    let retired = false;
    let landed = false;
    for (let steps = 0; !landed && seen.vector < 0; steps++) {
      if (steps === MOST_STEPS) return undefined;
      const done = machine.step(0) === RETIRED;
      if (!done) continue;
      const rip = cpu.rip();
      const repeats = ((seen.op?.flags ?? 0) & OP_REP) !== 0;
      if (rip >= start && rip < start + length) {
        if (rip !== start || !repeats || retired) return undefined;
        continue;
      }
      retired = true;
      landed = rip >= CODE && rip < CODE + PAGE;
    }
    if (landed) seen.landed(cpu);
    if (seen.vector === VEC_PF && !isNobodys(seen.cr2)) return undefined;
    if (isOnHandlersStack(toVa(seen.r[RSP], seen.r[RSP + 1]))) return undefined;
    for (let i = from; i < undo.top; i += 2) {
      const pa = undo.entries[i] * 4;
      if (pa >= 0 && (pa < WINDOW_PA || pa >= WINDOW_PA + WINDOW_BYTES)) return undefined;
    }
    this.answer(result);
    return { op: seen.op, retired, before };
  }

  private answer(result: Int32Array): void {
    const { seen, machine } = this;
    for (const [i, register] of RECORD_REGISTERS.entries()) {
      result[2 * i] = seen.r[register];
      result[2 * i + 1] = seen.r[register + 1];
    }
    result[2 * FLAGS_PLACE] = seen.flags;
    result[2 * FLAGS_PLACE + 1] = 0;
    for (const [place, value] of [
      [ERROR_PLACE, Math.max(seen.error, 0)],
      [VECTOR_PLACE, seen.vector],
      [CR2_PLACE, seen.cr2],
    ] as const) {
      result[2 * place] = vaLo(value);
      result[2 * place + 1] = vaHi(value);
    }
    const window = machine.memory.readBytes(WINDOW_PA, WINDOW_BYTES);
    new Uint8Array(result.buffer, result.byteOffset + WINDOW_PLACE * 8, WINDOW_BYTES).set(window);
  }
}

function entryOf(va: number): number {
  return PT + ((va >>> 12) & 511) * 8;
}

/** An address where neither side has anything but the pages that they share. */
function isNobodys(va: number): boolean {
  return (va >= BASE && va < END) || (va >= 0 && va < LOWEST_MAPPING);
}

/** An rsp with which the native program could not answer. */
function isOnHandlersStack(rsp: number): boolean {
  return rsp >= STACK && rsp <= STACK + STACK_BYTES;
}

/** The registers at the moment before the first event is delivered. The delivery leads nowhere: there is no IDT. */
class Seen implements Observer {
  op: MicroOp | undefined;
  readonly r = new Int32Array(REGISTER_WORDS);
  vector = -1;
  error = -1;
  flags = 0;
  cr2 = 0;

  forget(): void {
    this.op = undefined;
    this.vector = -1;
  }

  /** The next instruction is INT3, and its event comes behind it. */
  landed(cpu: Cpu): void {
    this.take(cpu, VEC_BP, -1);
    this.r[RIP]++;
  }

  classify(_va: number): number {
    return 0;
  }
  executing(_cpu: Cpu, op: MicroOp): void {
    this.op ??= op;
  }
  retired(_cpu: Cpu, _op: MicroOp): void {}
  stackAccess(_cpu: Cpu, _lo: number, _hi: number, _bytes: number, _write: boolean): void {}
  watchedStore(_cpu: Cpu, _pa: number, _bytes: number, _vaLo: number, _vaHi: number): void {}
  faulted(_cpu: Cpu, _fault: Fault): void {}
  delivering(cpu: Cpu, { vector, error }: Delivery): void {
    if (this.vector < 0) this.take(cpu, vector, error);
  }
  delivered(_cpu: Cpu, _event: Delivery): void {}
  nmiLatched(_cpu: Cpu): void {}
  shutdown(_cpu: Cpu): void {}

  private take(cpu: Cpu, vector: number, error: number): void {
    this.r.set(cpu.r);
    this.vector = vector;
    this.error = error;
    this.flags = cpu.rflags();
    this.cr2 = toVa(cpu.fault.addressLo, cpu.fault.addressHi);
  }
}
