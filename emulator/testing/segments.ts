/**
 * A small machine with descriptors of every kind in its GDT, and one step of it: for the tests of segment instructions.
 */
import type { Fault } from '../observer';
import { CPL, CS, GDTR_LIMIT, RSP } from '../registers';
import { FAULTED } from '../step-result';
import {
  KERNEL,
  KERNEL_CS,
  KERNEL_STACK,
  kernelAt,
  observe,
  put64,
  type SmallMachine,
  setFlags,
  setRegister,
  smallMachine,
  userAt,
} from './small-machine';

export const GDT = 0x10000;
export const DATA = KERNEL + 0x50000;
/** Selectors of descriptors that `machineWithDescriptors` adds to the GDT of the small machine. */
export const NOT_PRESENT = 0x50,
  EXECUTE_ONLY = 0x58,
  CONFORMING = 0x60,
  READ_ONLY = 0x68,
  BASED = 0x70,
  CALL_GATE = 0x78,
  ABSENT_CODE = 0x80,
  ABSENT_TSS = 0x88,
  LAST_TSS = 0x98;

export function machineWithDescriptors(): SmallMachine {
  const small = smallMachine();
  for (const [selector, lo, hi] of [
    [NOT_PRESENT, 0xffff, 0x00cf7300],
    [EXECUTE_ONLY, 0xffff, 0x00aff900],
    [CONFORMING, 0xffff, 0x00af9f00],
    [READ_ONLY, 0xffff, 0x00cff100],
    [BASED, 0x56781000, 0x124ff334],
    [CALL_GATE, 0, 0x0000ec00],
    [ABSENT_CODE, 0xffff, 0x00af1b00],
    [ABSENT_TSS, 0x67, 0x00000900],
    [LAST_TSS, 0x67, 0x00008900],
  ])
    put64(small.machine, GDT + selector, lo, hi);
  small.cpu.r[GDTR_LIMIT] = 0x9f;
  return small;
}

/** One step at that CPL; the vector and error code of its fault, or nothing. */
export function outcome(small: SmallMachine, hex: string, cpl = 0): number[] {
  if (cpl === 3) userAt(small, hex);
  else {
    small.cpu.r[CPL] = 0;
    small.cpu.r[CS] = KERNEL_CS;
    small.cpu.refresh();
    kernelAt(small, hex);
    setRegister(small.cpu, RSP, BigInt(KERNEL_STACK));
  }
  setFlags(small.cpu, 0);
  const result = small.machine.step(0);
  return result === FAULTED ? [small.cpu.event.vector, small.cpu.event.error] : [];
}

/** What an observer is told first about the instruction, also when its delivery fails. */
export function firstFault(small: SmallMachine, hex: string): Fault | undefined {
  let first: Fault | undefined;
  observe(small, {
    faulted: (_cpu, fault) => {
      first ??= { ...fault };
    },
  });
  kernelAt(small, hex);
  small.machine.step(0);
  return first;
}
