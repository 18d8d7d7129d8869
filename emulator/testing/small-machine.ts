/**
 * A machine for tests: RAM mapped at KERNEL + pa for the supervisor and, from USER_PA on, at USER for everybody;
 * Linux's GDT layout, an IDT whose every gate leads to a `hlt` of its own, a TSS with rsp0 and IST stacks. No guest
 * code sets any of it up.
 *
 *   physical  0x1000 page tables · 0x10000 GDT · 0x11000 IDT · 0x12000 TSS · 0x13000..0x17fff stacks · 0x18000 handlers
 *             0x20000 kernel code · 0x40000 user code and data
 */
import { BlockEncoder, BlockEncoderOptions, type Instruction } from 'iced-x86';
import type { Cpu } from '../cpu/cpu';
import { setRflags } from '../cpu/outcome';
import { Machine } from '../machine';
import { NULL_OBSERVER, type Observer } from '../observer';
import {
  CPL,
  CR3,
  CR4,
  CR4_SMAP,
  CR4_SMEP,
  CS,
  EFER,
  EFER_NXE,
  EFER_SCE,
  FMASK,
  GDTR_BASE,
  GDTR_LIMIT,
  IDTR_BASE,
  IDTR_LIMIT,
  LSTAR,
  RIP,
  RSP,
  SS,
  STAR,
  TR,
  TR_BASE,
  TR_LIMIT,
} from '../registers';
import { GUEST_PLATFORM } from '../system/guest-platform';
import { bigHi, bigLo, toBigInt, vaHi, vaLo } from '../words';

/** Sign-folded base of the supervisor mapping of all RAM. */
export const KERNEL = -0x7f000000;
export const USER = 0x400000;
export const USER_PA = 0x40000;
export const KERNEL_CODE = KERNEL + 0x20000;
export const PML4 = 0x1000;
export const KERNEL_CS = 0x10,
  KERNEL_SS = 0x18,
  USER_CS = 0x33,
  USER_SS = 0x2b,
  TSS_SELECTOR = 0x40;
export const RSP0 = KERNEL + 0x14000,
  IST1 = KERNEL + 0x15000,
  IST2 = KERNEL + 0x16000,
  KERNEL_STACK = KERNEL + 0x17000;
export const USER_STACK = USER + 0x8000;
const GDT = 0x10000,
  IDT = 0x11000,
  TSS = 0x12000,
  HANDLERS = 0x18000,
  RAM = 0x100000;
const TABLES = {
  pdptKernel: 0x2000,
  pdKernel: 0x3000,
  ptKernel: 0x4000,
  pdptUser: 0x5000,
  pdUser: 0x6000,
  ptUser: 0x7000,
};

export interface SmallMachine {
  machine: Machine;
  cpu: Cpu;
}

export function smallMachine(cpus = 1, platform = GUEST_PLATFORM): SmallMachine {
  const image = { entry: KERNEL_CODE, segments: [], symbol: () => PML4 };
  const machine = new Machine(image, { cpus, ramBytes: RAM, platform });
  const put = (pa: number, lo: number, hi = 0) => {
    put64(machine, pa, lo, hi);
  };
  mapAll(put);
  describeSegments(put);
  for (let vector = 0; vector < 256; vector++) setGate(machine, vector, HANDLERS + vector * 2, 0);
  for (let i = 0; i < 256; i++) machine.memory.writeBytes(HANDLERS + i * 2, Uint8Array.of(0xf4, 0x90));
  for (const cpu of machine.cpus) prepareCpu(machine, cpu);
  return { machine, cpu: machine.cpus[0] };
}

export function put64(machine: Machine, pa: number, lo: number, hi = 0): void {
  machine.memory.write32(pa >>> 2, lo);
  machine.memory.write32((pa >>> 2) + 1, hi);
}

export function physical(va: number): number {
  return va < 0 ? va - KERNEL : va - USER + USER_PA;
}

function mapAll(put: (pa: number, lo: number, hi?: number) => void): void {
  put(PML4 + 511 * 8, TABLES.pdptKernel | 3);
  put(TABLES.pdptKernel + 510 * 8, TABLES.pdKernel | 3);
  put(TABLES.pdKernel + 8 * 8, TABLES.ptKernel | 3);
  put(PML4, TABLES.pdptUser | 7);
  put(TABLES.pdptUser, TABLES.pdUser | 7);
  put(TABLES.pdUser + 2 * 8, TABLES.ptUser | 7);
  for (let page = 0; page < RAM >>> 12; page++) put(TABLES.ptKernel + page * 8, (page << 12) | 3);
  for (let page = 0; page < 64; page++) put(TABLES.ptUser + page * 8, (USER_PA + (page << 12)) | 7);
}

/** Physical address of the leaf entry that maps a test address. */
export function leafEntry(va: number): number {
  return (va < 0 ? TABLES.ptKernel : TABLES.ptUser) + ((physical(va) - (va < 0 ? 0 : USER_PA)) >>> 12) * 8;
}

function describeSegments(put: (pa: number, lo: number, hi?: number) => void): void {
  put(GDT + 0x08, 0xffff, 0x00af9b00);
  put(GDT + 0x10, 0xffff, 0x00af9b00);
  put(GDT + 0x18, 0xffff, 0x00cf9300);
  put(GDT + 0x20, 0xffff, 0x00cffb00);
  put(GDT + 0x28, 0xffff, 0x00cff300);
  put(GDT + 0x30, 0xffff, 0x00affb00);
  const base = vaLo(KERNEL + TSS);
  put(GDT + 0x40, (base << 16) | 0x67, (base & 0xff000000) | 0x8b00 | ((base >>> 16) & 0xff));
  put(GDT + 0x48, -1);
  const stacks: [number, number][] = [
    [4, RSP0],
    [36, IST1],
    [44, IST2],
  ];
  for (const [offset, va] of stacks) put(TSS + offset, vaLo(va), vaHi(va));
  // The I/O permission bitmap begins beyond the limit: there is none.
  put(TSS + 0x60, 0, 0x680000);
}

/** An interrupt gate at DPL 3, so that INT n reaches any of them; `type` 15 makes it a trap gate. */
export function setGate(machine: Machine, vector: number, handlerPa: number, ist: number, type = 14, dpl = 3): void {
  const va = vaLo(KERNEL + handlerPa);
  put64(
    machine,
    IDT + vector * 16,
    (KERNEL_CS << 16) | (va & 0xffff),
    (va & 0xffff0000) | 0x8000 | (dpl << 13) | (type << 8) | ist,
  );
  put64(machine, IDT + vector * 16 + 8, -1);
}

export function handlerOf(vector: number): number {
  return KERNEL + HANDLERS + vector * 2;
}

function setPair(cpu: Cpu, register: number, va: number): void {
  cpu.r[register] = vaLo(va);
  cpu.r[register + 1] = vaHi(va);
}

function prepareCpu(machine: Machine, cpu: Cpu): void {
  machine.boot(cpu.index, { cpus: machine.cpus.length, tasks: 1, mms: 1 });
  const r = cpu.r;
  setPair(cpu, GDTR_BASE, KERNEL + GDT);
  r[GDTR_LIMIT] = 0x4f;
  setPair(cpu, IDTR_BASE, KERNEL + IDT);
  r[IDTR_LIMIT] = 0xfff;
  r[TR] = TSS_SELECTOR;
  setPair(cpu, TR_BASE, KERNEL + TSS);
  r[TR_LIMIT] = 0x67;
  r[CS] = KERNEL_CS;
  r[SS] = KERNEL_SS;
  r[CR3] = PML4;
  r[CR4] |= CR4_SMEP | CR4_SMAP;
  r[EFER] |= EFER_SCE | EFER_NXE;
  r[STAR + 1] = (0x23 << 16) | KERNEL_CS;
  setPair(cpu, LSTAR, KERNEL + HANDLERS);
  r[FMASK] = 0x47700;
  setPair(cpu, RSP, KERNEL_STACK);
  cpu.refresh();
}

/** Bytes as hex (spaces allowed) or iced instructions, placed at a test address. */
export function place(machine: Machine, va: number, code: string | Instruction[]): void {
  machine.memory.writeBytes(physical(va), typeof code === 'string' ? fromHex(code) : assemble(va, code));
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replace(/\s+/g, ''), 'hex'));
}

function assemble(va: number, instructions: Instruction[]): Uint8Array {
  const encoder = new BlockEncoder(64, BlockEncoderOptions.DontFixBranches);
  for (const instruction of instructions) encoder.add(instruction);
  return encoder.encode(toBigInt(vaLo(va), vaHi(va)));
}

/** CPL 0 at KERNEL_CODE with that code. */
export function kernelAt(small: SmallMachine, code: string | Instruction[]): void {
  place(small.machine, KERNEL_CODE, code);
  setPair(small.cpu, RIP, KERNEL_CODE);
}

/** CPL 3 at USER with that code. */
export function userAt(small: SmallMachine, code: string | Instruction[]): void {
  place(small.machine, USER, code);
  enterUser(small.cpu, USER);
}

function enterUser(cpu: Cpu, rip: number): void {
  cpu.r[CPL] = 3;
  cpu.r[CS] = USER_CS;
  cpu.r[SS] = USER_SS;
  setPair(cpu, RIP, rip);
  setPair(cpu, RSP, USER_STACK);
  cpu.refresh();
}

export function setFlags(cpu: Cpu, flags: number): void {
  setRflags(cpu, flags);
  cpu.refresh();
}

export function setRegister(cpu: Cpu, register: number, value: bigint | number): void {
  const big = typeof value === 'bigint' ? value : BigInt(value);
  cpu.r[register] = bigLo(big);
  cpu.r[register + 1] = bigHi(big);
}

/** The 64-bit word at a test address, as BigInt. */
export function peek(machine: Machine, va: number): bigint {
  const pa = physical(va);
  return toBigInt(machine.memory.read32(pa), machine.memory.read32(pa + 4));
}

export function poke(machine: Machine, va: number, value: bigint | number): void {
  const big = typeof value === 'bigint' ? value : BigInt(value);
  machine.memory.write32At(physical(va), bigLo(big));
  machine.memory.write32At(physical(va) + 4, bigHi(big));
}

/** Makes an observer of these hooks the machine's; it is told nothing else. */
export function observe(small: SmallMachine, hooks: Partial<Observer>): void {
  const observer = Object.create(NULL_OBSERVER) as Observer;
  small.machine.observer = Object.assign(observer, { unobserved: undefined, joinedAccess: undefined }, hooks);
}
