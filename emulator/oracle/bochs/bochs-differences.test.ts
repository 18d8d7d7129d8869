import { setRflags } from '../../cpu/outcome';
import {
  CR4,
  CR4_SMAP,
  EFLAGS,
  FLAG_AC,
  FLAG_RF,
  FLAG_TF,
  R11,
  RBX,
  RCX,
  RDI,
  RDX,
  RSI,
  RSP,
  SS,
  VEC_DF,
  VEC_NMI,
} from '../../registers';
import {
  handlerOf,
  KERNEL,
  KERNEL_STACK,
  kernelAt,
  poke,
  type SmallMachine,
  setGate,
  setRegister,
  smallMachine,
  USER,
  USER_STACK,
  userAt,
} from '../../testing/small-machine';
import type { Difference } from '../accepted-differences';
import { ObservedCpu } from '../observed-cpu';
import { OtherState } from '../other-state';
import { BOCHS_DIVERGENCES, BOCHS_MEMORY, BOCHS_REGISTERS } from './bochs-differences';

const CODE = 0xffffffff81020000n;
const NON_CANONICAL = 0x9000_0000_0000_0000n;
const FRAME = KERNEL + 0x50000;
const handler = (vector: number) => BigInt.asUintN(64, BigInt(handlerOf(vector)));

type Prepare = (small: SmallMachine) => void;

/** The last of so many steps, counted from where the preparation ends. */
function stepAfter(prepare: Prepare, steps = 1, between: Prepare = () => undefined): ObservedCpu {
  const small = smallMachine();
  prepare(small);
  const observed = new ObservedCpu(small.machine);
  for (let n = 0; n < steps; n++) {
    observed.step();
    if (n === 0) between(small);
  }
  return observed;
}

const register = (name: string, ours: bigint, theirs: bigint): Difference => ({ kind: 'register', name, ours, theirs });
const nameOfRegister = (step: ObservedCpu, difference: Difference) =>
  BOCHS_REGISTERS.find(({ explains }) => explains(step, difference))?.name;
const nameOfMemory = (step: ObservedCpu, pa: number, ours: number, theirs: number) =>
  BOCHS_MEMORY.find(({ after }) => after(step)?.({ kind: 'memory', pa, ours, theirs }))?.name;
const nameOfDivergence = (step: ObservedCpu, ...differences: Difference[]) =>
  BOCHS_DIVERGENCES.find(({ explains }) => explains(step, new OtherState(step, differences)))?.name;

const iretq =
  (...words: bigint[]): Prepare =>
  (small) => {
    kernelAt(small, '48cf'); // iretq
    setRegister(small.cpu, RSP, BigInt(FRAME));
    for (const [i, word] of words.entries()) poke(small.machine, FRAME + 8 * i, word);
  };

test('accessed-after-walk is one accessed flag, after a #PF', () => {
  const faulting = stepAfter((small) => {
    userAt(small, '488b13'); // mov (%rbx),%rdx
    setRegister(small.cpu, RBX, BigInt(KERNEL));
  });
  expect(nameOfMemory(faulting, 0x1000, 0x2023, 0x2003)).toBe('accessed-after-walk');
  expect(nameOfMemory(faulting, 0x1000, 0x2003, 0x2023)).toBeUndefined();
  expect(nameOfMemory(faulting, 0x1000, 0x2063, 0x2003)).toBeUndefined();
  expect(
    nameOfMemory(
      stepAfter((small) => kernelAt(small, '90')),
      0x1000,
      0x2023,
      0x2003,
    ),
  ).toBeUndefined();
});

test('accessed-bit-of-frame is one accessed flag, after an IRET with a bad CS', () => {
  const bad = stepAfter(iretq(BigInt(KERNEL), 2n, 2n, BigInt(KERNEL_STACK), 0x18n));
  expect(nameOfMemory(bad, 0x4068, 0xd023, 0xd003)).toBe('accessed-bit-of-frame');
  expect(nameOfMemory(bad, 0x4068, 0xd063, 0xd003)).toBeUndefined();
  const good = stepAfter(iretq(BigInt(KERNEL), 0x10n, 2n, BigInt(KERNEL_STACK), 0x18n));
  expect(nameOfMemory(good, 0x4068, 0xd023, 0xd003)).toBeUndefined();
});

test('frame-before-gate-offset is on a stack, or flags of its page, after a gate to a non-canonical offset', () => {
  const bad = stepAfter((small) => {
    kernelAt(small, 'cd20'); // int $0x20
    poke(small.machine, KERNEL + 0x11000 + 0x208, 0x90000000n);
  });
  expect(nameOfMemory(bad, 0xdfd8, 0, 0x10)).toBe('frame-before-gate-offset');
  expect(nameOfMemory(bad, 0x4068, 0xd003, 0xd063)).toBe('frame-before-gate-offset');
  expect(nameOfMemory(bad, 0x4090, 0x12003, 0x12063)).toBeUndefined();
  expect(nameOfMemory(bad, 0x12000, 0, 1)).toBeUndefined();
  const good = stepAfter((small) => kernelAt(small, '0f0b')); // ud2
  expect(nameOfMemory(good, 0xdfd8, 0, 0x10)).toBeUndefined();
});

test('rip-of-first-fault-after-nmi is the address that the fault has saved', () => {
  const nmi: Prepare = (small) => {
    kernelAt(small, '90');
    small.machine.raiseNmi(0);
    small.machine.memory.writeBytes(handlerOf(VEC_NMI) - KERNEL, Buffer.from('0f0b', 'hex')); // ud2
  };
  const step = stepAfter(nmi, 2);
  const flags = step.pushedFlags as number;
  expect(nameOfMemory(step, flags - 16, 1, 2)).toBe('rip-of-first-fault-after-nmi');
  expect(nameOfMemory(step, flags, 1, 2)).toBeUndefined();
  const fault = stepAfter((small) => kernelAt(small, '900f0b'), 2); // nop; ud2
  expect(nameOfMemory(fault, (fault.pushedFlags as number) - 16, 1, 2)).toBeUndefined();
});

test('stack-fault-names-selector is SS in the error code of a #SS of a delivery', () => {
  const nmi: Prepare = (small) => {
    kernelAt(small, '90');
    setGate(small.machine, VEC_NMI, handlerOf(VEC_NMI) - KERNEL, 1);
    poke(small.machine, KERNEL + 0x12024, NON_CANONICAL);
    small.machine.raiseNmi(0);
  };
  const step = stepAfter(nmi);
  const error = step.pushedError as number;
  const selector = step.before[SS] & ~3;
  expect(nameOfMemory(step, error, 1, selector | 1)).toBe('stack-fault-names-selector');
  expect(nameOfMemory(step, error, 1, selector)).toBeUndefined();
  expect(nameOfMemory(step, error + 8, 1, selector | 1)).toBeUndefined();
});

test('frame-is-read-in-another-order is CR2 after an IRET whose frame is not there', () => {
  const step = stepAfter((small) => {
    kernelAt(small, '48cf'); // iretq
    setRegister(small.cpu, RSP, BigInt(USER_STACK));
    small.cpu.r[CR4] |= CR4_SMAP;
  });
  const first = BigInt(USER_STACK);
  expect(nameOfRegister(step, register('cr2', first, first + 16n))).toBe('frame-is-read-in-another-order');
  expect(nameOfRegister(step, register('cr2', first, first + 8n))).toBeUndefined();
  expect(nameOfRegister(step, register('rax', first, first + 16n))).toBeUndefined();
});

test('frame-on-user-page is a #PF of a frame with SMAP=1 and AC=1', () => {
  const push =
    (flags: number): Prepare =>
    (small) => {
      kernelAt(small, 'cd20'); // int $0x20
      setRegister(small.cpu, RSP, BigInt(USER_STACK));
      small.cpu.r[CR4] |= CR4_SMAP;
      setRflags(small.cpu, flags);
      setGate(small.machine, VEC_DF, handlerOf(VEC_DF) - KERNEL, 1);
    };
  expect(nameOfDivergence(stepAfter(push(FLAG_AC | 2)))).toBe('frame-on-user-page');
  expect(nameOfDivergence(stepAfter(push(2)))).toBeUndefined();
});

test('rf-in-repetition is RF alone, between two iterations', () => {
  const between = stepAfter((small) => {
    kernelAt(small, 'f348a5'); // rep movsq
    setRegister(small.cpu, RCX, 2n);
    setRegister(small.cpu, RSI, BigInt(FRAME));
    setRegister(small.cpu, RDI, BigInt(FRAME));
  });
  expect(nameOfRegister(between, register('eflags', 0x10002n, 2n))).toBe('rf-in-repetition');
  expect(nameOfRegister(between, register('eflags', 0x10003n, 2n))).toBeUndefined();
  expect(nameOfRegister(between, register('rax', 0x10002n, 2n))).toBeUndefined();
  const other = stepAfter((small) => kernelAt(small, '90'));
  expect(nameOfRegister(other, register('eflags', 0x10002n, 2n))).toBeUndefined();
});

const sysret =
  (flags: bigint): Prepare =>
  (small) => {
    kernelAt(small, '480f07'); // sysretq
    setRegister(small.cpu, RCX, BigInt(USER));
    setRegister(small.cpu, R11, flags);
  };

test('sysret-loads-rf is RF alone, after SYSRET', () => {
  const step = stepAfter(sysret(BigInt(FLAG_RF | 2)));
  expect(step.cpu.r[EFLAGS] & FLAG_RF).toBe(0);
  expect(nameOfRegister(step, register('eflags', 2n, 0x10002n))).toBe('sysret-loads-rf');
  expect(nameOfRegister(step, register('eflags', 2n, 0x10003n))).toBeUndefined();
});

test('trap-after-sysret is a SYSRET that has changed TF', () => {
  expect(nameOfDivergence(stepAfter(sysret(BigInt(FLAG_TF | 2)), 2))).toBe('trap-after-sysret');
  expect(nameOfDivergence(stepAfter(sysret(2n), 2))).toBeUndefined();
  const traced =
    (flags: bigint): Prepare =>
    (small) => {
      sysret(flags)(small);
      setRflags(small.cpu, FLAG_TF | 2);
    };
  expect(nameOfDivergence(stepAfter(traced(2n), 2))).toBe('trap-after-sysret');
  expect(nameOfDivergence(stepAfter(traced(BigInt(FLAG_TF | 2)), 2))).toBeUndefined();
  const nop: Prepare = (small) => {
    kernelAt(small, '9090');
    setRflags(small.cpu, FLAG_TF | 2);
  };
  expect(nameOfDivergence(stepAfter(nop, 2))).toBeUndefined();
});

test('nmi-in-sti-shadow is an NMI directly after STI', () => {
  const raise: Prepare = ({ machine }) => machine.raiseNmi(0);
  expect(nameOfDivergence(stepAfter((small) => kernelAt(small, 'fb90'), 3, raise))).toBe('nmi-in-sti-shadow');
  expect(nameOfDivergence(stepAfter((small) => kernelAt(small, '9090'), 3, raise))).toBeUndefined();
});

test('fmask-not-checked is a WRMSR of bits 63:32 that Bochs has executed', () => {
  const wrmsr =
    (msr: bigint): Prepare =>
    (small) => {
      kernelAt(small, '0f30'); // wrmsr
      setRegister(small.cpu, RCX, msr);
      setRegister(small.cpu, RDX, 0x90000000n);
    };
  const executed = register('rip', handler(13), CODE + 2n);
  expect(nameOfDivergence(stepAfter(wrmsr(0xc0000084n)), executed)).toBe('fmask-not-checked');
  expect(nameOfDivergence(stepAfter(wrmsr(0xc0000082n)), executed)).toBeUndefined();
  expect(nameOfDivergence(stepAfter(wrmsr(0xc0000084n)), register('rip', handler(13), CODE))).toBeUndefined();
});

test('iret-ss-null is an IRET of which Bochs has the NULL selector', () => {
  const step = stepAfter(iretq(BigInt(KERNEL), 0x10n, 2n, BigInt(KERNEL_STACK), 3n));
  expect(nameOfDivergence(step, register('ss', 0x18n, 3n))).toBe('iret-ss-null');
  expect(nameOfDivergence(step, register('ss', 0x18n, 0x2bn))).toBeUndefined();
});

test('iret-ss-not-present is the #SS of IRET, not its other faults', () => {
  const frame = iretq(BigInt(USER), 0x33n, 2n, BigInt(USER_STACK), 0x2bn);
  const absent: Prepare = (small) => {
    frame(small);
    poke(small.machine, KERNEL + 0x10028, 0x00cf73000000ffffn);
  };
  expect(nameOfDivergence(stepAfter(absent))).toBe('iret-ss-not-present');
  const bad = iretq(BigInt(USER), 0x33n, 2n, BigInt(USER_STACK), 0x23n);
  expect(nameOfDivergence(stepAfter(bad))).toBeUndefined();
});

test('every row has a name of its own and says where the manual stands, and why', () => {
  const rows = [...BOCHS_REGISTERS, ...BOCHS_MEMORY, ...BOCHS_DIVERGENCES];
  expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length);
  for (const row of rows) {
    expect(row.section).toMatch(/SDM vol\. \d/);
    expect(row.why.length).toBeGreaterThan(20);
    expect(row.smallestInput).not.toBe('');
  }
});
