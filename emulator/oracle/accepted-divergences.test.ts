import { setRflags } from '../cpu/outcome';
import {
  CR0,
  CR0_AM,
  CR4,
  CR4_FSGSBASE,
  FLAG_AC,
  FLAG_IF,
  FLAG_TF,
  R11,
  RAX,
  RBX,
  RCX,
  RDX,
  RSP,
  VEC_DF,
  VEC_GP,
  VEC_NMI,
  VEC_NP,
  VEC_PF,
  VEC_TS,
  VEC_UD,
} from '../registers';
import {
  handlerOf,
  KERNEL,
  kernelAt,
  leafEntry,
  poke,
  type SmallMachine,
  setGate,
  setRegister,
  smallMachine,
  USER,
  USER_STACK,
  userAt,
} from '../testing/small-machine';
import type { Difference } from './accepted-differences';
import { ACCEPTED_DIVERGENCES, explainDivergence } from './accepted-divergences';
import { ObservedCpu } from './observed-cpu';

const NON_CANONICAL = 0x9000_0000_0000_0000n;
const CODE = 0xffffffff81020000n;

/** Registers of the other machine that are not as ours. */
type Theirs = Record<string, bigint>;

function nameAfter(prepare: (small: SmallMachine) => void, theirs: Theirs): string | undefined {
  const small = smallMachine();
  prepare(small);
  const observed = new ObservedCpu(small.machine);
  observed.step();
  const differences = Object.entries(theirs).map(
    ([name, value]): Difference => ({ kind: 'register', name, ours: 0n, theirs: BigInt.asUintN(64, value) }),
  );
  return explainDivergence(observed, differences)?.name;
}

const handler = (vector: number) => BigInt.asUintN(64, BigInt(handlerOf(vector)));
const after = (bytes: number) => ({ rip: CODE + BigInt(bytes) });

function kernel(hex: string, registers: readonly (readonly [number, bigint])[] = [], flags = 2) {
  return (small: SmallMachine) => {
    kernelAt(small, hex);
    for (const [register, value] of registers) setRegister(small.cpu, register, value);
    setRflags(small.cpu, flags);
  };
}

function frame(...words: readonly bigint[]) {
  return (small: SmallMachine) => {
    kernelAt(small, '48cf'); // iretq
    setRegister(small.cpu, RSP, BigInt(KERNEL + 0x50000));
    for (const [i, word] of words.entries()) poke(small.machine, KERNEL + 0x50000 + 8 * i, word);
  };
}

const wrmsr = (msr: bigint) =>
  kernel('0f30', [
    [RCX, msr],
    [RAX, 0n],
    [RDX, 0x90000000n],
  ]); // wrmsr

/** `lidt (%rbx)` of a base that is not canonical. */
const lidt = (small: SmallMachine) => {
  kernelAt(small, '0f011b'); // lidt (%rbx)
  setRegister(small.cpu, RBX, BigInt(KERNEL + 0x50000));
  poke(small.machine, KERNEL + 0x50000, 0xfffn);
  poke(small.machine, KERNEL + 0x50008, 0x9000n);
};

const wrgsbase = (small: SmallMachine) => {
  kernel('f3480faed8', [[RAX, NON_CANONICAL]])(small); // wrgsbase %rax
  small.cpu.r[CR4] |= CR4_FSGSBASE;
};

const userReturn = (small: SmallMachine) => {
  userAt(small, '48cf'); // iretq
  for (const [i, word] of [0x400100n, 0x33n, 2n, BigInt(USER_STACK), 0x2bn].entries())
    poke(small.machine, USER_STACK + 8 * i, word);
};

/** `push %rax` with an odd rsp. */
const misaligned = (small: SmallMachine) => {
  userAt(small, '50'); // push %rax
  setRegister(small.cpu, RSP, BigInt(USER_STACK + 1));
  small.cpu.r[CR0] |= CR0_AM;
  setRflags(small.cpu, FLAG_AC | 2);
};

/** The words of a frame whose last one is on a page that is not there. */
const splitFrame = (small: SmallMachine) => {
  kernelAt(small, '48cf'); // iretq
  const end = KERNEL + 0x50000;
  setRegister(small.cpu, RSP, BigInt(end - 32));
  for (const [i, word] of [BigInt(KERNEL), 0x92n, 2n, 0n].entries()) poke(small.machine, end - 32 + 8 * i, word);
  small.machine.memory.write32At(leafEntry(end), 0);
};

/** `mov %eax,%ss` with an NMI in its shadow. */
const shadow = (small: SmallMachine) => {
  kernel('8ed090', [[RAX, 0x18n]])(small); // mov %eax,%ss; nop
  small.machine.step(0);
  small.machine.raiseNmi(0);
};

/** SS of ring 3 is not present. */
const absentStack = (small: SmallMachine) => {
  frame(BigInt(USER), 0x33n, 2n, BigInt(USER_STACK), 0x2bn)(small);
  poke(small.machine, KERNEL + 0x10028, 0x00cf73000000ffffn);
};

test.each<[name: string, prepare: (small: SmallMachine) => void, theirs: Theirs]>([
  ['return-reads-as-supervisor', userReturn, { cr2: BigInt(USER_STACK), rip: handler(14), cpl: 0n }],
  ['iret-reads-part-of-frame', splitFrame, { rip: handler(VEC_GP) }],
  ['no-alignment-check', misaligned, { rip: BigInt(USER + 1) }],
  ['jump-to-non-canonical', kernel('ffe3', [[RBX, NON_CANONICAL]]), { rip: NON_CANONICAL }], // jmp *%rbx
  ['return-to-non-canonical', frame(NON_CANONICAL, 0x10n, 2n, 0n, 0x18n), { rip: NON_CANONICAL }],
  [
    'sysret-to-non-canonical',
    kernel('480f07', [
      [RCX, NON_CANONICAL],
      [R11, 2n],
    ]),
    { rip: NON_CANONICAL, cpl: 3n },
  ], // sysretq
  ['cr0-not-checked', kernel('0f22c0', [[RAX, 0xa0010033n]]), after(3)], // mov %rax,%cr0
  ['cr3-reserved-bits', kernel('0f22d8', [[RAX, 1n << 63n]]), after(0)], // mov %rax,%cr3
  ['cr4-not-checked', kernel('0f22e0', [[RAX, 0n]]), after(3)], // mov %rax,%cr4
  ['cr8-not-checked', kernel('440f22c0', [[RAX, 0x10n]]), after(4)], // mov %rax,%cr8
  ['wrmsr-not-checked', wrmsr(0xc0000101n), after(2)],
  ['base-not-checked', wrgsbase, after(5)],
  ['table-base-not-checked', lidt, after(3)],
  ['ltr-of-null', kernel('0f00d8', [[RAX, 3n]]), after(3)], // ltr %eax
  ['mov-ss-null', kernel('8ed0', [[RAX, 3n]]), { ...after(2), ss: 3n }], // mov %eax,%ss
  ['non-canonical-stack', kernel('50', [[RSP, NON_CANONICAL]]), { rip: handler(VEC_GP) }], // push %rax
  ['stack-not-present', absentStack, { rip: handler(VEC_NP) }],
  ['undefined-opcode-reads-operand', kernel('ffbb00000000'), { rip: handler(VEC_PF) }],
  ['nmi-in-shadow-of-mov-ss', shadow, { rip: handler(VEC_NMI) }],
  ['nmi-in-shadow-of-mov-ss', shadow, { rip: handler(VEC_TS) }],
  ['sti-delays-trap', kernel('fb', [], FLAG_TF | 2), after(1)], // sti
])('%s is what it says, and not another place', (name, prepare, theirs) => {
  expect(nameAfter(prepare, theirs)).toBe(name);
  expect(nameAfter(prepare, { ...theirs, cr2: 1n, rip: handler(0x77), cpl: 0n })).not.toBe(name);
});

test('gate-to-non-canonical is the offset of a gate', () => {
  const prepare = (small: SmallMachine) => {
    kernelAt(small, 'cd20'); // int $0x20
    poke(small.machine, KERNEL + 0x11000 + 0x208, 0x90000000n);
  };
  const low = BigInt(handlerOf(0x20)) & 0xffffffffn;
  expect(nameAfter(prepare, { rip: NON_CANONICAL | low })).toBe('gate-to-non-canonical');
  expect(nameAfter(prepare, { rip: NON_CANONICAL })).toBeUndefined();
});

test('frame-on-user-page is a frame that was pushed to the stack of CPL 0 with AC=1', () => {
  const prepare = (flags: number) => (small: SmallMachine) => {
    kernel('cd20', [[RSP, BigInt(USER_STACK)]], flags)(small); // int $0x20
    setGate(small.machine, VEC_DF, 0x18000 + 16, 1);
  };
  const theirs = { rsp: BigInt(USER_STACK) - 40n, rip: handler(0x20) };
  expect(nameAfter(prepare(FLAG_AC | 2), theirs)).toBe('frame-on-user-page');
  expect(nameAfter(prepare(2), theirs)).toBeUndefined();
  expect(nameAfter(prepare(FLAG_AC | 2), { ...theirs, rsp: 0n })).toBeUndefined();
});

test('shadow-within-shadow is an interrupt after the second of two instructions with a shadow', () => {
  const small = smallMachine();
  kernel('fb8ed090', [[RAX, 0x18n]], 2)(small); // sti; mov %eax,%ss; nop
  const observed = new ObservedCpu(small.machine);
  observed.step();
  observed.step();
  small.machine.raiseIrq(0, 0x20);
  observed.step();
  const theirs: Difference = { kind: 'register', name: 'rip', ours: 0n, theirs: handler(0x20) };
  expect(explainDivergence(observed, [theirs])?.name).toBe('shadow-within-shadow');
  expect(explainDivergence(observed, [{ ...theirs, theirs: CODE }])).toBeUndefined();
});

test('shadow-of-sti-with-if is an interrupt that is not taken after a STI that changes nothing', () => {
  const name = (flags: number, rip: bigint) => {
    const small = smallMachine();
    kernel('fbfb90', [], flags)(small); // sti; sti; nop
    const observed = new ObservedCpu(small.machine);
    observed.step();
    if (flags === 2) observed.step();
    small.machine.raiseIrq(0, 0x20);
    observed.step();
    const theirs: Difference = { kind: 'register', name: 'rip', ours: 0n, theirs: rip };
    return explainDivergence(observed, [theirs])?.name;
  };
  expect(name(FLAG_IF | 2, CODE + 2n)).toBe('shadow-of-sti-with-if');
  expect(name(2, CODE + 2n)).toBe('shadow-of-sti-with-if');
  // The instruction in the shadow may fault.
  expect(name(2, handler(VEC_UD))).toBe('shadow-of-sti-with-if');
  expect(name(2, handler(0x20))).toBeUndefined();
});

test('every row has a name of its own and says whose behaviour it is, where the manual stands, and why', () => {
  expect(new Set(ACCEPTED_DIVERGENCES.map(({ name }) => name)).size).toBe(ACCEPTED_DIVERGENCES.length);
  for (const row of ACCEPTED_DIVERGENCES) {
    expect(row.section).toMatch(/SDM vol\. \d/);
    expect(row.why.length).toBeGreaterThan(20);
    expect(row.smallestInput).not.toBe('');
  }
});
