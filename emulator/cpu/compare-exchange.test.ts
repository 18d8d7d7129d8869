/**
 * Promise: CMPXCHG8B and CMPXCHG16B compare and exchange as the manual says, change no flag but ZF, and fault whole.
 */
import { CR2, RAX, RBX, RCX, RDX, RSI, RSP } from '../registers';
import { RETIRED } from '../step-result';
import { expectFault, expectPageFault } from '../testing/expectations';
import { fullPlatform } from '../testing/full-platform';
import {
  KERNEL,
  KERNEL_STACK,
  kernelAt,
  leafEntry,
  peek,
  physical,
  poke,
  put64,
  setFlags,
  setRegister,
  smallMachine,
} from '../testing/small-machine';

const AT = KERNEL + 0x50000;
const ALL_FLAGS = 0xcd5,
  ZF = 0x40;
const small = smallMachine(1, fullPlatform());
const { cpu, machine } = small;

function prepare(hex: string, at: number, registers: [number, bigint][]): void {
  kernelAt(small, hex);
  setRegister(cpu, RSI, at);
  setRegister(cpu, RSP, KERNEL_STACK);
  for (const [register, value] of registers) setRegister(cpu, register, value);
}

const CMPXCHG8B = 'f00fc70e'; // lock cmpxchg8b (%rsi)
const CMPXCHG16B = 'f0480fc70e'; // lock cmpxchg16b (%rsi)

test('CMPXCHG8B stores ecx:ebx where memory is edx:eax, whatever the upper halves hold', () => {
  for (const flags of [0, ALL_FLAGS]) {
    poke(machine, AT, 0x1111111122222222n);
    const equal: [number, bigint][] = [
      [RAX, 0xffffffff22222222n],
      [RDX, 0xffffffff11111111n],
      [RBX, 0xffffffff44444444n],
      [RCX, 0xffffffff33333333n],
    ];
    prepare(CMPXCHG8B, AT, equal);
    setFlags(cpu, flags);
    expect(machine.step(0)).toBe(RETIRED);
    expect([peek(machine, AT), cpu.rflags() & ALL_FLAGS]).toEqual([0x3333333344444444n, flags | ZF]);
    expect(cpu.get64(RAX)).toBe(0xffffffff22222222n);
  }
});

test('CMPXCHG8B loads edx:eax where they differ, and clears their upper halves', () => {
  poke(machine, AT, 0x1111111122222222n);
  prepare(CMPXCHG8B, AT, [
    [RAX, 0xffffffff22222222n],
    [RDX, 0xffffffff11111112n],
  ]);
  setFlags(cpu, ALL_FLAGS);
  expect(machine.step(0)).toBe(RETIRED);
  expect([peek(machine, AT), cpu.get64(RAX), cpu.get64(RDX)]).toEqual([0x1111111122222222n, 0x22222222n, 0x11111111n]);
  expect(cpu.rflags() & ALL_FLAGS).toBe(ALL_FLAGS & ~ZF);
});

test('CMPXCHG16B compares and exchanges 16 bytes; any of the four words makes them differ', () => {
  const old = [0x1111111122222222n, 0x3333333344444444n] as const;
  for (const [low, high] of [
    [0n, 0n],
    [1n, 0n],
    [1n << 32n, 0n],
    [0n, 1n],
    [0n, 1n << 32n],
  ]) {
    poke(machine, AT, old[0]);
    poke(machine, AT + 8, old[1]);
    prepare(CMPXCHG16B, AT, [
      [RAX, old[0] ^ low],
      [RDX, old[1] ^ high],
      [RBX, 5n],
      [RCX, 6n],
    ]);
    expect(machine.step(0)).toBe(RETIRED);
    const equal = (low | high) === 0n;
    expect([peek(machine, AT), peek(machine, AT + 8)]).toEqual(equal ? [5n, 6n] : [...old]);
    expect([cpu.get64(RAX), cpu.get64(RDX), (cpu.rflags() & ZF) !== 0]).toEqual([...old, equal]);
  }
});

test('CMPXCHG16B off a boundary of 16 bytes is #GP(0)', () => {
  prepare(CMPXCHG16B, AT + 8, []);
  expectFault(small, 13, 0);
});

test('memory has to be writable even where nothing is exchanged', () => {
  put64(machine, leafEntry(AT + 0x1000), physical(AT + 0x1000) | 1);
  for (const hex of [CMPXCHG8B, CMPXCHG16B]) {
    prepare(hex, AT + 0x1000, [[RAX, 1n]]);
    expectPageFault(small, machine.step(0), 3);
    expect([cpu.get64(RAX), cpu.get64(CR2)]).toEqual([1n, BigInt.asUintN(64, BigInt(AT + 0x1000))]);
  }
});
