/**
 * What scenes have in common: page tables, descriptor tables, stacks and handlers, before anything is changed.
 *
 *   physical  0x1000 page tables · 0x8000 GDT · 0x9000 IDT · 0xa000 TSS · 0xb000 second PML4 · 0xc000..0xffff stacks
 *             0x10000 kernel code · 0x11000 handlers · 0x12000 kernel data · 0x20000 user code · 0x21000 user data
 *             0x25000 user stack
 *   linear    KERNEL + physical for the supervisor; USER + (physical - 0x20000) for everybody
 */
import type { Registers } from './scene';
import { SCENE_BYTES, SCENE_REGISTERS } from './scene';

export const KERNEL = 0xffffffff81000000n;
export const USER = 0x400000n;
const USER_PA = 0x20000;
export const PML4 = 0x1000,
  PT_KERNEL = 0x4000,
  PT_USER = 0x7000,
  GDT = 0x8000,
  IDT = 0x9000,
  TSS = 0xa000,
  SECOND_PML4 = 0xb000;
export const RSP0 = KERNEL + 0xd000n,
  IST1 = KERNEL + 0xe000n,
  IST2 = KERNEL + 0xe800n,
  KERNEL_STACK = KERNEL + 0xff00n,
  KERNEL_CODE = KERNEL + 0x10000n,
  HANDLERS = KERNEL + 0x11000n,
  KERNEL_DATA = KERNEL + 0x12000n;
export const USER_DATA = USER + 0x1000n,
  USER_STACK = USER + 0x5f00n;
export const KERNEL_CS = 0x10,
  KERNEL_SS = 0x18,
  USER_SS = 0x2b,
  USER_CS = 0x33;
/** Descriptors that something is wrong with, for frames and gates. */
export const ODD_SELECTORS: readonly number[] = [0, 3, 0x08, 0x50, 0x53, 0x5b, 0x63, 0x6b, 0x78, 0x40, 0x44, 0x1f8];

const DESCRIPTORS: readonly [selector: number, descriptor: bigint][] = [
  [0x08, 0x00af9b000000ffffn],
  [0x10, 0x00af9b000000ffffn],
  [0x18, 0x00cf93000000ffffn],
  [0x28, 0x00cff3000000ffffn],
  [0x30, 0x00affb000000ffffn],
  // Conforming code; not present: user code, user data; read-only user data; kernel data that is not present.
  [0x50, 0x00af9f000000ffffn],
  [0x58, 0x00af7b000000ffffn],
  [0x60, 0x00cf73000000ffffn],
  [0x68, 0x00cff1000000ffffn],
  [0x78, 0x00cf13000000ffffn],
];
/** Vectors with an error code. */
const WITH_ERROR: readonly number[] = [8, 10, 11, 12, 13, 14, 17, 21];
/** `iretq`, and the same after `add $8,%rsp`. */
const IRETQ = [0x48, 0xcf],
  DROP_IRETQ = [0x48, 0x83, 0xc4, 0x08, 0x48, 0xcf];
/** Bytes of one handler. */
const HANDLER = 16;

/** Physical address of a linear one that scenes map. */
export function physicalOf(va: bigint): number {
  return va >= KERNEL ? Number(va - KERNEL) : Number(va - USER) + USER_PA;
}

/** Physical address of the entry that maps it. */
export function leafOf(va: bigint): number {
  return va >= KERNEL ? PT_KERNEL + (physicalOf(va) >> 12) * 8 : PT_USER + ((physicalOf(va) - USER_PA) >> 12) * 8;
}

export function put64(memory: Uint8Array, pa: number, value: bigint): void {
  new DataView(memory.buffer, memory.byteOffset).setBigUint64(pa, BigInt.asUintN(64, value), true);
}

export function get64(memory: Uint8Array, pa: number): bigint {
  return new DataView(memory.buffer, memory.byteOffset).getBigUint64(pa, true);
}

/** An IDT gate of 16 bytes; `type` is 14 for an interrupt gate, 15 for a trap gate. */
export interface Gate {
  readonly offset: bigint;
  readonly selector: number;
  readonly ist: number;
  readonly type: number;
  readonly dpl: number;
  readonly present: boolean;
}

export function putGate(memory: Uint8Array, vector: number, gate: Gate): void {
  const { offset, selector, ist, type, dpl, present } = gate;
  const flags = BigInt(ist | (type << 8) | (dpl << 13) | (present ? 0x8000 : 0));
  const low = (offset & 0xffffn) | (BigInt(selector) << 16n) | (flags << 32n) | (((offset >> 16n) & 0xffffn) << 48n);
  put64(memory, IDT + vector * 16, low);
  put64(memory, IDT + vector * 16 + 8, (offset >> 32n) & 0xffffffffn);
}

/** The gate that a vector has if nothing was changed. */
export function plainGate(vector: number): Gate {
  const offset = HANDLERS + BigInt(vector * HANDLER);
  return { offset, selector: KERNEL_CS, ist: vector === 2 || vector === 8 ? 1 : 0, type: 14, dpl: 3, present: true };
}

export function baseMemory(): Uint8Array {
  const memory = new Uint8Array(SCENE_BYTES);
  mapAll(memory);
  for (const [selector, descriptor] of DESCRIPTORS) put64(memory, GDT + selector, descriptor);
  const tss = KERNEL + BigInt(TSS);
  put64(memory, GDT + 0x40, 0x67n | ((tss & 0xffffffn) << 16n) | (0x8bn << 40n) | (((tss >> 24n) & 0xffn) << 56n));
  put64(memory, GDT + 0x48, tss >> 32n);
  const stacks: [number, bigint][] = [
    [4, RSP0],
    [36, IST1],
    [44, IST2],
  ];
  for (const [offset, rsp] of stacks) put64(memory, TSS + offset, rsp);
  // The I/O permission bitmap begins beyond the limit: there is none.
  memory[TSS + 0x66] = 0x68;
  for (let vector = 0; vector < 256; vector++) {
    putGate(memory, vector, plainGate(vector));
    memory.set(WITH_ERROR.includes(vector) ? DROP_IRETQ : IRETQ, physicalOf(HANDLERS) + vector * HANDLER);
  }
  return memory;
}

/** Both PML4s lead to the same tables. */
function mapAll(memory: Uint8Array): void {
  for (const root of [PML4, SECOND_PML4]) {
    put64(memory, root + 511 * 8, 0x2003n);
    put64(memory, root, 0x5007n);
  }
  put64(memory, 0x2000 + 510 * 8, 0x3003n);
  put64(memory, 0x3000 + 8 * 8, BigInt(PT_KERNEL) | 3n);
  put64(memory, 0x5000, 0x6007n);
  put64(memory, 0x6000 + 2 * 8, BigInt(PT_USER) | 7n);
  for (let page = 0; page < SCENE_BYTES >> 12; page++) put64(memory, PT_KERNEL + page * 8, BigInt(page << 12) | 3n);
  for (let page = 0; page < (SCENE_BYTES - USER_PA) >> 12; page++)
    put64(memory, PT_USER + page * 8, BigInt(USER_PA + (page << 12)) | 7n);
}

/** At the first byte of kernel code, or of user code. */
export function baseRegisters(cpl: 0 | 3): Registers {
  const registers: Registers = new Map(SCENE_REGISTERS.map((name) => [name, 0n]));
  const set: Record<string, bigint> = {
    rip: cpl === 0 ? KERNEL_CODE : USER,
    rsp: cpl === 0 ? KERNEL_STACK : USER_STACK,
    cs: BigInt(cpl === 0 ? KERNEL_CS : USER_CS),
    ss: BigInt(cpl === 0 ? KERNEL_SS : USER_SS),
    // PG, WP, NE, ET, MP, PE; SMAP, SMEP, FSGSBASE, PGE, PAE; NXE, LMA, LME, SCE
    cr0: 0x80010033n,
    cr4: 0x3100a0n,
    efer: 0xd01n,
    cr3: BigInt(PML4),
    eflags: 2n,
    'gdtr.base': KERNEL + BigInt(GDT),
    'gdtr.limit': 0x7fn,
    'idtr.base': KERNEL + BigInt(IDT),
    'idtr.limit': 0xfffn,
    tr: 0x40n,
    'tr.base': KERNEL + BigInt(TSS),
    'tr.limit': 0x67n,
    star: 0x00230010n << 32n,
    lstar: HANDLERS + 0xf00n,
    fmask: 0x47700n,
    gs_base: KERNEL_DATA,
    k_gs_base: USER_DATA,
  };
  for (const [name, value] of Object.entries(set)) registers.set(name, value);
  return registers;
}
