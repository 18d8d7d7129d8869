/**
 * How a QEMU that has executed nothing gets a CPU in a given state. Its debugger sets general registers, control
 * registers and bases. What it cannot set, a few instructions load that run in page tables of their own, in physical
 * memory that no guest uses:
 *
 * - Long mode is entered by setting registers. CS only becomes a 64-bit segment if the descriptor that it is loaded
 *   from says so, and GDTR, base 0, cannot be set; so a GDT at linear 0 serves for that one load.
 * - The last instruction is an IRETQ: it loads CS and SS, with CPL, from a GDT that stands where the guest's GDT will
 *   be when CR3 is the guest's.
 * - A selector that the debugger sets is loaded from the GDT, too, through the page tables as they are.
 */
import type { Cpu } from '../cpu/cpu';
import { entryAddress } from '../mmu/page-walk';
import {
  APIC_ISR,
  APIC_SVR,
  APIC_TPR,
  CPL,
  CR0,
  CR4,
  CS,
  CSTAR,
  DB_PENDING,
  DS,
  EFER,
  EFER_LMA,
  ES,
  FLAG_TF,
  FMASK,
  FS,
  GDTR_BASE,
  GDTR_LIMIT,
  GS,
  IDTR_BASE,
  IDTR_LIMIT,
  IN_HLT,
  IN_SHUTDOWN,
  KERNEL_GS_BASE,
  LDTR,
  LSTAR,
  NMI_BLOCKED,
  RIP,
  RSP,
  SS,
  SS_SHADOW,
  STAR,
  STI_SHADOW,
  TR,
  TR_BASE,
  TR_LIMIT,
} from '../registers';
import { toVa, vaHi } from '../words';
import { QemuError } from './qemu-process';

/** In the physical memory that no guest uses: page tables, the GDT's two pages, and 2 MiB for linear address 0. */
const PDPT = 0x1000,
  PD = 0x2000,
  TABLES = 0x3000,
  STAND_IN = 0x6000,
  LINEAR_0 = 2 << 20;
/** In it, by linear address: a GDT at 0, the operands of LGDT and LIDT, code, a frame for IRETQ. */
const GDT_OPERAND = 0x1000,
  IDT_OPERAND = 0x1010,
  CODE = 0x2000,
  FRAME = 0x3000;
/** Linear address that the local APIC is mapped to, and its registers: task priority, spurious vector, commands. */
const APIC_LINEAR = 2 << 20,
  REG_TPR = 0x80,
  REG_SVR = 0xf0,
  REG_ICR = 0x300;
/** To all but self: INIT, then a start-up IPI to physical 0x8000, where nothing is executed. */
const INIT = 0xc4500,
  START_UP = 0xc4608;
const APIC_PHYSICAL = 0xfee00000n;
/** Present, writable; the same and a 2 MiB page, and one that is not cached. */
const TABLE = 0x3n,
  LARGE = 0x83n,
  DEVICE = 0x93n;
/** A present, readable, accessed 64-bit code segment of ring 0; flat, writable data; an available 64-bit TSS. */
const CODE64 = 0x00209b0000000000n,
  DATA = 0x00cf93000000ffffn,
  TSS64 = 0x0000890000000000n;
const IRETQ = [0x48, 0xcf];

const MSRS: readonly [msr: number, register: number, pair: boolean][] = [
  [0xc0000081, STAR, true],
  [0xc0000082, LSTAR, true],
  [0xc0000083, CSTAR, true],
  [0xc0000084, FMASK, false],
  [0xc0000102, KERNEL_GS_BASE, true],
];

const UNLOADABLE: readonly [what: string, word: number][] = [
  ['NMIs are blocked', NMI_BLOCKED],
  ['a shadow of STI', STI_SHADOW],
  ['a shadow of MOV SS', SS_SHADOW],
  ['a pending #DB', DB_PENDING],
  ['HLT', IN_HLT],
  ['a shutdown', IN_SHUTDOWN],
  ['an LDT', LDTR],
  ...Array.from({ length: 8 }, (_, i): [string, number] => ['an interrupt in service', APIC_ISR + i]),
];

/** What is done to QEMU here. Addresses of memory are physical. */
export interface BareMachine {
  /** 4 MiB of RAM from here on, a multiple of 2 MiB, that the guest does not use. */
  readonly scratch: number;
  writeBytes(pa: number, bytes: Uint8Array): void;
  /** Bytes that are executed, where others may have been executed before. */
  writeCode(pa: number, bytes: Uint8Array): Promise<void>;
  writeRegister(name: string, value: bigint): Promise<void>;
  /** Continues until the instruction at this linear address is the next one. */
  continueTo(va: number): Promise<void>;
  /** One step; answers with RIP. */
  stepOnce(): Promise<bigint>;
}

/** 64-bit mode on the scratch page tables, with the control registers of `cpu` but CR3. */
export async function enterLongMode(qemu: BareMachine, { r }: Cpu): Promise<void> {
  write64(qemu, qemu.scratch, BigInt(qemu.scratch + PDPT) | TABLE);
  write64(qemu, qemu.scratch + PDPT, BigInt(qemu.scratch + PD) | TABLE);
  write64(qemu, qemu.scratch + PD, BigInt(qemu.scratch + LINEAR_0) | LARGE);
  write64(qemu, qemu.scratch + PD + 8, APIC_PHYSICAL | DEVICE);
  write64(qemu, qemu.scratch + LINEAR_0 + (r[CS] & ~7), CODE64);
  await qemu.writeRegister('cr4', BigInt(r[CR4] >>> 0));
  await qemu.writeRegister('efer', BigInt(r[EFER] & ~EFER_LMA));
  await qemu.writeRegister('cr3', BigInt(qemu.scratch));
  await qemu.writeRegister('cr0', BigInt(r[CR0] >>> 0));
  await qemu.writeRegister('cs', BigInt(r[CS] & ~7));
}

/** Wakes all other CPUs, which have been waiting since reset, from a first CPU in `enterLongMode`'s state. */
export async function startOthers(qemu: BareMachine): Promise<void> {
  const code = [...writeApic(REG_ICR, INIT), ...writeApic(REG_ICR, START_UP)];
  await start(qemu, code);
  await qemu.continueTo(CODE + code.length);
}

/** After reset, LDTR and IDTR have base 0 and limit 0xffff (SDM vol. 3, table 9-1); the boot protocol has no tables. */
export async function dropTables(qemu: BareMachine): Promise<void> {
  const code = [
    ...[...setEax(GDT_OPERAND), 0x0f, 0x01, 0x10], // lgdt (%rax)
    ...[...setEax(GDT_OPERAND), 0x0f, 0x01, 0x18], // lidt (%rax)
    ...[...setEax(0), 0x0f, 0x00, 0xd0], // lldt %ax
  ];
  qemu.writeBytes(qemu.scratch + LINEAR_0 + GDT_OPERAND, new Uint8Array(10));
  await start(qemu, code);
  await qemu.continueTo(CODE + code.length);
}

/**
 * Descriptor-table registers, task register, local APIC, MSRs, and by IRETQ the segments, RIP, RSP and RFLAGS of `cpu`.
 * Afterwards CR3 is still that of the scratch tables, through which data segments can be loaded.
 */
export async function enterState(qemu: BareMachine, cpu: Cpu): Promise<void> {
  const bad = unloadable(cpu);
  if (bad !== undefined) throw new QemuError(`QEMU cannot be put into this state: ${bad}`);
  const { r } = cpu;
  standInForGdt(qemu, cpu);
  write64(qemu, qemu.scratch + LINEAR_0 + (r[TR] & ~7), tssDescriptor(cpu));
  write64(qemu, qemu.scratch + LINEAR_0 + (r[TR] & ~7) + 8, BigInt(r[TR_BASE + 1] >>> 0));
  writeOperand(qemu, GDT_OPERAND, r[GDTR_LIMIT], cpu.get64(GDTR_BASE));
  writeOperand(qemu, IDT_OPERAND, r[IDTR_LIMIT], cpu.get64(IDTR_BASE));
  // The trap flag would end the single step below in a #DB: the debugger sets it afterwards.
  const flags = BigInt((cpu.rflags() & ~FLAG_TF) >>> 0);
  const frame = [cpu.get64(RIP), BigInt(r[CS]), flags, cpu.get64(RSP), BigInt(r[SS])];
  for (const [i, word] of frame.entries()) write64(qemu, qemu.scratch + LINEAR_0 + FRAME + 8 * i, word);
  const code = [
    ...MSRS.flatMap(([msr, register, pair]) => wrmsr(msr, r[register], pair ? r[register + 1] : 0)),
    ...[...setEax(0), 0x0f, 0x00, 0xd0], // lldt %ax
    ...((r[TR] & ~3) === 0 ? [] : [...setEax(r[TR]), 0x0f, 0x00, 0xd8]), // ltr %ax
    ...writeApic(REG_SVR, r[APIC_SVR]),
    ...writeApic(REG_TPR, r[APIC_TPR]),
    ...[...setEax(IDT_OPERAND), 0x0f, 0x01, 0x18], // lidt (%rax)
    ...[...setEax(GDT_OPERAND), 0x0f, 0x01, 0x10], // lgdt (%rax)
    ...[0xbc, ...le32(FRAME)], // mov $frame,%esp
  ];
  await start(qemu, [...code, ...IRETQ]);
  await qemu.continueTo(CODE + code.length);
  const rip = await qemu.stepOnce();
  if (rip !== cpu.get64(RIP))
    throw new QemuError(`expected QEMU at 0x${cpu.get64(RIP).toString(16)} after IRETQ, found 0x${rip.toString(16)}`);
}

/** What of a CPU's state cannot be loaded; undefined: all of it can. */
export function unloadable({ r }: Cpu): string | undefined {
  return UNLOADABLE.find(([, word]) => r[word] !== 0)?.[0];
}

/**
 * At the linear addresses of the guest's GDT stands one that has flat descriptors for CS and SS, so that it does not
 * matter what the guest's own tables hold, and nothing in them is marked as accessed.
 */
function standInForGdt(qemu: BareMachine, { r }: Cpu): void {
  const base = toVa(r[GDTR_BASE], r[GDTR_BASE + 1]);
  const first = base & -4096;
  const table = (level: number, index: number) => qemu.scratch + TABLES + level * 0x1000 + index * 8;
  for (const page of [0, 4096]) {
    const lo = (first + page) | 0;
    const hi = vaHi(base - (base & 0xfff) + page);
    const top = entryAddress(qemu.scratch, 3, lo, hi);
    if (top === qemu.scratch) throw new QemuError('QEMU cannot be put into this state: a GDT in the lowest 512 GiB');
    write64(qemu, top, BigInt(table(0, 0)) | TABLE);
    write64(qemu, entryAddress(table(0, 0), 2, lo, hi), BigInt(table(1, 0)) | TABLE);
    write64(qemu, entryAddress(table(1, 0), 1, lo, hi), BigInt(table(2, 0)) | TABLE);
    write64(qemu, entryAddress(table(2, 0), 0, lo, hi), BigInt(qemu.scratch + STAND_IN + page) | TABLE);
  }
  const at = qemu.scratch + STAND_IN + (base & 0xfff);
  const dpl = BigInt(r[CPL]) << 45n;
  for (const word of [ES, DS, FS, GS, SS])
    if ((r[word] & 0xfffc) !== 0) write64(qemu, at + (r[word] & 0xfff8), DATA | dpl);
  write64(qemu, at + (r[CS] & 0xfff8), CODE64 | dpl);
}

function tssDescriptor({ r }: Cpu): bigint {
  const base = BigInt(r[TR_BASE] >>> 0);
  const limit = BigInt(r[TR_LIMIT] >>> 0) & 0xfffffn;
  return TSS64 | (limit & 0xffffn) | ((limit >> 16n) << 48n) | ((base & 0xffffffn) << 16n) | ((base >> 24n) << 56n);
}

async function start(qemu: BareMachine, code: readonly number[]): Promise<void> {
  await qemu.writeCode(qemu.scratch + LINEAR_0 + CODE, Uint8Array.from(code));
  await qemu.writeRegister('rip', BigInt(CODE));
}

function writeOperand(qemu: BareMachine, linear: number, limit: number, base: bigint): void {
  const bytes = Buffer.alloc(10);
  bytes.writeUInt16LE(limit & 0xffff);
  bytes.writeBigUInt64LE(base, 2);
  qemu.writeBytes(qemu.scratch + LINEAR_0 + linear, bytes);
}

function wrmsr(msr: number, lo: number, hi: number): number[] {
  return [0xb9, ...le32(msr), ...setEax(lo), 0xba, ...le32(hi), 0x0f, 0x30];
}

/** `mov $value,%eax; mov %eax,register`. */
function writeApic(register: number, value: number): number[] {
  return [...setEax(value), 0x89, 0x04, 0x25, ...le32(APIC_LINEAR + register)];
}

function setEax(value: number): number[] {
  return [0xb8, ...le32(value)];
}

function le32(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}

function write64(qemu: BareMachine, pa: number, value: bigint): void {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  qemu.writeBytes(pa, bytes);
}
