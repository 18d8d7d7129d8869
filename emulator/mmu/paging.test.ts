import { CR0, CR0_AM, CR0_WP, FLAG_AC, RAX, RBX, RCX, RSP, VEC_AC, VEC_DF, VEC_GP } from '../registers';
import { FAULTED, RETIRED } from '../step-result';
import { expectPageFault } from '../testing/expectations';
import { A, access, D, LOAD, P, PAGE, STORE, setLeaf, U, USER_PAGE, W, XD } from '../testing/page-access';
import {
  handlerOf,
  KERNEL,
  kernelAt,
  leafEntry,
  PML4,
  peek,
  poke,
  put64,
  setFlags,
  setRegister,
  smallMachine,
  USER,
  userAt,
} from '../testing/small-machine';

describe('page faults report why', () => {
  test.each([
    ['not present, supervisor read', PAGE, LOAD, 0, 0, false, 0],
    ['not present, user write', USER_PAGE, STORE, 0, 0, true, 6],
    ['read-only, user write', USER_PAGE, STORE, P | U, 0, true, 7],
    ['supervisor page, user read', USER_PAGE, LOAD, P | W, 0, true, 5],
    ['read-only, supervisor write with CR0.WP', PAGE, STORE, P, 0, false, 3],
    ['a reserved bit', PAGE, LOAD, P | W, 1, false, 9],
    ['user page under SMAP', PAGE, LOAD, P | W | U, 0, false, 1],
  ])('%s', (_name, va, code, flags, hi, user, error) => {
    const small = smallMachine();
    // Kernel tables above the leaf are supervisor ones; a user page needs all levels.
    if (va === PAGE)
      for (const table of [0x1ff8, 0x2ff0, 0x3040]) put64(small.machine, table, small.machine.memory.read32(table) | U);
    setLeaf(small, va, 0x50000, flags, hi);
    expectPageFault(small, access(small, code, va, user), error);
  });

  test('fetching from an XD page, and SMEP', () => {
    const small = smallMachine();
    setLeaf(small, USER, 0x40000, P | U, XD);
    userAt(small, '90'); // nop
    expectPageFault(small, small.machine.step(0), 0x15);
    kernelAt(small, 'ffe3'); // jmp *%rbx
    setRegister(small.cpu, RBX, USER_PAGE);
    small.machine.step(0);
    expectPageFault(small, small.machine.step(0), 0x11);
  });
});

describe('rights', () => {
  test('without CR0.WP the supervisor writes to read-only pages', () => {
    const small = smallMachine();
    small.cpu.r[CR0] &= ~CR0_WP;
    small.cpu.refresh();
    setLeaf(small, PAGE, 0x50000, P);
    expect(access(small, STORE, PAGE)).toBe(RETIRED);
  });

  test('AC suspends SMAP for explicit accesses, not for the processor’s own', () => {
    const small = smallMachine();
    setFlags(small.cpu, FLAG_AC);
    expect(access(small, LOAD, USER_PAGE)).toBe(RETIRED);
    // The IDT on a user page: every delivery faults on it, whatever AC says.
    for (const table of [0x1ff8, 0x2ff0, 0x3040]) put64(small.machine, table, small.machine.memory.read32(table) | U);
    setLeaf(small, KERNEL + 0x11000, 0x11000, P | W | U);
    setFlags(small.cpu, FLAG_AC);
    expect(access(small, '0f0b', 0)).toBe(4); // ud2
    expect(small.cpu.fault.implicit).toBe(true);
  });

  test('R/W and U/S are the AND of all levels, XD the OR', () => {
    const small = smallMachine();
    put64(small.machine, 0x6000 + 16, 0x7000 | P | U);
    expectPageFault(small, access(small, STORE, USER_PAGE, true), 7);
    expect(small.machine.translate(0x1000, USER_PAGE)).toMatchObject({ writable: false, user: true, noExecute: false });
    put64(small.machine, 0x5000, 0x6000 | P | U, XD);
    expect(small.machine.translate(0x1000, USER_PAGE)).toMatchObject({ noExecute: true });
  });

  test('A is set at every level used, D at the leaf of a write only', () => {
    const small = smallMachine();
    const bits = (pa: number) => small.machine.memory.read32(pa) & (A | D);
    access(small, LOAD, PAGE);
    expect([0x1ff8, 0x2ff0, 0x3040, leafEntry(PAGE)].map(bits)).toEqual([A, A, A, A]);
    access(small, STORE, PAGE);
    expect(bits(leafEntry(PAGE))).toBe(A | D);
  });

  test('1 GiB pages; a table beyond RAM reads as all ones, which is a reserved bit', () => {
    const small = smallMachine();
    put64(small.machine, 0x2000 + 509 * 8, 0x83);
    poke(small.machine, PAGE, 0x1122334455667788n);
    const large = KERNEL - 0x41000000;
    expect(access(small, LOAD, large + 0x50000)).toBe(RETIRED);
    expect(small.cpu.get64(RAX)).toBe(0x1122334455667788n);
    expect(small.machine.translate(PML4, large + 0x50000)).toMatchObject({ pa: 0x50000, size: 0x40000000 });
    put64(small.machine, 0x2000 + 509 * 8, 0x100003);
    small.cpu.tlb.flushAll();
    expectPageFault(small, access(small, LOAD, large), 9);
  });

  test('2 MiB pages, and a non-canonical address is #GP, through rsp #SS', () => {
    const small = smallMachine();
    put64(small.machine, 0x3000 + 9 * 8, 0x83);
    poke(small.machine, PAGE, 0x1122334455667788n);
    access(small, LOAD, KERNEL + 0x250000);
    expect(small.cpu.get64(RAX)).toBe(0x1122334455667788n);
    expect(small.machine.translate(0x1000, KERNEL + 0x250000)).toMatchObject({ pa: 0x50000, size: 0x200000 });
    access(small, LOAD, 1n << 47n);
    expect(small.cpu.rip()).toBe(handlerOf(VEC_GP));
    kernelAt(small, '58'); // pop %rax
    setRegister(small.cpu, RSP, (1n << 47n) + 0n);
    small.machine.step(0);
    expect(small.cpu.event.vector).toBe(VEC_DF);
  });
});

describe('alignment check', () => {
  test('is #AC(0) for a user access while CR0.AM and AC are set, and nothing for the supervisor', () => {
    const small = smallMachine();
    small.cpu.r[CR0] |= CR0_AM;
    setFlags(small.cpu, FLAG_AC);
    expect(access(small, LOAD, USER_PAGE + 1)).toBe(RETIRED);
    userAt(small, LOAD);
    setRegister(small.cpu, RBX, USER_PAGE + 1);
    expect(small.machine.step(0)).toBe(FAULTED);
    expect(small.cpu.rip()).toBe(handlerOf(VEC_AC));
  });
});

describe('accesses across pages', () => {
  test('a store is all or nothing: the second page is checked first', () => {
    const small = smallMachine();
    setLeaf(small, PAGE + 0x1000, 0, 0);
    const before = peek(small.machine, PAGE + 0xff8);
    setRegister(small.cpu, RCX, -1n);
    expectPageFault(small, access(small, STORE, PAGE + 0xffc), 2);
    expect(peek(small.machine, PAGE + 0xff8)).toBe(before);
  });

  test('loads and stores assemble bytes from both', () => {
    const small = smallMachine();
    setLeaf(small, PAGE + 0x1000, 0x70000, P | W);
    for (let offset = 0xff9; offset < 0x1000; offset++) {
      setRegister(small.cpu, RCX, 0x0102030405060708n + BigInt(offset));
      access(small, STORE, PAGE + offset);
      access(small, LOAD, PAGE + offset);
      expect(small.cpu.get64(RAX)).toBe(0x0102030405060708n + BigInt(offset));
    }
    expect(small.machine.memory.read8(0x70000 + 6)).toBe(1);
  });
});
