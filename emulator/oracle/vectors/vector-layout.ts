/**
 * The memory around the driver of vectors (driver.S), as both machines begin with it.
 *
 *   physical  0x1000 page tables · 0x8000 GDT · 0x9000 IDT · 0xa000 TSS · 0xd000 stack's top · 0x10000 driver
 *             0x14000 code of the vector · 0x15000 data, 4 pages, then a read-only one · 0x1a000 records in
 *             0x4a000 records out
 *   linear    KERNEL + physical for the supervisor; USER + (physical - 0x14000) for data, then an absent page and
 *             one of the supervisor; code at USER + 0x10000, where no bit offset of 16 bits leads: QEMU executes
 *             an instruction twice that changes itself
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readElf } from '../../elf/elf-image';
import { Machine } from '../../machine';
import {
  CR3,
  CR4,
  CR4_FSGSBASE,
  CS,
  EFER,
  EFER_NXE,
  GDTR_BASE,
  GDTR_LIMIT,
  IDTR_BASE,
  IDTR_LIMIT,
  RIP,
  RSP,
  SS,
  TR,
  TR_BASE,
  TR_LIMIT,
} from '../../registers';
import { bigHi, bigLo, toBigInt, vaHi, vaLo } from '../../words';

const KERNEL = 0xffffffff81000000n;
const USER = 0x400000n;
/** Address of the instruction. */
export const SLOT = USER + 0x10f00n;
export const USER_DATA = USER + 0x1000n,
  DATA_BYTES = 0x4000;
/** In the order of their addresses, a page each. */
export const READ_ONLY = USER + 0x5000n,
  NOT_PRESENT = USER + 0x6000n,
  SUPERVISOR = USER + 0x7000n;
export const BATCH = 1024;
export const IN = 0x1a000,
  IN_SIZE = 192,
  OUT = 0x4a000,
  OUT_SIZE = 256;
/** What a vector may write: the page of its code, too. */
export const WRITABLE_PA = 0x14000,
  WRITABLE_BYTES = 0x1000 + DATA_BYTES;
const PML4 = 0x1000,
  GDT = 0x8000,
  IDT = 0x9000,
  TSS = 0xa000,
  STACK = 0xd000,
  RAM = 0xa0000;
const DRIVER_PA = 0x10000,
  STUB = 16;
/** Vectors that INT3 and INTO may raise at CPL 3. */
const OPEN_GATES: readonly number[] = [3, 4];

const image = readElf(readFileSync(join(__dirname, 'driver.elf')), 'driver.elf');

/** Linear address of a symbol of the driver. */
export function driverSymbol(name: string): bigint {
  const value = image.symbol(name);
  if (value === undefined) throw new Error(`expected the symbol "${name}" in driver.elf, found none`);
  return BigInt.asUintN(64, toBigInt(vaLo(value), vaHi(value)));
}

export function driverPhysical(name: string): number {
  return Number(driverSymbol(name) - KERNEL);
}

/** At the first instruction of the driver. */
export function vectorMachine(): Machine {
  const machine = new Machine({ entry: 0, segments: [], symbol: () => PML4 }, { cpus: 1, ramBytes: RAM });
  const put = (pa: number, value: bigint) => {
    machine.memory.write32At(pa, bigLo(value));
    machine.memory.write32At(pa + 4, bigHi(value));
  };
  mapPages(put);
  for (const { data } of image.segments) machine.memory.writeBytes(DRIVER_PA, data);
  const descriptors = [0n, 0n, 0x00af9b000000ffffn, 0x00cf93000000ffffn, 0n, 0x00cff3000000ffffn, 0x00affb000000ffffn];
  for (const [i, descriptor] of descriptors.entries()) put(GDT + i * 8, descriptor);
  put(TSS + 4, KERNEL + BigInt(STACK));
  put(TSS + 0x60, 0x68n << 48n);
  const stubs = driverSymbol('stubs');
  for (let vector = 0; vector < 32; vector++) {
    const at = stubs + BigInt(vector * STUB);
    const dpl = OPEN_GATES.includes(vector) ? 3n : 0n;
    put(
      IDT + vector * 16,
      (at & 0xffffn) | (0x10n << 16n) | ((0x8e00n | (dpl << 13n)) << 32n) | (((at >> 16n) & 0xffffn) << 48n),
    );
    put(IDT + vector * 16 + 8, at >> 32n);
  }
  enter(machine);
  return machine;
}

function mapPages(put: (pa: number, value: bigint) => void): void {
  put(PML4 + 511 * 8, 0x2003n);
  put(0x2000 + 510 * 8, 0x3003n);
  put(0x3000 + 8 * 8, 0x4003n);
  for (let page = 0; page < RAM >> 12; page++) put(0x4000 + page * 8, BigInt(page << 12) | 3n);
  put(PML4, 0x5007n);
  put(0x5000, 0x6007n);
  put(0x6000 + 2 * 8, 0x7007n);
  put(0x7000 + 16 * 8, 0x14007n);
  for (let page = 1; page < 5; page++) put(0x7000 + page * 8, BigInt(0x14000 + (page << 12)) | 7n);
  put(0x7000 + 5 * 8, 0x19005n);
  put(0x7000 + 7 * 8, 0x19003n);
}

function enter(machine: Machine): void {
  const [cpu] = machine.cpus;
  const { r } = cpu;
  machine.boot(0, { cpus: 1, tasks: 0, mms: 0 });
  r[CR3] = PML4;
  r[CR4] |= CR4_FSGSBASE;
  r[EFER] |= EFER_NXE;
  r[CS] = 0x10;
  r[SS] = 0x18;
  r[TR] = 0x40;
  r[TR_LIMIT] = 0x67;
  r[GDTR_LIMIT] = 0x37;
  r[IDTR_LIMIT] = 0xfff;
  cpu.set64(TR_BASE, KERNEL + BigInt(TSS));
  cpu.set64(GDTR_BASE, KERNEL + BigInt(GDT));
  cpu.set64(IDTR_BASE, KERNEL + BigInt(IDT));
  cpu.set64(RSP, KERNEL + BigInt(STACK));
  cpu.set64(RIP, driverSymbol('start'));
}

/** Linear address, for the driver, of what lies there. */
export function kernelAddress(pa: number): bigint {
  return KERNEL + BigInt(pa);
}
