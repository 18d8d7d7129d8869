/** Rows of the accepted differences that are about what a delivery pushes, and about flags that a return loads. */
import { setRflags } from '../cpu/outcome';
import { PTE_A } from '../mmu/page-walk';
import { EFLAGS, FLAG_CF, FLAG_IF, FLAG_RF, FLAG_VIF, FLAG_VIP, R11, RBX, RCX, RSP, TR_LIMIT } from '../registers';
import {
  KERNEL,
  KERNEL_STACK,
  kernelAt,
  leafEntry,
  poke,
  put64,
  type SmallMachine,
  setGate,
  setRegister,
  smallMachine,
  USER,
  userAt,
} from '../testing/small-machine';
import { explain } from './accepted-differences';
import { ObservedCpu } from './observed-cpu';

const GDT = 0x10000;
const DATA = KERNEL + 0x50000;

function after(prepare: (small: SmallMachine) => void): { observed: ObservedCpu; small: SmallMachine } {
  const small = smallMachine();
  prepare(small);
  const observed = new ObservedCpu(small.machine);
  observed.step();
  return { observed, small };
}

/** The row for this error code of the other machine in the place of ours. */
function errorName(prepare: (small: SmallMachine) => void, ours: number, theirs: number): string | undefined {
  const { observed, small } = after(prepare);
  const pa = observed.pushedError as number;
  expect(small.machine.memory.read32(pa)).toBe(ours);
  expect(explain(observed, { kind: 'memory', pa: pa + 8, ours, theirs })?.name).toBeUndefined();
  return explain(observed, { kind: 'memory', pa, ours, theirs })?.name;
}

/** The row for these bits of RFLAGS that the other machine does not have, and those that only it has. */
function flagsName(prepare: (small: SmallMachine) => void, lacks: number, has = 0): string | undefined {
  const { observed } = after(prepare);
  const ours = observed.cpu.rflags();
  expect([ours & lacks, ours & has]).toEqual([lacks, 0]);
  return explain(observed, { kind: 'register', name: 'eflags', ours: BigInt(ours), theirs: BigInt(ours ^ lacks ^ has) })
    ?.name;
}

const throughEntry =
  (hex: string, bits: number, high = 0) =>
  (small: SmallMachine) => {
    kernelAt(small, hex);
    setRegister(small.cpu, RBX, BigInt(DATA));
    put64(small.machine, leafEntry(DATA), 0x50000 | bits, high);
  };

test('reserved-bit-not-present: P=0 in the error code of a reserved bit', () => {
  const reserved = throughEntry('488b03', 3, 1 << 19); // mov (%rbx),%rax
  expect(errorName(reserved, 9, 8)).toBe('reserved-bit-not-present');
  expect(errorName(reserved, 9, 0)).toBeUndefined();
});

test('read-modify-write-reads-first: W=0 in the error code of an instruction that reads and writes', () => {
  const name = 'read-modify-write-reads-first';
  expect(errorName(throughEntry('48ff03', 0), 2, 0)).toBe(name); // incq (%rbx)
  expect(errorName(throughEntry('48ff03', 3, 1 << 19), 11, 8)).toBe(name);
  expect(errorName(throughEntry('488903', 0), 2, 0)).toBeUndefined(); // mov %rax,(%rbx)
});

test('gate-error-code: 16 for each vector in the place of 8, and no EXT', () => {
  const software = (small: SmallMachine) => {
    userAt(small, 'cda2'); // int $0xa2
    setGate(small.machine, 0xa2, 0x18000, 0, 14, 0);
  };
  expect(errorName(software, 0xa2 * 8 + 2, 0xa2 * 16 + 2)).toBe('gate-error-code');
  expect(errorName(software, 0xa2 * 8 + 2, 0xa2 * 16 + 3)).toBeUndefined();
});

test('ext-not-set: bit 0 of an error code that names no gate', () => {
  const nmi = (small: SmallMachine) => {
    userAt(small, '90'); // nop
    // There is an rsp0, but no stack 2.
    small.cpu.r[TR_LIMIT] = 0x2b;
    setGate(small.machine, 2, 0x18000, 2);
    small.machine.raiseNmi(0);
  };
  expect(errorName(nmi, 0x41, 0x40)).toBe('ext-not-set');
  expect(errorName(nmi, 0x41, 0x42)).toBeUndefined();
});

test('rf-of-int-n: RF in the frame of INT n', () => {
  const { observed, small } = after((s) => {
    kernelAt(s, 'cd20'); // int $0x20
    setRflags(s.cpu, FLAG_RF | 2);
  });
  const pa = observed.pushedFlags as number;
  const ours = small.machine.memory.read32(pa);
  expect(ours & FLAG_RF).toBe(0);
  expect(explain(observed, { kind: 'memory', pa, ours, theirs: ours | FLAG_RF })?.name).toBe('rf-of-int-n');
  expect(explain(observed, { kind: 'memory', pa, ours, theirs: ours | FLAG_CF })).toBeUndefined();
});

/** IRETQ to the kernel with these flags in the frame, and these before. */
const iretq =
  (flags: number, before = 2) =>
  (small: SmallMachine) => {
    kernelAt(small, '48cf'); // iretq
    setRflags(small.cpu, before);
    setRegister(small.cpu, RSP, BigInt(DATA));
    for (const [i, word] of [BigInt(KERNEL), 0x10n, BigInt(flags), BigInt(KERNEL_STACK), 0x18n].entries())
      poke(small.machine, DATA + 8 * i, word);
  };

test('rf-of-iret: RF is gone after an IRET that began with RF', () => {
  expect(flagsName(iretq(FLAG_RF | 2, FLAG_RF | 2), FLAG_RF)).toBe('rf-of-iret');
  expect(flagsName(iretq(FLAG_RF | 2), FLAG_RF)).toBeUndefined();
  expect(flagsName(iretq(FLAG_RF | FLAG_CF | 2, FLAG_RF | 2), FLAG_RF | FLAG_CF)).toBeUndefined();
});

test('iret-virtual-interrupt-flags: VIF and VIP are not loaded by an IRET at CPL 0', () => {
  expect(flagsName(iretq(FLAG_VIF | FLAG_VIP | 2), FLAG_VIF | FLAG_VIP)).toBe('iret-virtual-interrupt-flags');
  expect(flagsName(iretq(FLAG_VIP | FLAG_IF | 2), FLAG_VIP | FLAG_IF)).toBeUndefined();
});

test('sysret-flags: RF is loaded, and VIF and VIP are not', () => {
  const sysretq = (small: SmallMachine) => {
    kernelAt(small, '480f07'); // sysretq
    setRegister(small.cpu, RCX, BigInt(USER));
    setRegister(small.cpu, R11, BigInt(FLAG_VIP | FLAG_RF | 2));
  };
  expect(flagsName(sysretq, FLAG_VIP, FLAG_RF)).toBe('sysret-flags');
  expect(flagsName(sysretq, FLAG_VIP, FLAG_RF | FLAG_CF)).toBeUndefined();
});

test('accessed-bit-of-frame: the A bit of a page that a faulting IRET has read', () => {
  const { observed, small } = after((s) => {
    iretq(2)(s);
    poke(s.machine, DATA + 8, 0n);
  });
  const pa = leafEntry(DATA);
  const ours = small.machine.memory.read32(pa);
  expect(ours & PTE_A).toBe(PTE_A);
  expect(explain(observed, { kind: 'memory', pa, ours, theirs: ours ^ PTE_A })?.name).toBe('accessed-bit-of-frame');
  expect(explain(observed, { kind: 'memory', pa, ours, theirs: ours ^ PTE_A ^ 1 })).toBeUndefined();
  expect(observed.cpu.r[EFLAGS]).toBe(0);
});

test('accessed-bit-of-descriptor: an IRET and a delivery set it, and with it D of the page of the GDT', () => {
  const { observed, small } = after((s) => {
    iretq(2)(s);
    s.machine.memory.write32At(GDT + 0x14, 0x00af9a00);
  });
  const difference = (pa: number, bit: number) => {
    const ours = small.machine.memory.read32(pa);
    expect(ours & bit).toBe(bit);
    return { kind: 'memory', pa, ours, theirs: ours ^ bit } as const;
  };
  const entry = leafEntry(KERNEL + GDT);
  expect(explain(observed, difference(GDT + 0x14, 0x100))?.name).toBe('accessed-bit-of-descriptor');
  expect(explain(observed, difference(entry, 0x40))?.name).toBe('accessed-bit-of-descriptor');
  expect(explain(observed, difference(GDT + 0x14, 0x200))).toBeUndefined();
  expect(explain(observed, difference(leafEntry(DATA) + 8, 1))).toBeUndefined();
});
