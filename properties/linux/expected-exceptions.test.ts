/**
 * Promise: an event that a right kernel does not survive is not raised: a #DB or a machine check at the top of the
 * stack on which one is handled, a machine check before the last one is over.
 */
import { X_MCG_EXT_CTL, X_MCG_STATUS } from '../../emulator/extended-state';
import { CPL, CR4, CR4_MCE, DB_PENDING, DR6, NMI_BLOCKED, RSP } from '../../emulator/registers';
import { fullPlatform } from '../../emulator/testing/full-platform';
import { IST1, KERNEL_STACK, poke, setGate, setRegister, smallMachine } from '../../emulator/testing/small-machine';
import { mayBeChecked, mayHitBreakpoint } from './expected-exceptions';

const DEBUG = 1,
  MACHINE_CHECK = 18;
/** Where the handlers of the machine lie, physical. */
const HANDLERS = 0x18000;

function expecting() {
  const { machine, cpu } = smallMachine(1, fullPlatform());
  for (const vector of [DEBUG, MACHINE_CHECK]) setGate(machine, vector, HANDLERS, 1);
  cpu.r[CR4] |= CR4_MCE;
  cpu.x[X_MCG_EXT_CTL] = 1;
  /** The two answers after a change that is taken back. */
  const after = (change: () => void): [boolean, boolean] => {
    const mark = machine.mark();
    change();
    const answers: [boolean, boolean] = [mayHitBreakpoint(machine, cpu), mayBeChecked(machine, cpu)];
    machine.rollback(mark);
    machine.release(mark);
    return answers;
  };
  return { machine, cpu, after };
}

test('the kernel expects both on another stack, and user code a machine check', () => {
  const { cpu, after } = expecting();
  expect(after(() => setRegister(cpu, RSP, KERNEL_STACK))).toEqual([true, true]);
  expect(after(() => cpu.r.set([3], CPL))).toEqual([false, true]);
});

test('it expects neither on their stack, but a machine check again where the last one was of user mode', () => {
  const { machine, cpu, after } = expecting();
  const handling = (cs: number) => {
    setRegister(cpu, RSP, IST1 - 64);
    poke(machine, IST1 - 32, cs);
  };
  expect(after(() => handling(0x10))).toEqual([false, false]);
  expect(after(() => handling(0x33))).toEqual([false, true]);
});

test('a #DB waits for NMIs, for DR6 to be read, and for the last one', () => {
  const { cpu, after } = expecting();
  for (const [word, value] of [
    [NMI_BLOCKED, 1],
    [DR6, 1],
    [DB_PENDING, 1],
  ])
    expect(after(() => cpu.r.set([value], word))[0]).toBe(false);
});

test('a machine check waits for the last one to be over, and comes only where the kernel has turned them on', () => {
  const { machine, cpu, after } = expecting();
  const changes = [
    () => cpu.x.set([4], X_MCG_STATUS),
    () => cpu.r.set([1], DB_PENDING),
    () => cpu.r.set([cpu.r[CR4] & ~CR4_MCE], CR4),
    () => cpu.x.set([0], X_MCG_EXT_CTL),
  ];
  expect(changes.map((change) => after(change)[1])).toEqual([false, false, false, false]);
  expect(mayBeChecked(machine, smallMachine().cpu)).toBe(false);
});
