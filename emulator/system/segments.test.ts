import {
  CR2,
  DS,
  ES,
  FS,
  FS_BASE,
  GDTR_BASE,
  GDTR_LIMIT,
  GS,
  GS_BASE,
  IDTR_LIMIT,
  KERNEL_GS_BASE,
  RAX,
  RBX,
  RSP,
  SS,
  SS_SHADOW,
  TR,
  TR_BASE,
  TR_LIMIT,
  VEC_GP,
  VEC_NP,
  VEC_PF,
  VEC_SS,
  VEC_UD,
} from '../registers';
import { FAULTED } from '../step-result';
import {
  ABSENT_TSS,
  BASED,
  CONFORMING,
  DATA,
  EXECUTE_ONLY,
  firstFault,
  GDT,
  LAST_TSS,
  machineWithDescriptors,
  NOT_PRESENT,
  outcome,
  READ_ONLY,
} from '../testing/segments';
import {
  KERNEL,
  KERNEL_STACK,
  kernelAt,
  leafEntry,
  peek,
  poke,
  put64,
  type SmallMachine,
  setRegister,
  TSS_SELECTOR,
  userAt,
} from '../testing/small-machine';
import { vaHi, vaLo } from '../words';

describe('a load of DS, ES, FS or GS', () => {
  test.each([
    ['null', 3, 3, []],
    ['user data', 0x2b, 3, []],
    ['user data with RPL 0', 0x28, 3, []],
    ['kernel data', 0x18, 0, []],
    ['kernel data with RPL 3', 0x1b, 0, [VEC_GP, 0x18]],
    ['kernel data at CPL 3', 0x18, 3, [VEC_GP, 0x18]],
    ['readable code', 0x33, 3, []],
    ['conforming code of ring 0 at CPL 3', CONFORMING | 3, 3, []],
    ['execute-only code', EXECUTE_ONLY | 3, 3, [VEC_GP, EXECUTE_ONLY]],
    ['read-only data', READ_ONLY | 3, 3, []],
    ['a TSS', TSS_SELECTOR, 0, [VEC_GP, TSS_SELECTOR]],
    ['what is not present', NOT_PRESENT, 0, [VEC_NP, NOT_PRESENT]],
    ['what is beyond the GDT', 0xa0, 0, [VEC_GP, 0xa0]],
    ['an LDT that does not exist', 0x2c, 0, [VEC_GP, 0x2c]],
  ])('of %s', (_name, selector, cpl, expected) => {
    const small = machineWithDescriptors();
    for (const [hex, register] of [
      ['8ed8', DS], // mov %eax,%ds
      ['8ec0', ES], // mov %eax,%es
      ['8ee0', FS], // mov %eax,%fs
      ['8ee8', GS], // mov %eax,%gs
    ] as const) {
      small.cpu.r[register] = 0x77;
      setRegister(small.cpu, RAX, BigInt(selector | 0xabcd0000));
      expect(outcome(small, hex, cpl)).toEqual(expected);
      expect(small.cpu.r[register]).toBe(expected.length === 0 ? selector : 0x77);
    }
  });

  test('of FS and GS loads the base of the descriptor, 0 for a null selector', () => {
    const small = machineWithDescriptors();
    for (const [hex, base] of [
      ['8ee0', FS_BASE], // mov %eax,%fs
      ['8ee8', GS_BASE], // mov %eax,%gs
    ] as const) {
      setRegister(small.cpu, base, 0x123456789abcn);
      setRegister(small.cpu, RAX, BigInt(BASED | 3));
      expect(outcome(small, hex, 3)).toEqual([]);
      expect(small.cpu.get64(base)).toBe(0x12345678n);
      setRegister(small.cpu, RAX, 0n);
      expect(outcome(small, hex, 3)).toEqual([]);
      expect(small.cpu.get64(base)).toBe(0n);
    }
  });

  test('whose descriptor is not mapped is a page fault of the processor’s own', () => {
    for (const hex of [
      '8ed8', // mov %eax,%ds
      '8ed0', // mov %eax,%ss
      '0f00e0', // verr %ax
      '0f00e8', // verw %ax
      '0f03c0', // lsl %ax,%eax
      '0f02c0', // lar %ax,%eax
      '0f00d8', // ltr %ax
    ]) {
      const small = machineWithDescriptors();
      setRegister(small.cpu, GDTR_BASE, 0x7000_0000n);
      setRegister(small.cpu, RAX, 0x18n);
      expect(firstFault(small, hex)).toMatchObject({ vector: VEC_PF, error: 0, addressLo: 0x70000018, implicit: true });
    }
  });
});

describe('POP FS and POP GS', () => {
  const forms = [
    ['0fa1', FS, FS_BASE], // pop %fs
    ['0fa9', GS, GS_BASE], // pop %gs
  ] as const;
  const popped = (small: SmallMachine, hex: string, word: bigint, cpl: number): number[] => {
    if (cpl === 3) userAt(small, hex);
    else kernelAt(small, hex);
    poke(small.machine, small.cpu.rsp(), word);
    return small.machine.step(0) === FAULTED ? [small.cpu.event.vector, small.cpu.event.error] : [];
  };

  test('load selector and base, and release 8 bytes', () => {
    for (const [hex, register, base] of forms) {
      const small = machineWithDescriptors();
      setRegister(small.cpu, KERNEL_GS_BASE, 0x5555n);
      setRegister(small.cpu, base, 0x123456789abcn);
      setRegister(small.cpu, RSP, BigInt(KERNEL_STACK - 64));
      expect(popped(small, hex, 0x123456789ab0000n | BigInt(BASED), 0)).toEqual([]);
      expect([small.cpu.r[register], small.cpu.get64(base)]).toEqual([BASED, 0x12345678n]);
      expect([small.cpu.get64(KERNEL_GS_BASE), small.cpu.rsp()]).toEqual([0x5555n, KERNEL_STACK - 56]);
    }
  });

  test('fault as a load does, with rsp, selector and bases as they were', () => {
    for (const [hex, register, base] of forms) {
      const small = machineWithDescriptors();
      setRegister(small.cpu, base, 0x123456789abcn);
      setRegister(small.cpu, RSP, BigInt(KERNEL_STACK - 64));
      expect(popped(small, hex, 0x123456789abcdefn, 0)).toEqual([VEC_GP, 0xcdec]);
      expect([small.cpu.r[register], small.cpu.get64(base)]).toEqual([0, 0x123456789abcn]);
      expect(peek(small.machine, small.cpu.rsp() + 32)).toBe(BigInt.asUintN(64, BigInt(KERNEL_STACK - 64)));
      setRegister(small.cpu, RSP, BigInt(KERNEL_STACK - 64));
      expect(popped(small, hex, BigInt(NOT_PRESENT), 0)).toEqual([VEC_NP, NOT_PRESENT]);
      setRegister(small.cpu, RSP, 1n << 60n);
      expect(firstFault(small, hex)).toMatchObject({ vector: VEC_SS, error: 0 });
    }
  });
});

describe('a load of SS', () => {
  test.each([
    ['null at CPL 0', 0, 0, []],
    ['null with RPL 3 at CPL 0', 3, 0, [VEC_GP, 0]],
    ['null at CPL 3', 3, 3, [VEC_GP, 0]],
    ['kernel data', 0x18, 0, []],
    ['user data at CPL 3', 0x2b, 3, []],
    ['user data with another RPL', 0x28, 3, [VEC_GP, 0x28]],
    ['user data at CPL 0', 0x28, 0, [VEC_GP, 0x28]],
    ['read-only data', READ_ONLY | 3, 3, [VEC_GP, READ_ONLY]],
    ['code', 0x10, 0, [VEC_GP, 0x10]],
    ['what is not present', NOT_PRESENT | 3, 3, [VEC_SS, NOT_PRESENT]],
    ['what is beyond the GDT', 0xa0, 0, [VEC_GP, 0xa0]],
  ])('of %s', (_name, selector, cpl, expected) => {
    const small = machineWithDescriptors();
    put64(small.machine, GDT + NOT_PRESENT, 0xffff, 0x00cf7300);
    setRegister(small.cpu, RAX, BigInt(selector));
    expect(outcome(small, '8ed0', cpl)).toEqual(expected); // mov %eax,%ss
    expect(small.cpu.r[SS_SHADOW]).toBe(expected.length === 0 ? 1 : 0);
    if (expected.length === 0) expect(small.cpu.r[SS]).toBe(selector);
  });

  test('of CS is #UD', () => {
    expect(outcome(machineWithDescriptors(), '8ec8')).toEqual([VEC_UD, -1]); // mov %eax,%cs
  });
});

describe('an operand in memory that is not mapped', () => {
  const UNMAPPED = 0x7000_0000;

  test.each([
    ['mov (%rbx),%ds', '8e1b', 0, UNMAPPED],
    ['mov (%rbx),%ss', '8e13', 0, UNMAPPED],
    ['ltr (%rbx)', '0f001b', 0, UNMAPPED],
    ['lsl (%rbx),%eax', '0f0303', 0, UNMAPPED],
    ['lar (%rbx),%eax', '0f0203', 0, UNMAPPED],
    ['verr (%rbx)', '0f0023', 0, UNMAPPED],
    ['verw (%rbx)', '0f002b', 0, UNMAPPED],
    ['mov %ds,(%rbx)', '8c1b', 2, UNMAPPED],
    ['str (%rbx)', '0f000b', 2, UNMAPPED],
    ['sgdt (%rbx)', '0f0103', 2, UNMAPPED],
    ['sidt (%rbx)', '0f010b', 2, UNMAPPED],
    ['lgdt (%rbx)', '0f0113', 0, UNMAPPED],
    ['lidt (%rbx)', '0f011b', 0, UNMAPPED],
  ])('%s is a page fault of the program’s own', (_text, hex, error, cr2) => {
    const small = machineWithDescriptors();
    const before = small.cpu.r.slice(ES, IDTR_LIMIT + 1);
    setRegister(small.cpu, RBX, BigInt(UNMAPPED));
    expect(firstFault(small, hex)).toMatchObject({ vector: VEC_PF, error, addressLo: cr2, implicit: false });
    expect(small.cpu.r.slice(ES, IDTR_LIMIT + 1)).toEqual(before);
  });
});

describe('stores of selectors and of table registers', () => {
  test('MOV from a segment register and STR: a register at operand size, memory as 16 bits', () => {
    const small = machineWithDescriptors();
    for (const [hex, expected] of [
      ['8cd8', 0x2bn], // mov %ds,%eax
      ['488cd8', 0x2bn], // mov %ds,%rax
      ['668cd8', 0xffffffffffff002bn], // mov %ds,%ax
      ['0f00c8', 0x40n], // str %eax
      ['660f00c8', 0xffffffffffff0040n], // str %ax
    ] as const) {
      small.cpu.r[DS] = 0x2b;
      setRegister(small.cpu, RAX, 0xffffffffffffffffn);
      expect(outcome(small, hex)).toEqual([]);
      expect([hex, small.cpu.get64(RAX)]).toEqual([hex, expected]);
    }
    for (const [hex, expected] of [
      ['8c1b', 0xffffffffffff002bn], // mov %ds,(%rbx)
      ['488c1b', 0xffffffffffff002bn], // rex.W mov %ds,(%rbx)
      ['0f000b', 0xffffffffffff0040n], // str (%rbx)
    ] as const) {
      poke(small.machine, DATA, 0xffffffffffffffffn);
      setRegister(small.cpu, RBX, BigInt(DATA));
      expect(outcome(small, hex)).toEqual([]);
      expect([hex, peek(small.machine, DATA)]).toEqual([hex, expected]);
    }
  });

  test('SGDT and SIDT store limit and base, or nothing: CR2 is the first byte that cannot be stored', () => {
    const small = machineWithDescriptors();
    for (const [hex, limit] of [
      ['0f0103', 0x9fn], // sgdt (%rbx)
      ['0f010b', 0xfffn], // sidt (%rbx)
    ] as const) {
      setRegister(small.cpu, RBX, BigInt(DATA));
      expect(outcome(small, hex)).toEqual([]);
      expect(peek(small.machine, DATA) & 0xffffn).toBe(limit);
    }
    put64(small.machine, leafEntry(DATA + 0x1000), 0);
    for (const [at, cr2] of [
      [DATA + 0x1000, DATA + 0x1000],
      [DATA + 0x1008, DATA + 0x1008],
      [DATA + 0xffe, DATA + 0x1000],
      [DATA + 0xfff, DATA + 0x1000],
      [DATA + 0xffa, DATA + 0x1000],
    ]) {
      poke(small.machine, DATA + 0xff8, 0x1122334455667788n);
      setRegister(small.cpu, RBX, BigInt(at));
      expect(outcome(small, '0f0103')).toEqual([VEC_PF, 2]); // sgdt (%rbx)
      expect([small.cpu.r[CR2], small.cpu.r[CR2 + 1]]).toEqual([vaLo(cr2), vaHi(cr2)]);
      expect(peek(small.machine, DATA + 0xff8)).toBe(0x1122334455667788n);
    }
  });

  test('LGDT and LIDT load both or neither; a non-canonical base is #GP(0)', () => {
    const small = machineWithDescriptors();
    setRegister(small.cpu, RBX, BigInt(DATA));
    poke(small.machine, DATA, (0x0000_8000_0000_1234n << 16n) | 0x77n);
    poke(small.machine, DATA + 8, 0x8000n);
    expect(outcome(small, '0f0113')).toEqual([VEC_GP, 0]); // lgdt (%rbx)
    poke(small.machine, DATA, 0x77n);
    poke(small.machine, DATA + 8, 0n);
    expect(outcome(small, '0f011b')).toEqual([]); // lidt (%rbx)
    expect([small.cpu.r[GDTR_LIMIT], small.cpu.r[IDTR_LIMIT]]).toEqual([0x9f, 0x77]);
    small.cpu.r[IDTR_LIMIT] = 0xfff;
    put64(small.machine, leafEntry(DATA + 0x1000), 0);
    for (const [at, cr2] of [
      [DATA + 0x1000, DATA + 0x1000],
      [DATA + 0xffe, DATA + 0x1000],
    ]) {
      const fresh = machineWithDescriptors();
      put64(fresh.machine, leafEntry(DATA + 0x1000), 0);
      setRegister(fresh.cpu, RBX, BigInt(at));
      expect(outcome(fresh, '0f0113')).toEqual([VEC_PF, 0]); // lgdt (%rbx)
      expect([fresh.cpu.r[CR2], fresh.cpu.r[GDTR_LIMIT]]).toEqual([vaLo(cr2), 0x9f]);
    }
  });
});

describe('LTR', () => {
  test.each([
    ['null', 3, [VEC_GP, 0]],
    ['a busy TSS', TSS_SELECTOR, [VEC_GP, TSS_SELECTOR]],
    ['data', 0x18, [VEC_GP, 0x18]],
    ['a TSS that is not present', ABSENT_TSS, [VEC_NP, ABSENT_TSS]],
    ['a TSS whose upper half is beyond the GDT', LAST_TSS, [VEC_GP, LAST_TSS]],
    ['what is beyond the GDT', 0xa0, [VEC_GP, 0xa0]],
  ])('of %s faults and loads nothing', (_name, selector, expected) => {
    const small = machineWithDescriptors();
    setRegister(small.cpu, RAX, BigInt(selector));
    expect(outcome(small, '0f00d8')).toEqual(expected); // ltr %ax
    expect(small.cpu.r[TR]).toBe(TSS_SELECTOR);
  });

  test('whose upper half is not mapped is a page fault of the processor’s own', () => {
    const small = machineWithDescriptors();
    const end = KERNEL + 0x51000;
    put64(small.machine, 0x51000 - 8, 0x67, 0x00008900);
    put64(small.machine, leafEntry(end), 0);
    setRegister(small.cpu, GDTR_BASE, BigInt(end - 8 - LAST_TSS));
    small.cpu.r[GDTR_LIMIT] = 0xa7;
    setRegister(small.cpu, RAX, BigInt(LAST_TSS));
    const fault = firstFault(small, '0f00d8'); // ltr %ax
    expect(fault).toMatchObject({ vector: VEC_PF, addressLo: vaLo(end), implicit: true });
    expect(small.cpu.r[TR]).toBe(TSS_SELECTOR);
  });

  test('loads base and limit, and writes to the GDT: a read-only one is a page fault', () => {
    const small = machineWithDescriptors();
    small.cpu.r[GDTR_LIMIT] = 0xa7;
    put64(small.machine, GDT + LAST_TSS, 0x56780067, 0x12008934);
    put64(small.machine, GDT + LAST_TSS + 8, -1);
    put64(small.machine, leafEntry(KERNEL + GDT), GDT | 1);
    setRegister(small.cpu, RAX, BigInt(LAST_TSS));
    expect(outcome(small, '0f00d8')).toEqual([VEC_PF, 3]); // ltr %ax
    put64(small.machine, leafEntry(KERNEL + GDT), GDT | 3);
    small.cpu.tlb.flushAll();
    expect(outcome(small, '0f00d8')).toEqual([]); // ltr %ax
    const { r } = small.cpu;
    expect([r[TR], r[TR_BASE], r[TR_BASE + 1], r[TR_LIMIT]]).toEqual([LAST_TSS, 0x12345678, -1, 0x67]);
  });
});
