/**
 * Promise: IOPL or the I/O permission bitmap of the TSS lets code use a port, and an access has the width of its
 * operand.
 */
import { RAX, RDX, RSP, TR_LIMIT } from '../registers';
import { FAULTED, RETIRED } from '../step-result';
import { fullPlatform } from '../testing/full-platform';
import {
  KERNEL,
  KERNEL_STACK,
  kernelAt,
  poke,
  setFlags,
  setRegister,
  smallMachine,
  userAt,
} from '../testing/small-machine';

/** Of the small machine; its bitmap begins where the word at 66h says. */
const TSS = KERNEL + 0x12000;
const BITMAP = 0x68;

/** OUT of `size` bytes to a port by user code; the vector of its fault, or what the platform was told. */
function out(port: number, size: number, bitmap: readonly number[], limit = BITMAP + bitmap.length - 1): unknown {
  const platform = fullPlatform();
  const small = smallMachine(1, platform);
  poke(small.machine, TSS + 0x60, BigInt(BITMAP) << 48n);
  small.machine.memory.writeBytes(0x12000 + BITMAP, Uint8Array.from(bitmap));
  small.cpu.r[TR_LIMIT] = limit;
  userAt(small, size === 1 ? 'ee' : size === 2 ? '66ef' : 'ef'); // out
  setRegister(small.cpu, RDX, port);
  setRegister(small.cpu, RAX, 0x12345678n);
  return small.machine.step(0) === FAULTED ? small.cpu.event.vector : platform.written;
}

test('a port whose bit is 0 is for everybody, one whose bit is 1 for nobody above IOPL', () => {
  expect(out(0x0b, 1, [0, 0xf7, 0xff])).toEqual([[0x0b, 1, 0x78]]);
  expect(out(0x0a, 1, [0, 0xf7, 0xff])).toBe(13);
});

test('all ports of a wide access have to be allowed, over the end of a byte of the bitmap, too', () => {
  expect(out(6, 4, [0x3f, 0xfc, 0xff])).toEqual([[6, 4, 0x12345678]]);
  expect(out(6, 2, [0x3f, 0xfd, 0xff])).toEqual([[6, 2, 0x5678]]);
  expect(out(7, 2, [0x3f, 0xfd, 0xff])).toBe(13);
});

test('a port whose bit, or the byte after it, lies beyond the limit is #GP(0); so is any without a bitmap', () => {
  expect([out(8, 1, [0, 0, 0]), out(16, 1, [0, 0, 0])]).toEqual([[[8, 1, 0x78]], 13]);
  expect([out(0, 1, [], 0x67), out(0, 1, [], 0x60)]).toEqual([13, 13]);
});

test('IOPL lets code use every port without a look at the TSS', () => {
  const platform = fullPlatform();
  const small = smallMachine(1, platform);
  small.cpu.r[TR_LIMIT] = 0;
  userAt(small, 'e680'); // out %al,$0x80
  setFlags(small.cpu, 0x3000);
  expect([small.machine.step(0), platform.written]).toEqual([RETIRED, [[0x80, 1, 0]]]);
});

test('IN reads as wide as its operand: one of 32 bits clears the upper half, a narrower one keeps what is above it', () => {
  const small = smallMachine(1, fullPlatform());
  for (const [hex, expected] of [
    ['ec', 0xffffffffffffff44n], // in %dx,%al
    ['66ed', 0xffffffffffff8888n], // in %dx,%ax
    ['ed', 0x11111110n], // in %dx,%eax
  ] as const) {
    kernelAt(small, hex);
    setRegister(small.cpu, RSP, KERNEL_STACK);
    setRegister(small.cpu, RAX, 0xffffffffffffffffn);
    setRegister(small.cpu, RDX, 0x44);
    expect(small.machine.step(0)).toBe(RETIRED);
    expect(small.cpu.get64(RAX)).toBe(expected);
  }
});
