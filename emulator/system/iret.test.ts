import {
  CPL,
  CR2,
  CS,
  EFLAGS,
  FLAG_IF,
  FLAG_NT,
  FLAG_VIF,
  FLAG_VIP,
  GDTR_BASE,
  RSP,
  SS,
  VEC_GP,
  VEC_NP,
  VEC_PF,
  VEC_SS,
} from '../registers';
import { RETIRED } from '../step-result';
import { expectFault } from '../testing/expectations';
import {
  KERNEL,
  KERNEL_CODE,
  KERNEL_CS,
  KERNEL_SS,
  KERNEL_STACK,
  kernelAt,
  leafEntry,
  observe,
  peek,
  place,
  poke,
  put64,
  type SmallMachine,
  setFlags,
  setRegister,
  smallMachine,
  USER,
  USER_CS,
  USER_SS,
  USER_STACK,
} from '../testing/small-machine';
import { UnimplementedError } from '../unimplemented';
import { vaHi, vaLo } from '../words';

describe('IRETQ', () => {
  const frame = (small: SmallMachine, cs: number, ss: number, rip: number | bigint = USER, flags = 2) => {
    kernelAt(small, '48cf'); // iretq
    [rip, cs, flags, USER_STACK, ss].forEach((word, i) => {
      poke(small.machine, KERNEL_STACK - 40 + i * 8, word);
    });
    setRegister(small.cpu, RSP, KERNEL_STACK - 40);
  };

  test('returns to user mode with all five words', () => {
    const small = smallMachine();
    frame(small, USER_CS, USER_SS, USER, FLAG_IF | 2);
    expect(small.machine.step(0)).toBe(RETIRED);
    const { cpu } = small;
    expect([cpu.r[CPL], cpu.rip(), cpu.rsp(), cpu.r[CS], cpu.r[SS]]).toEqual([3, USER, USER_STACK, USER_CS, USER_SS]);
    expect(cpu.r[EFLAGS] & FLAG_IF).toBe(FLAG_IF);
  });

  test.each([
    ['a null CS', 3, USER_SS, VEC_GP, 0],
    ['a data segment as CS', USER_SS, USER_SS, VEC_GP, 0x28],
    ['CS with RPL above DPL', KERNEL_CS | 3, USER_SS, VEC_GP, 0x10],
    ['CS beyond the GDT', 0x7b, USER_SS, VEC_GP, 0x78],
    ['CS in an LDT that does not exist', 0x37, USER_SS, VEC_GP, 0x34],
    ['a null SS on the way to CPL 3', USER_CS, 3, VEC_GP, 0],
    ['SS with another RPL', USER_CS, 0x28, VEC_GP, 0x28],
    ['a code segment as SS', USER_CS, USER_CS, VEC_GP, 0x30],
  ])('%s is a fault at CPL 0 that leaves rsp at the frame', (_name, cs, ss, vector, error) => {
    const small = smallMachine();
    frame(small, cs, ss);
    expectFault(small, vector, error);
    expect(peek(small.machine, small.cpu.rsp() + 32)).toBe(BigInt.asUintN(64, BigInt(KERNEL_STACK - 40)));
    expect(peek(small.machine, small.cpu.rsp() + 8)).toBe(BigInt.asUintN(64, BigInt(KERNEL_CODE)));
  });

  test('a non-present CS is #NP, a non-present SS is #SS', () => {
    const small = smallMachine();
    frame(small, USER_CS, USER_SS);
    put64(small.machine, 0x10030, 0xffff, 0x00af7b00);
    expectFault(small, VEC_NP, 0x30);
    put64(small.machine, 0x10030, 0xffff, 0x00affb00);
    put64(small.machine, 0x10028, 0xffff, 0x00cf7300);
    frame(small, USER_CS, USER_SS);
    expectFault(small, VEC_SS, 0x28);
  });

  test('a non-canonical RIP and NT are #GP(0)', () => {
    const small = smallMachine();
    frame(small, USER_CS, USER_SS, 0x8000_0000_0000n);
    expectFault(small, VEC_GP, 0);
    frame(small, USER_CS, USER_SS);
    setFlags(small.cpu, FLAG_NT);
    expectFault(small, VEC_GP, 0);
  });

  test('selectors are judged before RIP: a bad one with a non-canonical RIP is #GP(selector)', () => {
    const small = smallMachine();
    frame(small, USER_SS, USER_SS, 0x8000_0000_0000n);
    expectFault(small, VEC_GP, USER_SS & ~3);
    frame(small, USER_CS, USER_CS, 0x8000_0000_0000n);
    expectFault(small, VEC_GP, USER_CS & ~3);
  });

  test('loads VIF and VIP at CPL 0 and keeps them at CPL 3', () => {
    const small = smallMachine();
    const virtual = FLAG_VIF | FLAG_VIP;
    frame(small, USER_CS, USER_SS, USER, virtual | 2);
    expect(small.machine.step(0)).toBe(RETIRED);
    expect(small.cpu.rflags()).toBe(virtual | 2);
    place(small.machine, USER, '48cf'); // iretq
    [USER, USER_CS, 2, USER_STACK, USER_SS].forEach((word, i) => {
      poke(small.machine, USER_STACK - 40 + i * 8, word);
    });
    setRegister(small.cpu, RSP, USER_STACK - 40);
    expect(small.machine.step(0)).toBe(RETIRED);
    expect(small.cpu.rflags()).toBe(virtual | 2);
  });

  test('a frame that cannot be read is #PF, and #SS where rsp is not canonical; rsp stays', () => {
    const small = smallMachine();
    frame(small, USER_CS, USER_SS);
    const below = KERNEL_STACK - 0x1000;
    setRegister(small.cpu, RSP, below - 8);
    put64(small.machine, leafEntry(below), 0);
    expectFault(small, VEC_PF, 0);
    expect([small.cpu.r[CR2], small.cpu.r[CR2 + 1]]).toEqual([vaLo(below), vaHi(below)]);
    frame(small, USER_CS, USER_SS);
    setRegister(small.cpu, RSP, 1n << 60n);
    const faults: number[] = [];
    observe(small, { faulted: (_cpu, fault) => faults.push(fault.vector) });
    small.machine.step(0);
    expect(faults[0]).toBe(12);
  });

  test('a descriptor that cannot be read is a page fault of the processor’s own, for CS and for SS', () => {
    const small = smallMachine();
    const gdtEnd = KERNEL + 0x50000;
    put64(small.machine, leafEntry(gdtEnd), 0);
    // The last descriptors of the GDT, from 0x28 on, lie on a page that is not mapped.
    setRegister(small.cpu, GDTR_BASE, BigInt(gdtEnd - 0x28));
    for (const [at, lo, hi] of [
      [0x10, 0xffff, 0x00af9b00],
      [0x18, 0xffff, 0x00af9f00],
    ])
      put64(small.machine, 0x50000 - 0x28 + at, lo, hi);
    frame(small, USER_CS, USER_SS);
    expectFault(small, VEC_PF, 0);
    expect([small.cpu.r[CR2], small.cpu.fault.implicit]).toEqual([vaLo(gdtEnd + 8), true]);
    frame(small, 0x1b, USER_SS);
    expectFault(small, VEC_PF, 0);
    expect([small.cpu.r[CR2], small.cpu.fault.implicit]).toEqual([vaLo(gdtEnd), true]);
  });

  test('goes to conforming code at the CPL of the selector, and to CPL 0 with a null SS', () => {
    const small = smallMachine();
    put64(small.machine, 0x10030, 0xffff, 0x00af9f00);
    frame(small, USER_CS, USER_SS);
    expect(small.machine.step(0)).toBe(RETIRED);
    expect([small.cpu.r[CPL], small.cpu.r[CS]]).toEqual([3, USER_CS]);
    const kernel = smallMachine();
    frame(kernel, KERNEL_CS, 0, KERNEL_CODE);
    expect(kernel.machine.step(0)).toBe(RETIRED);
    expect([kernel.cpu.r[CPL], kernel.cpu.r[SS], kernel.cpu.rsp()]).toEqual([0, 0, USER_STACK]);
  });

  test('conforming code above the CPL of the selector, and code with L and D, are #GP(selector)', () => {
    const small = smallMachine();
    put64(small.machine, 0x10030, 0xffff, 0x00afff00);
    frame(small, 0x30, KERNEL_SS);
    expectFault(small, VEC_GP, 0x30);
    put64(small.machine, 0x10030, 0xffff, 0x00effb00);
    frame(small, USER_CS, USER_SS);
    expectFault(small, VEC_GP, 0x30);
  });

  test('compatibility mode and rings 1 and 2 are not implemented, and say so', () => {
    const small = smallMachine();
    frame(small, 0x23, USER_SS);
    expect(() => small.machine.step(0)).toThrow(UnimplementedError);
    put64(small.machine, 0x10030, 0xffff, 0x00afbb00);
    frame(small, 0x31, USER_SS);
    expect(() => small.machine.step(0)).toThrow('IRET to ring 1');
  });
});
