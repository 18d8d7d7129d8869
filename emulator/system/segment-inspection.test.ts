import type { Fault } from '../observer';
import { CR4, CR4_UMIP, CS, FLAG_ZF, GDTR_BASE, RAX, RBX, RSP, VEC_GP, VEC_NP, VEC_PF, VEC_SS } from '../registers';
import { FAULTED } from '../step-result';
import { fullPlatform } from '../testing/full-platform';
import {
  ABSENT_CODE,
  BASED,
  CALL_GATE,
  CONFORMING,
  DATA,
  EXECUTE_ONLY,
  firstFault,
  machineWithDescriptors,
  outcome,
  READ_ONLY,
} from '../testing/segments';
import {
  KERNEL_CODE,
  KERNEL_STACK,
  kernelAt,
  observe,
  poke,
  type SmallMachine,
  setRegister,
  smallMachine,
  USER,
} from '../testing/small-machine';
import { UnimplementedError } from '../unimplemented';

describe('LSL, LAR, VERR and VERW', () => {
  /** Limit and access rights or nothing, readable, writable, at CPL 3. */
  test.each([
    ['null', 3, undefined, undefined, false, false],
    ['user data', 0x2b, 0xffffffffn, 0xc0f300n, true, true],
    ['read-only data', READ_ONLY | 3, 0xffffffffn, 0xc0f100n, true, false],
    ['user code', 0x33, 0xffffffffn, 0xa0fb00n, true, false],
    ['execute-only code', EXECUTE_ONLY | 3, 0xffffffffn, 0xa0f900n, false, false],
    ['conforming code of ring 0', CONFORMING | 3, 0xffffffffn, 0xa09f00n, true, false],
    ['kernel data', 0x1b, undefined, undefined, false, false],
    ['a byte-granular limit', BASED | 3, 0xf1000n, 0x40f300n, true, true],
    ['a call gate', CALL_GATE | 3, undefined, 0xec00n, false, false],
    ['an LDT that does not exist', 0x2f, undefined, undefined, false, false],
    ['what is beyond the GDT', 0xa3, undefined, undefined, false, false],
  ])('of %s', (_name, selector, limit, rights, readable, writable) => {
    const small = machineWithDescriptors();
    const value = (hex: string) => {
      setRegister(small.cpu, RBX, 0xffffffffffffffffn);
      setRegister(small.cpu, RAX, BigInt(selector));
      expect(outcome(small, hex, 3)).toEqual([]);
      const visible = (small.cpu.rflags() & FLAG_ZF) !== 0;
      if (!visible) expect(small.cpu.get64(RBX)).toBe(0xffffffffffffffffn);
      return [visible, small.cpu.get64(RBX)] as const;
    };
    const [hasLimit, found] = value('0f03d8'); // lsl %ax,%ebx
    expect(hasLimit ? found : undefined).toBe(limit);
    const [hasRights, access] = value('0f02d8'); // lar %ax,%ebx
    expect(hasRights ? access : undefined).toBe(rights);
    const [isReadable] = value('0f00e0'); // verr %ax
    const [isWritable] = value('0f00e8'); // verw %ax
    expect([isReadable, isWritable]).toEqual([readable, writable]);
  });
});

describe('LRETQ', () => {
  const returnTo = (small: SmallMachine, rip: bigint, cs: number): number[] => {
    kernelAt(small, '48cb'); // lretq
    poke(small.machine, KERNEL_STACK - 64, rip);
    poke(small.machine, KERNEL_STACK - 56, BigInt(cs));
    setRegister(small.cpu, RSP, BigInt(KERNEL_STACK - 64));
    return small.machine.step(0) === FAULTED ? [small.cpu.event.vector, small.cpu.event.error] : [];
  };
  const TARGET = BigInt.asUintN(64, BigInt(KERNEL_CODE + 0x100));

  test('to the same CPL loads CS and RIP and releases 16 bytes', () => {
    const small = machineWithDescriptors();
    expect(returnTo(small, TARGET, 8)).toEqual([]);
    expect([small.cpu.r[CS], small.cpu.rip(), small.cpu.rsp()]).toEqual([8, KERNEL_CODE + 0x100, KERNEL_STACK - 48]);
  });

  test.each([
    ['a null CS', 0, TARGET, [VEC_GP, 0]],
    ['data', 0x18, TARGET, [VEC_GP, 0x18]],
    ['what is beyond the GDT', 0xa0, TARGET, [VEC_GP, 0xa0]],
    ['code that is not present', ABSENT_CODE, TARGET, [VEC_NP, ABSENT_CODE]],
    ['a non-canonical RIP', 8, 1n << 47n, [VEC_GP, 0]],
    ['data and a non-canonical RIP', 0x18, 1n << 47n, [VEC_GP, 0x18]],
  ])('to %s faults', (_name, cs, rip, expected) => {
    expect(returnTo(machineWithDescriptors(), rip, cs)).toEqual(expected);
  });

  test('with a CS in a GDT that is not mapped is a page fault of the processor’s own', () => {
    const small = machineWithDescriptors();
    setRegister(small.cpu, GDTR_BASE, 0x7000_0000n);
    const faults: Fault[] = [];
    observe(small, { faulted: (_cpu, fault) => faults.push({ ...fault }) });
    returnTo(small, TARGET, 0x10);
    expect(faults[0]).toMatchObject({ vector: VEC_PF, addressLo: 0x70000010, implicit: true });
  });

  test('to another CPL or mode is not implemented; a bad stack is #SS or #PF', () => {
    const small = machineWithDescriptors();
    expect(() => returnTo(small, TARGET, 0x33)).toThrow(UnimplementedError);
    setRegister(small.cpu, RSP, 1n << 60n);
    expect(firstFault(small, '48cb')).toMatchObject({ vector: VEC_SS, error: 0 }); // lretq
    const other = machineWithDescriptors();
    setRegister(other.cpu, RSP, 0x7000_0000n);
    expect(firstFault(other, '48cb')).toMatchObject({ vector: VEC_PF, error: 0, addressLo: 0x70000008 }); // lretq
  });
});

test('CR4.UMIP makes SGDT, SIDT, STR and SLDT #GP(0) for user code, and for nobody else', () => {
  const small = smallMachine(1, fullPlatform());
  for (const hex of [
    '0f0103', // sgdt (%rbx)
    '0f010b', // sidt (%rbx)
    '0f00c8', // str %eax
    '0f00c0', // sldt %eax
  ]) {
    for (const [umip, cpl, expected] of [
      [0, 3, []],
      [CR4_UMIP, 0, []],
      [CR4_UMIP, 3, [VEC_GP, 0]],
    ] as const) {
      setRegister(small.cpu, RBX, cpl === 3 ? USER + 0x4000 : DATA);
      small.cpu.r[CR4] = (small.cpu.r[CR4] & ~CR4_UMIP) | umip;
      expect([hex, outcome(small, hex, cpl)]).toEqual([hex, expected]);
    }
  }
});
