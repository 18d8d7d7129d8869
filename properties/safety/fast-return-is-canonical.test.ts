/**
 * Promises of S17: whether a vector has an IST stack is asked of its gate. In the first instructions of SYSCALL rsp is
 * the user's, so an NMI whose gate names no IST stack is a violation there, and one whose gate names one is none. A
 * non-canonical return address is a violation on the processors whose SYSRET faults at CPL0.
 */
import { CPL, IDTR_BASE, RCX, VEC_NMI } from '../../emulator/registers';
import { GUEST_PLATFORM } from '../../emulator/system/guest-platform';
import { setRegister, smallMachine } from '../../emulator/testing/small-machine';
import { toVa } from '../../emulator/words';
import { designImage } from '../designs/images';
import { bootGuest, type Guest } from '../monitor/guest';
import { FAST_RETURN_IS_CANONICAL } from './fast-return-is-canonical';

const GATE_BYTES = 16;
/** The IST field of a gate is in its byte 4 (SDM Vol. 3A, 6.14.1). */
const IST_BYTE = 4;
/** Instructions of the user program before it calls the kernel, and more. */
const ENOUGH = 2000;

function booted(): Guest {
  const image = designImage('mainline');
  if (image === undefined) throw new Error('mainline is gone');
  return bootGuest(image, { cpus: 1, tasks: 1, mms: 1 });
}

/** Physical address of the byte of the NMI's gate that holds the IST field. */
function istByte({ machine, view }: Guest): number {
  const { r } = machine.cpus[0];
  return view.physical(toVa(r[IDTR_BASE], r[IDTR_BASE + 1]) + VEC_NMI * GATE_BYTES + IST_BYTE);
}

/** Violation of an NMI at the first instruction of SYSCALL, whose rsp is the user's. */
function nmiAtSyscall({ machine, monitor }: Guest) {
  machine.choose = () => 0;
  for (let i = 0; i < ENOUGH && machine.cpus[0].r[CPL] === 3; i++) machine.step(0);
  machine.raiseNmi(0);
  machine.step(0);
  return monitor.violation;
}

test("an NMI whose gate names an IST stack is no violation while rsp is the user's", () => {
  expect(nmiAtSyscall(booted())).toBeUndefined();
});

test('an NMI whose gate names no IST stack is delivered on the stack of the user: S17', () => {
  const guest = booted();
  guest.machine.memory.writeBytes(istByte(guest), Uint8Array.of(0));
  expect(nmiAtSyscall(guest)).toMatchObject({ property: FAST_RETURN_IS_CANONICAL.number });
});

test.each([
  ['intel', 0x7ffffffff000n, undefined],
  ['intel', 0x800000000000n, 'expected SYSRET to a canonical address, found a non-canonical RCX'],
  ['amd', 0x800000000000n, undefined],
] as const)('on a processor of %s, SYSRET to %i', (vendor, rcx, expected) => {
  const { cpu } = smallMachine(1, { ...GUEST_PLATFORM, vendor });
  setRegister(cpu, RCX, rcx);
  const { view, monitor } = booted();
  const { ghost, pages } = monitor;
  const scene = { view, ghost, pages, inDelivery: false, mayFaultAtIret: () => false };
  const { moments } = FAST_RETURN_IS_CANONICAL;
  const asked = typeof moments === 'function' ? moments(view) : moments;
  expect(asked.sysretReached?.(scene, cpu)).toBe(expected);
});
