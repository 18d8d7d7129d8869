/** Promise: where the manuals of Intel and AMD differ, a machine does what the one of its vendor says. */
import { GS, GS_BASE, R11, RCX, VEC_GP } from './registers';
import { RETIRED } from './step-result';
import { GUEST_PLATFORM } from './system/guest-platform';
import {
  handlerOf,
  KERNEL_CODE,
  kernelAt,
  peek,
  setRegister,
  smallMachine,
  USER_CS,
  userAt,
} from './testing/small-machine';
import { UnimplementedError } from './unimplemented';
import type { Vendor } from './vendor';

const NON_CANONICAL = 0x800000000000n;

const machineOf = (vendor: Vendor) => smallMachine(1, { ...GUEST_PLATFORM, vendor });

test('SYSRETQ to a non-canonical address: #GP at CPL 0 on Intel, at CPL 3 behind it on AMD', () => {
  const faultOf = (vendor: Vendor) => {
    const small = machineOf(vendor);
    const { cpu, machine } = small;
    kernelAt(small, '480f07'); // sysretq
    setRegister(cpu, RCX, NON_CANONICAL);
    setRegister(cpu, R11, 2n);
    for (let i = 0; i < 3 && cpu.rip() !== handlerOf(VEC_GP); i++) machine.step(0);
    // Of the frame: RIP and CS, behind the error code.
    return { rip: peek(machine, cpu.rsp() + 8), cs: peek(machine, cpu.rsp() + 16) };
  };
  expect(faultOf('intel')).toEqual({ rip: BigInt.asUintN(64, BigInt(KERNEL_CODE)), cs: 0x10n });
  expect(faultOf('amd')).toEqual({ rip: NON_CANONICAL, cs: BigInt(USER_CS) });
});

test('a null selector into GS: base 0 on Intel, the old base on AMD', () => {
  const baseAfter = (vendor: Vendor, hex: string) => {
    const small = machineOf(vendor);
    kernelAt(small, hex);
    setRegister(small.cpu, GS_BASE, 0x1234n);
    small.cpu.r[0] = 0;
    expect(small.machine.step(0)).toBe(RETIRED);
    expect(small.cpu.r[GS]).toBe(0);
    return small.cpu.get64(GS_BASE);
  };
  expect(baseAfter('intel', '8ee8')).toBe(0n); // mov %eax,%gs
  expect(baseAfter('amd', '8ee8')).toBe(0x1234n);
});

test('66h before a near branch: ignored on Intel, refused as 16-bit code on AMD', () => {
  const jump = (vendor: Vendor) => {
    const small = machineOf(vendor);
    userAt(small, '66e900000000'); // data16 jmp
    return small.machine.step(0);
  };
  expect(jump('intel')).toBe(RETIRED);
  expect(() => jump('amd')).toThrow(UnimplementedError);
});
