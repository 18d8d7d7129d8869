/** Promise: the state of FPU and SSE is saved and restored to the byte, and faults leave it and memory as they were. */
import { X_FPU } from '../extended-state';
import { CR0, CR0_EM, CR0_MP, CR0_TS, RBX, RSP } from '../registers';
import { RETIRED } from '../step-result';
import { expectFault, expectPageFault } from '../testing/expectations';
import { fullPlatform } from '../testing/full-platform';
import {
  KERNEL,
  KERNEL_STACK,
  kernelAt,
  leafEntry,
  physical,
  put64,
  type SmallMachine,
  setRegister,
  smallMachine,
} from '../testing/small-machine';
import { resetFpu } from './fpu';

const IMAGE = KERNEL + 0x50000;
const FXSAVE64 = '480fae03'; // fxsave64 (%rbx)
const FXRSTOR64 = '480fae0b'; // fxrstor64 (%rbx)

function prepared(hex: string, at = IMAGE): SmallMachine {
  const small = smallMachine(1, fullPlatform());
  resetFpu(small.cpu.x);
  place(small, hex, at);
  return small;
}

function place(small: SmallMachine, hex: string, at = IMAGE): void {
  kernelAt(small, hex);
  setRegister(small.cpu, RBX, at);
  setRegister(small.cpu, RSP, KERNEL_STACK);
}

const words = (small: SmallMachine, at = IMAGE) =>
  Array.from({ length: 128 }, (_, i) => small.machine.memory.read32(physical(at) + 4 * i));

test('FXSAVE64 writes the first 416 bytes, MXCSR_MASK among them, and leaves the rest to software', () => {
  const small = prepared(FXSAVE64);
  for (let i = 0; i < 128; i++) small.machine.memory.write32((physical(IMAGE) >>> 2) + i, 0x77777777);
  expect(small.machine.step(0)).toBe(RETIRED);
  const saved = words(small);
  expect([saved[0], saved[6], saved[7]]).toEqual([0x37f, 0x1f80, 0xffff]);
  expect([...new Set(saved.slice(8, 104))]).toEqual([0]);
  expect([...new Set(saved.slice(104))]).toEqual([0x77777777]);
});

test('what FXRSTOR64 loads FXSAVE64 saves, and a rollback takes back', () => {
  const small = prepared(FXRSTOR64);
  const { memory } = small.machine;
  for (let i = 0; i < 104; i++) memory.write32((physical(IMAGE) >>> 2) + i, 0x1000 + i);
  const before = small.machine.fingerprint();
  const mark = small.machine.mark();
  expect(small.machine.step(0)).toBe(RETIRED);
  place(small, FXSAVE64, IMAGE + 0x400);
  expect(small.machine.step(0)).toBe(RETIRED);
  const saved = words(small, IMAGE + 0x400);
  expect(saved.slice(0, 104)).toEqual(words(small).slice(0, 104).with(7, 0xffff));
  small.machine.rollback(mark);
  expect([small.cpu.x[X_FPU], small.cpu.x[X_FPU + 8], small.machine.fingerprint()]).toEqual([0x37f, 0, before]);
});

test('FXRSTOR with a reserved bit of MXCSR is #GP(0), and loads nothing', () => {
  const small = prepared(FXRSTOR64);
  small.machine.memory.write32((physical(IMAGE) >>> 2) + 6, 0x10000);
  expectFault(small, 13, 0);
  expect(small.cpu.x[X_FPU]).toBe(0x37f);
});

test('an image off a boundary of 16 bytes is #GP(0)', () => {
  for (const hex of [FXSAVE64, FXRSTOR64]) expectFault(prepared(hex, IMAGE + 8), 13, 0);
});

test('an image whose second page is not there faults before a byte is written or loaded', () => {
  const at = IMAGE + 0x1000 - 0x100;
  for (const [hex, error] of [
    [FXSAVE64, 2],
    [FXRSTOR64, 0],
  ] as const) {
    const small = prepared(hex, at);
    put64(small.machine, leafEntry(IMAGE + 0x1000), 0);
    expectPageFault(small, small.machine.step(0), error);
    expect([...new Set(words(small, at).slice(0, 64))]).toEqual([0]);
    expect(small.cpu.x[X_FPU]).toBe(0x37f);
  }
});

test('FNINIT resets control, status, tags and pointers, FNCLEX the exceptions; neither touches a register', () => {
  const small = prepared('dbe2 dbe3'); // fnclex; fninit
  small.cpu.x.fill(-1, X_FPU, X_FPU + 104);
  small.machine.step(0);
  expect([small.cpu.x[X_FPU], small.cpu.x[X_FPU + 1]]).toEqual([0x7f00ffff, -1]);
  small.machine.step(0);
  expect([...small.cpu.x.slice(X_FPU, X_FPU + 9)]).toEqual([0x37f, 0, 0, 0, 0, 0, -1, -1, -1]);
});

test('WAIT is #MF for a pending exception that is not masked, and #NM while MP and TS are set', () => {
  const waiting = (word: number, cr0: number) => {
    const small = prepared('9b'); // fwait
    small.cpu.x[X_FPU] = word;
    small.cpu.r[CR0] = (small.cpu.r[CR0] & ~CR0_MP) | cr0;
    return small;
  };
  expectFault(waiting(0x0001037e, 0), 16);
  expectFault(waiting(0x37f, CR0_MP | CR0_TS), 7);
  for (const [word, cr0] of [
    [0x0001037f, 0],
    [0x37f, CR0_TS],
    [0x37f, CR0_MP],
  ])
    expect(waiting(word, cr0).machine.step(0)).toBe(RETIRED);
});

test.each([
  ['fxsave64 (%rbx)', FXSAVE64],
  ['fxrstor64 (%rbx)', FXRSTOR64],
  ['fninit', 'dbe3'],
  ['fnclex', 'dbe2'],
])('%s is #NM while CR0.TS or CR0.EM is set', (_name, hex) => {
  for (const bit of [CR0_TS, CR0_EM]) {
    const small = prepared(hex);
    small.cpu.r[CR0] |= bit;
    expectFault(small, 7);
  }
});
