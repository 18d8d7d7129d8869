/**
 * Promises: pushes, pops and clears of registers that are executed as one do what they do one by one, at every boundary
 * at which a run can end; and where something can come in between, it does.
 */
import { NULL_OBSERVER } from '../observer';
import { EFLAGS, FLAG_IF, ICOUNT, RBX, RCX, RIP, RSP } from '../registers';
import { setLeaf, W } from '../testing/page-access';
import {
  KERNEL,
  KERNEL_CODE,
  kernelAt,
  place,
  type SmallMachine,
  setRegister,
  smallMachine,
} from '../testing/small-machine';

/**
 * push %rbx; push $7; push %rsp; push %rcx; push $-1; pop %rdx; pop %rsi; pop %r8; xor %ebx,%ebx; xor %ecx,%ecx;
 * xor %r8d,%r8d; hlt
 */
const CODE = '53 6a07 54 51 6aff 5a 5e 4158 31db 31c9 4531c0 f4';
const ACCESSES = 8;
const BOUNDARIES = 11;

function prepared(prepare: (small: SmallMachine) => void = () => {}): SmallMachine {
  const small = smallMachine();
  kernelAt(small, CODE);
  setRegister(small.cpu, RBX, 0x1122334455667788n);
  setRegister(small.cpu, RCX, -5n);
  prepare(small);
  return small;
}

/** What `boundaries` boundaries come to: in a run, once more in a run of code that is known, and one by one. */
function expectTheSame(boundaries: number, prepare?: (small: SmallMachine) => void): void {
  const together = prepared(prepare);
  const start = together.machine.mark();
  const results: number[] = [];
  for (let again = 0; again < 2; again++) {
    together.machine.rollback(start);
    results.push(together.machine.run(0, boundaries));
  }
  const alone = prepared(prepare);
  let result = -1;
  for (let i = 0; i < together.machine.boundaries; i++) result = alone.machine.step(0);
  expect(results).toEqual([result, result]);
  expect(together.machine.fingerprint()).toBe(alone.machine.fingerprint());
  expect(together.cpu.r[ICOUNT]).toBe(alone.cpu.r[ICOUNT]);
}

const ALL = Array.from({ length: BOUNDARIES }, (_, i) => i + 1);

test.each(ALL)('%i boundaries of a run are as many steps', (boundaries) => {
  expectTheSame(boundaries);
});

// The first push finds no translation, which the second one has; the third pushes rsp.
test('a run of pushes is one access to an observer that agrees, and several to one that does not', () => {
  for (const agrees of [true, false]) {
    const accesses: number[] = [];
    const { machine } = prepared((small) => {
      small.machine.observer = Object.assign(Object.create(NULL_OBSERVER), {
        joinedAccess: (_cpu: unknown, _lo: number, _hi: number, bytes: number) => {
          if (agrees) accesses.push(bytes);
          return agrees;
        },
        stackAccess: (_cpu: unknown, _lo: number, _hi: number, bytes: number) => accesses.push(bytes),
      });
    });
    const start = machine.mark();
    machine.run(0, BOUNDARIES);
    machine.rollback(start);
    accesses.length = 0;
    machine.run(0, BOUNDARIES);
    expect(accesses).toEqual(agrees ? [8, 8, 8, 16, 24] : new Array(ACCESSES).fill(8));
  }
});

test.each([
  ['the stack is not aligned', (small: SmallMachine) => small.cpu.set64(RSP, BigInt(KERNEL + 0x17003))],
  ['the stack goes over the end of a page', (small: SmallMachine) => small.cpu.set64(RSP, BigInt(KERNEL + 0x16010))],
  [
    'the next page of the stack is read-only',
    (small: SmallMachine) => {
      small.cpu.set64(RSP, BigInt(KERNEL + 0x16008));
      setLeaf(small, KERNEL + 0x15000, 0x15000, 1);
    },
  ],
  [
    'pushes overwrite the code behind them',
    (small: SmallMachine) => {
      setLeaf(small, KERNEL + 0x20000, 0x20000, 1 | W);
      small.cpu.set64(RSP, BigInt(KERNEL_CODE + 16));
    },
  ],
])('where %s', (_what, prepare) => {
  for (const boundaries of ALL) expectTheSame(boundaries, prepare);
});

test('an interrupt that is pending comes before the second push', () => {
  const small = prepared(({ cpu }) => {
    cpu.r[EFLAGS] |= FLAG_IF;
  });
  const start = small.machine.mark();
  small.machine.run(0, BOUNDARIES);
  small.machine.rollback(start);
  small.machine.run(0, 1);
  small.machine.raiseNmi(0);
  small.machine.run(0, 1);
  const frame = small.machine.readVirtual64(small.cpu.r[38], small.cpu.rsp());
  expect(frame?.lo).toBe((KERNEL_CODE + 1) | 0);
});

test('a store to joined code is seen', () => {
  const small = prepared();
  const start = small.machine.mark();
  small.machine.run(0, BOUNDARIES);
  small.machine.rollback(start);
  place(small.machine, KERNEL_CODE + 1, '6a09');
  small.machine.run(0, 2);
  expect(small.machine.readVirtual64(0x1000, small.cpu.rsp())?.lo).toBe(9);
  expect(small.cpu.rip()).toBe(KERNEL_CODE + 3);
  small.cpu.set64(RIP, BigInt(KERNEL_CODE));
});
