/**
 * Promise: a machine check is taken at the next boundary whatever else is pending or held back, and tells so in
 * IA32_MCG_STATUS; where software does not expect one, it is a shutdown (SDM vol. 3, 6.9, 6.15, 16.3).
 */
import { X_MCG_EXT_CTL, X_MCG_STATUS } from '../extended-state';
import {
  CR4,
  CR4_MCE,
  DB_PENDING,
  FLAG_IF,
  FLAG_TF,
  NMI_BLOCKED,
  NMI_PENDING,
  RAX,
  VEC_MC,
  VEC_NMI,
} from '../registers';
import { DELIVERED, HALTED, RETIRED, SHUTDOWN } from '../step-result';
import { fullPlatform } from '../testing/full-platform';
import { handlerOf, kernelAt, RSP0, setFlags, setRegister, smallMachine, userAt } from '../testing/small-machine';

function expecting(cpus = 1) {
  const small = smallMachine(cpus, fullPlatform());
  for (const { r, x } of small.machine.cpus) {
    r[CR4] |= CR4_MCE;
    x[X_MCG_EXT_CTL] = 1;
  }
  return small;
}

test('it says where it is and that it is of one CPU; its frame has no error code', () => {
  const { machine, cpu } = expecting();
  userAt({ machine, cpu }, '90'); // nop
  machine.raiseMachineCheck(0);
  expect(machine.step(0)).toBe(DELIVERED);
  expect([cpu.rip(), cpu.rsp(), cpu.x[X_MCG_STATUS]]).toEqual([handlerOf(VEC_MC), RSP0 - 40, 1 | 4 | 8]);
});

test('it is of all CPUs where IA32_MCG_EXT_CTL does not say otherwise', () => {
  const { machine, cpu } = expecting();
  cpu.x[X_MCG_EXT_CTL] = 0;
  kernelAt({ machine, cpu }, '90'); // nop
  machine.raiseMachineCheck(0);
  machine.step(0);
  expect(cpu.x[X_MCG_STATUS]).toBe(1 | 4);
});

test('neither IF, nor the blocking of NMIs, nor MOV SS holds it back; an NMI waits for it', () => {
  const { machine, cpu } = expecting();
  kernelAt({ machine, cpu }, '8ed090'); // mov %eax,%ss; nop
  setRegister(cpu, RAX, 0x18);
  setFlags(cpu, 0);
  cpu.r[NMI_BLOCKED] = 1;
  expect(machine.step(0)).toBe(RETIRED);
  cpu.r[NMI_BLOCKED] = 0;
  machine.raiseNmi(0);
  cpu.r[NMI_BLOCKED] = 1;
  machine.raiseMachineCheck(0);
  expect([machine.step(0), cpu.rip()]).toEqual([DELIVERED, handlerOf(VEC_MC)]);
  expect([cpu.r[NMI_PENDING], cpu.r[NMI_BLOCKED]]).toEqual([1, 1]);
  cpu.r[NMI_BLOCKED] = 0;
  expect([machine.step(0), cpu.rip()]).toEqual([DELIVERED, handlerOf(VEC_NMI)]);
});

test('it comes before the trap of a single step, which is discarded', () => {
  const { machine, cpu } = expecting();
  kernelAt({ machine, cpu }, '9090'); // nop; nop
  setFlags(cpu, FLAG_TF);
  machine.step(0);
  expect(cpu.r[DB_PENDING]).toBe(1);
  machine.raiseMachineCheck(0);
  expect([machine.step(0), cpu.rip()]).toEqual([DELIVERED, handlerOf(VEC_MC)]);
  expect(cpu.r[DB_PENDING]).toBe(0);
});

test('it wakes a halted CPU, and is of this CPU alone', () => {
  const { machine, cpu } = expecting(2);
  kernelAt({ machine, cpu }, 'f490'); // hlt; nop
  machine.step(0);
  expect(machine.step(0)).toBe(HALTED);
  machine.raiseMachineCheck(1);
  expect([machine.step(0), machine.step(1)]).toEqual([HALTED, DELIVERED]);
  machine.raiseMachineCheck(0);
  expect(machine.step(0)).toBe(DELIVERED);
});

test('it is a shutdown while CR4.MCE is 0, before the last one is over, and on a processor that has none', () => {
  const small = expecting();
  const { machine, cpu } = small;
  const again = (prepare: () => void) => {
    const mark = machine.mark();
    kernelAt(small, '90'); // nop
    setFlags(cpu, FLAG_IF);
    prepare();
    machine.raiseMachineCheck(0);
    const result = machine.step(0);
    machine.rollback(mark);
    machine.release(mark);
    return result;
  };
  expect(again(() => {})).toBe(DELIVERED);
  const withoutMce = () => {
    cpu.r[CR4] &= ~CR4_MCE;
  };
  const inProgress = () => {
    cpu.x[X_MCG_STATUS] = 4;
  };
  expect([again(withoutMce), again(inProgress)]).toEqual([SHUTDOWN, SHUTDOWN]);
  const other = smallMachine();
  other.cpu.r[CR4] |= CR4_MCE;
  kernelAt(other, '90'); // nop
  other.machine.raiseMachineCheck(0);
  expect(other.machine.step(0)).toBe(SHUTDOWN);
});
