import {
  EFLAGS,
  FLAG_AF,
  FLAG_CF,
  FLAG_DF,
  FLAG_IF,
  FLAG_OF,
  FLAG_RF,
  FLAG_TF,
  FLAG_ZF,
  FMASK,
  RAX,
  RCX,
  RDI,
  RSI,
  RSP,
  VEC_DF,
  VEC_NMI,
  VEC_PF,
} from '../registers';
import { DELIVERED, FAULTED, RETIRED } from '../step-result';
import {
  KERNEL,
  KERNEL_SS,
  kernelAt,
  type SmallMachine,
  setFlags,
  setGate,
  setRegister,
  smallMachine,
  userAt,
} from '../testing/small-machine';
import { ACCEPTED_DIFFERENCES, type Difference, explain } from './accepted-differences';
import { ObservedCpu } from './observed-cpu';

/** The row's name, or undefined: this difference, after this step, would end a lock-step run. */
function nameOf(observed: ObservedCpu, difference: Difference): string | undefined {
  return explain(observed, difference)?.name;
}

function register(name: string, ours: number, theirs: number): Difference {
  return { kind: 'register', name, ours: BigInt(ours >>> 0), theirs: BigInt(theirs >>> 0) };
}

/** RFLAGS as ours, and as another machine that has these bits changed. */
function flagsChanged(observed: ObservedCpu, bits: number): Difference {
  return register('eflags', observed.cpu.rflags(), observed.cpu.rflags() ^ bits);
}

function afterOne(prepare: (small: SmallMachine) => void): { small: SmallMachine; observed: ObservedCpu } {
  const small = smallMachine();
  prepare(small);
  const observed = new ObservedCpu(small.machine);
  observed.step();
  return { small, observed };
}

/** The word at `pa` as ours, and with these bits changed. */
function wordChanged({ machine }: SmallMachine, pa: number, bits: number): Difference {
  const ours = machine.memory.read32(pa);
  return { kind: 'memory', pa, ours, theirs: ours ^ bits };
}

test('every row says whose behaviour it is, where the manual stands, why, and the shortest input', () => {
  expect(new Set(ACCEPTED_DIFFERENCES.map(({ name }) => name)).size).toBe(ACCEPTED_DIFFERENCES.length);
  for (const row of ACCEPTED_DIFFERENCES) {
    expect(row.name).toMatch(/^[a-z][a-z-]+$/);
    expect(row.section).toMatch(/SDM vol\. \d/);
    expect(row.why.length).toBeGreaterThan(20);
    expect(row.smallestInput).not.toBe('');
  }
});

describe('rf-not-pushed', () => {
  const ud2 = () => afterOne((small) => kernelAt(small, '0f0b')); // ud2
  const frame = (observed: ObservedCpu) => observed.pushedFlags as number;

  test('is RF missing in the frame of a fault', () => {
    const { small, observed } = ud2();
    expect(observed.result).toBe(FAULTED);
    expect(nameOf(observed, wordChanged(small, frame(observed), FLAG_RF))).toBe('rf-not-pushed');
  });

  test('is found above an error code, too', () => {
    const { small, observed } = afterOne((s) => kernelAt(s, '8b042500000000')); // mov 0,%eax
    expect([observed.result, observed.delivered?.vector]).toEqual([FAULTED, 14]);
    expect(nameOf(observed, wordChanged(small, frame(observed), FLAG_RF))).toBe('rf-not-pushed');
  });

  test('is no other bit, no other word, not RF too many, and not the frame of an NMI or of INT n', () => {
    const { small, observed } = ud2();
    expect(nameOf(observed, wordChanged(small, frame(observed), FLAG_RF | FLAG_IF))).toBeUndefined();
    expect(nameOf(observed, wordChanged(small, frame(observed) + 4, FLAG_RF))).toBeUndefined();
    expect(nameOf(observed, wordChanged(small, frame(observed) - 16, FLAG_RF))).toBeUndefined();
    const ours = small.machine.memory.read32(frame(observed)) & ~FLAG_RF;
    const reversed: Difference = { kind: 'memory', pa: frame(observed), ours, theirs: ours | FLAG_RF };
    expect(nameOf(observed, reversed)).toBeUndefined();
    expect(nameOf(observed, flagsChanged(observed, FLAG_RF))).toBeUndefined();
    const nmi = afterOne((s) => {
      kernelAt(s, '90'); // nop
      setFlags(s.cpu, FLAG_RF);
      s.machine.raiseNmi(0);
    });
    expect(nmi.observed.result).toBe(DELIVERED);
    const pushed = wordChanged(nmi.small, frame(nmi.observed), FLAG_RF);
    expect(pushed.kind === 'memory' && pushed.ours & FLAG_RF).toBe(FLAG_RF);
    expect(nameOf(nmi.observed, pushed)).toBeUndefined();
    const int = afterOne((s) => kernelAt(s, 'cd20')); // int $0x20
    expect(nameOf(int.observed, wordChanged(int.small, frame(int.observed), FLAG_RF))).toBeUndefined();
  });
});

describe('rf-of-double-fault', () => {
  /**
   * An interrupt at CPL 0 whose frame, and whose page fault's frame, cannot be pushed; #PF has an IST stack in the
   * second.
   */
  const interrupt = (pageFaultIst: number) =>
    afterOne((small) => {
      setGate(small.machine, VEC_DF, 0x18000, 1);
      setGate(small.machine, VEC_PF, 0x18000, pageFaultIst);
      kernelAt(small, '90'); // nop
      setFlags(small.cpu, FLAG_IF | 2);
      setRegister(small.cpu, RSP, 0x5000);
      small.machine.raiseIrq(0, 0x20);
    });

  test('is RF missing in the frame of a #DF', () => {
    const { small, observed } = interrupt(0);
    expect([observed.result, observed.delivered?.vector]).toEqual([DELIVERED, VEC_DF]);
    const pushed = wordChanged(small, observed.pushedFlags as number, FLAG_RF);
    expect(nameOf(observed, pushed)).toBe('rf-of-double-fault');
    expect(nameOf(observed, wordChanged(small, observed.pushedFlags as number, FLAG_IF))).toBeUndefined();
  });

  test('is rf-not-pushed if the delivery of an interrupt ends in a page fault', () => {
    const { small, observed } = interrupt(2);
    expect([observed.result, observed.delivered?.vector]).toEqual([DELIVERED, VEC_PF]);
    expect(nameOf(observed, wordChanged(small, observed.pushedFlags as number, FLAG_RF))).toBe('rf-not-pushed');
  });
});

describe('rf-in-repetition', () => {
  const repMovs = (count: number) =>
    afterOne((small) => {
      kernelAt(small, 'f348a5'); // rep movsq
      setRegister(small.cpu, RCX, count);
      setRegister(small.cpu, RSI, BigInt.asUintN(64, BigInt(KERNEL + 0x30000)));
      setRegister(small.cpu, RDI, BigInt.asUintN(64, BigInt(KERNEL + 0x31000)));
    });

  test('is RF missing between two iterations', () => {
    const { observed } = repMovs(2);
    expect(observed.cpu.r[EFLAGS] & FLAG_RF).toBe(FLAG_RF);
    expect(nameOf(observed, flagsChanged(observed, FLAG_RF))).toBe('rf-in-repetition');
  });

  test('is no other flag, not RF after the last iteration, and not RF after another instruction', () => {
    const between = repMovs(2).observed;
    expect(nameOf(between, flagsChanged(between, FLAG_RF | FLAG_DF))).toBeUndefined();
    expect(nameOf(between, flagsChanged(between, FLAG_CF))).toBeUndefined();
    const done = repMovs(1).observed;
    expect(nameOf(done, flagsChanged(done, FLAG_RF))).toBeUndefined();
    const nop = afterOne((small) => kernelAt(small, '90')).observed; // nop
    expect(nameOf(nop, flagsChanged(nop, FLAG_RF))).toBeUndefined();
  });
});

describe('syscall-clears-flags', () => {
  const syscall = () =>
    afterOne((small) => {
      userAt(small, '0f05'); // syscall
      setFlags(small.cpu, FLAG_CF | FLAG_ZF | FLAG_DF | FLAG_IF | 2);
      small.cpu.r[FMASK] = FLAG_IF;
    }).observed;

  test('is any of the status flags and DF cleared', () => {
    const observed = syscall();
    expect(observed.cpu.rflags() & (FLAG_CF | FLAG_ZF | FLAG_DF)).toBe(FLAG_CF | FLAG_ZF | FLAG_DF);
    expect(nameOf(observed, flagsChanged(observed, FLAG_CF | FLAG_ZF | FLAG_DF))).toBe('syscall-clears-flags');
  });

  test('is not some of them, not one too many, not IF, and not another register or instruction', () => {
    const observed = syscall();
    expect(nameOf(observed, flagsChanged(observed, FLAG_CF))).toBeUndefined();
    expect(nameOf(observed, flagsChanged(observed, FLAG_CF | FLAG_ZF | FLAG_DF | FLAG_IF))).toBeUndefined();
    expect(nameOf(observed, flagsChanged(observed, FLAG_AF))).toBeUndefined();
    expect(nameOf(observed, register('r11', FLAG_CF, 0))).toBeUndefined();
    const nop = afterOne((small) => {
      kernelAt(small, '90'); // nop
      setFlags(small.cpu, FLAG_CF | 2);
    }).observed;
    expect(nameOf(nop, flagsChanged(nop, FLAG_CF))).toBeUndefined();
  });
});

describe('ss-after-ist', () => {
  const nmi = (ist: number, user = false) =>
    afterOne((small) => {
      setGate(small.machine, VEC_NMI, 0x18000, ist);
      (user ? userAt : kernelAt)(small, '90'); // nop
      small.machine.raiseNmi(0);
    }).observed;

  test('is SS set to NULL when an event at CPL 0 moves to an IST stack', () => {
    const observed = nmi(1);
    expect([observed.result, observed.delivered?.ist]).toEqual([DELIVERED, 1]);
    expect(nameOf(observed, register('ss', KERNEL_SS, 0))).toBe('ss-after-ist');
  });

  test('is not another value, not without IST, not from CPL 3, and not another register', () => {
    expect(nameOf(nmi(1), register('ss', KERNEL_SS, 0x10))).toBeUndefined();
    expect(nameOf(nmi(1), register('ss', 0, KERNEL_SS))).toBeUndefined();
    expect(nameOf(nmi(0), register('ss', KERNEL_SS, 0))).toBeUndefined();
    expect(nameOf(nmi(1, true), register('ss', 0x2b, 0))).toBeUndefined();
    expect(nameOf(nmi(1), register('cs', KERNEL_SS, 0))).toBeUndefined();
  });
});

describe('undefined-flags', () => {
  const executing = (hex: string, rcx = 0) =>
    afterOne((small) => {
      kernelAt(small, hex);
      setRegister(small.cpu, RAX, 0x1234);
      setRegister(small.cpu, RCX, rcx);
    }).observed;
  /** Which of the six status flags may differ, one at a time. */
  const accepted = (hex: string, rcx?: number) => {
    const observed = executing(hex, rcx);
    expect(observed.result).toBe(RETIRED);
    return [...'CPAZSO']
      .filter((_, i) => nameOf(observed, flagsChanged(observed, [1, 4, 0x10, 0x40, 0x80, 0x800][i])) !== undefined)
      .join('');
  };

  test.each([
    ['add %rcx,%rax', '4801c8', 0, ''],
    ['and %rcx,%rax', '4821c8', 0, 'A'],
    ['shr $1,%rax', '48d1e8', 0, 'A'],
    ['shr $12,%rax', '48c1e80c', 0, 'AO'],
    ['shr $0,%rax', '48c1e800', 0, ''],
    ['shr %cl,%rax, cl = 64, a count of 0', '48d3e8', 64, ''],
    ['shr %cl,%rax, cl = 2', '48d3e8', 2, 'AO'],
    ['shl $16,%ax, all of the operand', '66c1e010', 0, 'CAO'],
    ['sar $16,%ax, which leaves the sign', '66c1f810', 0, 'AO'],
    ['rol $1,%rax', '48d1c0', 0, ''],
    ['rol $2,%rax', '48c1c002', 0, 'O'],
    ['shrd $1,%rcx,%rax', '480facc801', 0, 'A'],
    ['shld $17,%cx,%ax', '660fa4c811', 0, 'CPAZSO'],
    ['mul %rcx', '48f7e1', 3, 'PAZS'],
    ['imul %rcx,%rax', '480fafc1', 3, 'PAZS'],
    ['div %rcx', '48f7f1', 3, 'CPAZSO'],
    ['bsf %rax,%rax', '480fbcc0', 0, 'CPASO'],
    ['bt $1,%rax', '480fbae001', 0, 'PASO'],
  ])('of %s', (_text, hex, rcx, flags) => {
    expect(accepted(hex, rcx)).toBe(flags);
  });

  test('are not accepted together with another flag, in another register, or after a fault', () => {
    const observed = executing('48c1e80c'); // shr $12,%rax
    expect(nameOf(observed, flagsChanged(observed, FLAG_OF | FLAG_AF))).toBe('undefined-flags');
    expect(nameOf(observed, flagsChanged(observed, FLAG_OF | FLAG_CF))).toBeUndefined();
    expect(nameOf(observed, flagsChanged(observed, FLAG_OF | FLAG_TF))).toBeUndefined();
    expect(nameOf(observed, register('rax', FLAG_OF, 0))).toBeUndefined();
    const divideError = executing('48f7f1', 0); // div %rcx, rcx = 0
    expect(divideError.result).toBe(FAULTED);
    expect(nameOf(divideError, flagsChanged(divideError, FLAG_OF))).toBeUndefined();
  });
});
