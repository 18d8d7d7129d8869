import { CR0, CR0_AM, CR0_WP, CR3, CR4, CR4_PCIDE, CR4_PGE, FLAG_AC, RAX, RBX, RCX, RSP } from '../registers';
import { FAULTED, RETIRED } from '../step-result';
import {
  handlerOf,
  KERNEL,
  kernelAt,
  leafEntry,
  peek,
  place,
  poke,
  put64,
  type SmallMachine,
  setFlags,
  setRegister,
  smallMachine,
  USER,
  userAt,
} from '../testing/small-machine';
import { walkedEntries } from './table-view';

const LOAD = '488b03'; // mov (%rbx),%rax
const STORE = '48890b'; // mov %rcx,(%rbx)
const PAGE = KERNEL + 0x50000;
const USER_PAGE = USER + 0x4000;
const P = 1,
  W = 2,
  U = 4,
  A = 0x20,
  D = 0x40,
  G = 0x100;
const XD = 0x80000000 | 0;

function access(small: SmallMachine, hex: string, at: number | bigint, user = false): number {
  if (user) userAt(small, hex);
  else kernelAt(small, hex);
  setRegister(small.cpu, RBX, at);
  if (!user) setRegister(small.cpu, RSP, KERNEL + 0x17000);
  return small.machine.step(0);
}

function expectPageFault(small: SmallMachine, result: number, error: number): void {
  expect(result).toBe(FAULTED);
  expect(small.cpu.rip()).toBe(handlerOf(14));
  expect(peek(small.machine, small.cpu.rsp())).toBe(BigInt(error));
}

function setLeaf(small: SmallMachine, va: number, pa: number, flags: number, hi = 0): void {
  put64(small.machine, leafEntry(va), pa | flags, hi);
}

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

  test('2 MiB pages, and a non-canonical address is #GP, through rsp #SS', () => {
    const small = smallMachine();
    put64(small.machine, 0x3000 + 9 * 8, 0x83);
    poke(small.machine, PAGE, 0x1122334455667788n);
    access(small, LOAD, KERNEL + 0x250000);
    expect(small.cpu.get64(RAX)).toBe(0x1122334455667788n);
    expect(small.machine.translate(0x1000, KERNEL + 0x250000)).toMatchObject({ pa: 0x50000, size: 0x200000 });
    access(small, LOAD, 1n << 47n);
    expect(small.cpu.rip()).toBe(handlerOf(13));
    kernelAt(small, '58'); // pop %rax
    setRegister(small.cpu, RSP, (1n << 47n) + 0n);
    small.machine.step(0);
    expect(small.cpu.event.vector).toBe(8);
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
    expect(small.cpu.rip()).toBe(handlerOf(17));
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

describe('TLB', () => {
  /** Loads through PAGE, then points PAGE elsewhere without telling the TLB. */
  function stale(small: SmallMachine, flags = P | W): void {
    poke(small.machine, PAGE, 1n);
    small.machine.memory.write32(0x70000 >> 2, 2);
    setLeaf(small, PAGE, 0x50000, flags);
    access(small, LOAD, PAGE);
    setLeaf(small, PAGE, 0x70000, flags);
  }

  function reads(small: SmallMachine): number {
    access(small, LOAD, PAGE);
    return small.cpu.r[RAX];
  }

  function writeCr3(small: SmallMachine, value: bigint): void {
    kernelAt(small, '0f22d8'); // mov %rax,%cr3
    setRegister(small.cpu, RAX, value);
    expect(small.machine.step(0)).toBe(RETIRED);
  }

  function invpcid(small: SmallMachine, type: number, pcid: number, address: number): number {
    poke(small.machine, KERNEL + 0x60000, pcid);
    poke(small.machine, KERNEL + 0x60008, address);
    setRegister(small.cpu, RCX, type);
    return access(small, '660f38820b', KERNEL + 0x60000); // invpcid (%rbx),%rcx
  }

  function withPcid(): SmallMachine {
    const small = smallMachine();
    small.cpu.r[CR4] |= CR4_PCIDE;
    small.cpu.r[CR3] = 0x1001;
    small.cpu.refresh();
    return small;
  }

  test('keeps a translation until INVLPG; a not-present one is never cached', () => {
    const small = smallMachine();
    stale(small);
    expect(reads(small)).toBe(1);
    access(small, '0f013b', PAGE); // invlpg (%rbx)
    expect(reads(small)).toBe(2);
    setLeaf(small, PAGE, 0, 0);
    access(small, '0f013b', PAGE); // invlpg (%rbx)
    expect(access(small, LOAD, PAGE)).toBe(FAULTED);
    setLeaf(small, PAGE, 0x50000, P | W);
    expect(reads(small)).toBe(1);
  });

  test('without PCIDE, MOV CR3 drops all but Global entries', () => {
    const small = smallMachine();
    stale(small);
    writeCr3(small, 0x1000n);
    expect(reads(small)).toBe(2);
    stale(small, P | W | G);
    access(small, '0f013b', PAGE); // invlpg (%rbx)
    stale(small, P | W | G);
    writeCr3(small, 0x1000n);
    expect(reads(small)).toBe(1);
  });

  test('with PCIDE, MOV CR3 drops the new PCID’s entries unless bit 63 is set, and never another PCID’s', () => {
    const small = withPcid();
    stale(small);
    writeCr3(small, 0x1002n);
    expect(reads(small)).toBe(2);
    writeCr3(small, (1n << 63n) | 0x1001n);
    expect(reads(small)).toBe(1);
    writeCr3(small, 0x1001n);
    expect(reads(small)).toBe(2);
  });

  test('a Global entry matches any PCID; toggling CR4.PGE flushes it', () => {
    const small = withPcid();
    stale(small, P | W | G);
    writeCr3(small, 0x1002n);
    expect(reads(small)).toBe(1);
    kernelAt(small, '0f22e0 0f22e1'); // mov %rax,%cr4; mov %rcx,%cr4
    setRegister(small.cpu, RAX, small.cpu.r[CR4] & ~CR4_PGE);
    setRegister(small.cpu, RCX, small.cpu.r[CR4]);
    small.machine.run(0, 2);
    expect(reads(small)).toBe(2);
  });

  test('INVLPG drops the current PCID’s entry and Global ones, not another PCID’s', () => {
    const small = withPcid();
    stale(small);
    writeCr3(small, 0x1002n);
    access(small, '0f013b', PAGE); // invlpg (%rbx)
    writeCr3(small, (1n << 63n) | 0x1001n);
    expect(reads(small)).toBe(1);
  });

  test.each([
    [0, 1, 2, 1],
    [0, 2, 1, 1],
    [1, 1, 2, 1],
    [1, 2, 1, 1],
    [2, 0, 2, 2],
    [3, 0, 2, 1],
  ])('INVPCID type %i for PCID %i: a plain entry of PCID 1 reads %i, a Global one %i', (type, pcid, plain, global) => {
    for (const [flags, expected] of [
      [P | W, plain],
      [P | W | G, global],
    ]) {
      const small = withPcid();
      stale(small, flags);
      expect(invpcid(small, type, pcid, PAGE)).toBe(RETIRED);
      expect(reads(small)).toBe(expected);
    }
  });

  test('INVPCID with a bad type, reserved bits, or a PCID without PCIDE is #GP', () => {
    const small = withPcid();
    expect(invpcid(small, 4, 0, 0)).toBe(FAULTED);
    expect(invpcid(small, 1, 0x1000, 0)).toBe(FAULTED);
    const plain = smallMachine();
    expect(invpcid(plain, 1, 1, 0)).toBe(FAULTED);
    expect(plain.cpu.rip()).toBe(handlerOf(13));
  });

  test('a stale entry that is too strict faults once, then the tables count', () => {
    const small = smallMachine();
    setLeaf(small, PAGE, 0x50000, P);
    access(small, LOAD, PAGE);
    setLeaf(small, PAGE, 0x50000, P | W);
    expectPageFault(small, access(small, STORE, PAGE), 3);
    expect(access(small, STORE, PAGE)).toBe(RETIRED);
  });

  test('a page fault drops what is cached of its address, also when the tables no longer map it', () => {
    const small = smallMachine();
    for (const flags of [P | W, P | W | G]) {
      stale(small, flags);
      setLeaf(small, PAGE, 0, 0);
      expect(access(small, LOAD, PAGE)).toBe(RETIRED);
      expectPageFault(small, access(small, STORE, PAGE), 2);
      expectPageFault(small, access(small, LOAD, PAGE), 0);
    }
  });

  test('a page fault of one PCID leaves what another one has cached, unless it is Global', () => {
    for (const [flags, expected] of [
      [P | W, RETIRED],
      [P | W | G, FAULTED],
    ]) {
      const small = withPcid();
      stale(small, flags);
      setLeaf(small, PAGE, 0, 0);
      writeCr3(small, 0x1002n);
      access(small, STORE, PAGE);
      writeCr3(small, (1n << 63n) | 0x1001n);
      expect(access(small, LOAD, PAGE)).toBe(expected);
    }
  });

  test('a TLB generation that wraps forgets, it does not revive', () => {
    const small = smallMachine();
    stale(small);
    for (let i = 0; i < 4200; i++) small.cpu.tlb.flushAll();
    small.cpu.refresh();
    expect(reads(small)).toBe(2);
  });

  test('a rollback restores what is cached', () => {
    const small = withPcid();
    stale(small);
    const fingerprint = small.machine.fingerprint();
    const mark = small.machine.mark();
    writeCr3(small, 0x1002n);
    reads(small);
    invpcid(small, 2, 0, 0);
    small.machine.rollback(mark);
    expect(small.machine.fingerprint()).toBe(fingerprint);
    expect(reads(small)).toBe(1);
  });
});

describe('code pages', () => {
  test('a store into decoded code is seen by the next fetch, through another mapping too', () => {
    const small = smallMachine();
    kernelAt(small, '48ffc0 48ffc0'); // inc %rax; inc %rax
    small.machine.run(0, 2);
    setLeaf(small, USER, 0x20000, P | W | U);
    place(small.machine, KERNEL + 0x20000, '48ffc8'); // dec %rax
    setRegister(small.cpu, RAX, 10n);
    small.cpu.set64(32, BigInt(KERNEL + 0x20000));
    small.machine.run(0, 2);
    expect(small.cpu.get64(RAX)).toBe(10n);
  });

  test('an instruction across two pages is translated on both and re-read', () => {
    const small = smallMachine();
    const at = KERNEL + 0x21000 - 2;
    place(small.machine, at, 'b811000000'); // mov $0x11,%eax
    setLeaf(small, KERNEL + 0x21000, 0x21000, P | W);
    small.cpu.set64(32, BigInt(at));
    small.machine.step(0);
    expect(small.cpu.get64(RAX)).toBe(0x11n);
    small.machine.memory.write8(0x21000 - 1, 0x22);
    small.cpu.set64(32, BigInt(at));
    small.machine.step(0);
    expect(small.cpu.get64(RAX)).toBe(0x22n);
    setLeaf(small, KERNEL + 0x21000, 0, 0);
    small.cpu.tlb.flushAll();
    small.cpu.set64(32, BigInt(at));
    expectPageFault(small, small.machine.step(0), 0x10);
    expect(small.cpu.fault.addressLo).toBe((KERNEL + 0x21000) | 0);
  });
});

describe('the entries of a walk, for a reader', () => {
  /** `PML4[511] PDPT[510] ...`, with a `!` at an entry that has a reserved bit set. */
  const walked = (small: SmallMachine, va: number) =>
    walkedEntries(small.machine.memory, 0x1000, va)
      .map(({ table, index, reserved }) => `${table}[${index}]${reserved ? '!' : ''}`)
      .join(' ');

  test.each([
    ['down to the leaf', PAGE, undefined, 'PML4[511] PDPT[510] PD[8] PT[80]'],
    ['to an entry that is not present', KERNEL + 0x40000000, undefined, 'PML4[511] PDPT[511]'],
    ['to a large page', PAGE, [0x3040, 0x83, 0], 'PML4[511] PDPT[510] PD[8]'],
    ['to a large page with a reserved bit', PAGE, [0x3040, 0x2083, 0], 'PML4[511] PDPT[510] PD[8]!'],
    ['to a table with a reserved bit', PAGE, [0x2ff0, 0x3003, 1], 'PML4[511] PDPT[510]!'],
    ['nowhere for an address that is not canonical', 0x800000000000, undefined, ''],
  ] as const)('%s', (_name, va, entry, path) => {
    const small = smallMachine();
    if (entry !== undefined) put64(small.machine, entry[0], entry[1], entry[2]);
    expect(walked(small, va)).toBe(path);
  });
});
