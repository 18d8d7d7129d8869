/** Promise: what a processor says of itself and of time is the platform's answer, as wide as the manual says. */
import { X_SPEC_CTRL, X_TSC_AUX, X_TSC_DEADLINE } from '../extended-state';
import type { MsrRule } from '../platform';
import { CR4, RAX, RBX, RCX, RDX, RSP } from '../registers';
import { FAULTED, RETIRED } from '../step-result';
import { expectFault } from '../testing/expectations';
import { fullPlatform } from '../testing/full-platform';
import { KERNEL_STACK, kernelAt, type SmallMachine, setRegister, smallMachine, userAt } from '../testing/small-machine';

const ONES = 0xffffffffffffffffn;
const CR4_TSD = 4;

test('CPUID answers the leaf in eax and the subleaf in ecx, and clears the upper halves', () => {
  const small = smallMachine(1, fullPlatform());
  userAt(small, '0fa2'); // cpuid
  for (const register of [RAX, RBX, RCX, RDX]) setRegister(small.cpu, register, ONES);
  setRegister(small.cpu, RAX, 0xffffffff0000000bn);
  expect(small.machine.step(0)).toBe(RETIRED);
  expect([RAX, RBX, RCX, RDX].map((register) => small.cpu.get64(register))).toEqual([12n, 1n, 3n, 4n]);
});

test('RDTSC and RDTSCP read the clock into edx:eax, RDTSCP and RDPID also IA32_TSC_AUX', () => {
  const platform = fullPlatform();
  const small = smallMachine(1, platform);
  platform.time = 0x5_8000_0007;
  small.cpu.x[X_TSC_AUX] = 0x1001;
  for (const register of [RAX, RCX, RDX]) setRegister(small.cpu, register, ONES);
  kernelAt(small, '0f31 0f01f9 f30fc7f8'); // rdtsc; rdtscp; rdpid %rax
  expect(small.machine.step(0)).toBe(RETIRED);
  expect([RAX, RDX, RCX].map((register) => small.cpu.get64(register))).toEqual([0x80000007n, 5n, ONES]);
  expect(small.machine.step(0)).toBe(RETIRED);
  expect([RAX, RDX, RCX].map((register) => small.cpu.get64(register))).toEqual([0x80000007n, 5n, 0x1001n]);
  expect(small.machine.step(0)).toBe(RETIRED);
  expect(small.cpu.get64(RAX)).toBe(0x1001n);
});

test('CR4.TSD keeps user code, and nobody else, from the clock', () => {
  for (const hex of [
    '0f31', // rdtsc
    '0f01f9', // rdtscp
  ]) {
    const small = smallMachine(1, fullPlatform());
    small.cpu.r[CR4] |= CR4_TSD;
    kernelAt(small, hex);
    expect(small.machine.step(0)).toBe(RETIRED);
    userAt(small, hex);
    expectFault(small, 13, 0);
  }
});

test('XGETBV is #UD: CR4.OSXSAVE cannot be set', () => {
  const small = smallMachine(1, fullPlatform());
  kernelAt(small, '0f01d0'); // xgetbv
  expectFault(small, 6);
});

describe('MSRs of a platform', () => {
  const RULES = new Map<number, MsrRule>([
    [0x10, { kind: 'tsc' }],
    [0x1b, { kind: 'apic-base' }],
    [0x48, { kind: 'stored', word: X_SPEC_CTRL, writableLo: 7, writableHi: 0 }],
    [0x49, { kind: 'command', allowed: 1 }],
    [0x1a0, { kind: 'constant', lo: 1, hi: 2, write: 'ignored' }],
    [0xfe, { kind: 'constant', lo: 3, hi: 0, write: 'fault' }],
    [0x6e0, { kind: 'tsc-deadline' }],
  ]);
  const platform = fullPlatform(RULES);
  const small = smallMachine(2, platform);

  /** What RDMSR reads, or the vector of its fault. */
  function read(number: number, c = 0): number[] {
    return outcome('0f32', number, 0, 0, c) ?? [small.machine.cpus[c].r[RAX], small.machine.cpus[c].r[RDX]]; // rdmsr
  }

  function write(number: number, lo: number, hi = 0): number[] {
    return outcome('0f30', number, lo, hi, 0) ?? []; // wrmsr
  }

  function outcome(hex: string, number: number, lo: number, hi: number, c: number): number[] | undefined {
    const cpu = small.machine.cpus[c];
    const on: SmallMachine = { machine: small.machine, cpu };
    kernelAt(on, hex);
    setRegister(cpu, RCX, number);
    setRegister(cpu, RAX, lo);
    setRegister(cpu, RDX, hi);
    setRegister(cpu, RSP, KERNEL_STACK);
    return small.machine.step(c) === FAULTED ? [cpu.event.vector] : undefined;
  }

  test('one that is stored reads as it was written; a reserved bit is #GP(0)', () => {
    expect([write(0x48, 5), read(0x48), write(0x48, 8), write(0x48, 0, 1), read(0x48)]).toEqual([
      [],
      [5, 0],
      [13],
      [13],
      [5, 0],
    ]);
  });

  test('a command can be written, with the bits that it has, and never read', () => {
    expect([write(0x49, 1), write(0x49, 2), write(0x49, 1, 1), read(0x49)]).toEqual([[], [13], [13], [13]]);
  });

  test('a constant reads the same whatever is written', () => {
    expect([write(0x1a0, 7, 7), read(0x1a0), write(0xfe, 3), read(0xfe)]).toEqual([[], [1, 2], [13], [3, 0]]);
  });

  test('the base of the local APIC names CPU 0 as the one that boots', () => {
    expect([read(0x1b, 0), read(0x1b, 1), write(0x1b, 0)]).toEqual([[0xfee00900 | 0, 0], [0xfee00800 | 0, 0], [13]]);
  });

  test('the clock can be read and not written; a deadline is told to the platform', () => {
    platform.time = 2 ** 40 + 3;
    const told: number[] = [];
    platform.deadlineWritten = (cpu) => told.push(cpu.index);
    expect([read(0x10), write(0x10, 0), write(0x6e0, 9, 1), read(0x6e0), told]).toEqual([
      [3, 256],
      [13],
      [],
      [9, 1],
      [0],
    ]);
    expect(small.cpu.x[X_TSC_DEADLINE]).toBe(9);
  });

  test('one that is in no table is #GP(0) where the platform says so', () => {
    expect([read(0x345), write(0x345, 0)]).toEqual([[13], [13]]);
  });
});
