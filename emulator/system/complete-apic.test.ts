/** Promise: a complete local APIC has logical destinations, INIT and start-up IPIs, local vectors and a timer. */
import { X_APIC_LVT, X_TSC_DEADLINE, X_WAITS_FOR_SIPI } from '../extended-state';
import { APIC_IRR, IN_HLT, ONLINE, RAX, RBX } from '../registers';
import { HALTED, RETIRED } from '../step-result';
import { fullPlatform } from '../testing/full-platform';
import {
  KERNEL,
  kernelAt,
  leafEntry,
  put64,
  type SmallMachine,
  setRegister,
  smallMachine,
} from '../testing/small-machine';
import { UnimplementedError } from '../unimplemented';
import { resetApicRegisters } from './apic-registers';
import { expireDeadlines, nextDeadline } from './apic-timer';

const APIC = KERNEL + 0x60000;

function access(small: SmallMachine, hex: string, c: number, offset: number, value = 0): number {
  const cpu = small.machine.cpus[c];
  put64(small.machine, leafEntry(APIC), 0xfee00003 | 0);
  kernelAt({ machine: small.machine, cpu }, hex);
  setRegister(cpu, RBX, APIC + offset);
  setRegister(cpu, RAX, value);
  expect(small.machine.step(c)).toBe(RETIRED);
  return cpu.r[RAX];
}

const STORE = '8903'; // mov %eax,(%rbx)
const LOAD = '8b03'; // mov (%rbx),%eax
const write = (small: SmallMachine, offset: number, value: number, c = 0) => access(small, STORE, c, offset, value);
const read = (small: SmallMachine, offset: number, c = 0) => access(small, LOAD, c, offset);

function machine(cpus = 1) {
  const platform = fullPlatform();
  const small = smallMachine(cpus, platform);
  for (const { x } of small.machine.cpus) resetApicRegisters(x);
  return { small, platform };
}

test('after a reset the local vectors are masked and the model of logical destinations is flat', () => {
  const { small } = machine();
  expect([0x320, 0x350, 0x360, 0x370, 0xd0, 0xe0].map((offset) => read(small, offset))).toEqual([
    ...Array(4).fill(0x10000),
    0,
    -1,
  ]);
  expect(read(small, 0x30)).toBe(0x50014);
});

test.each([
  ['timer vector', 0x320, 0x400ec, 0x400ec],
  ['a vector’s delivery status and remote IRR', 0x350, 0x5700, 0x700],
  ['logical destination', 0xd0, 0x02ffffff, 0x02000000],
  ['format', 0xe0, 0, 0x0fffffff],
  ['error status', 0x280, 0x55, 0],
  ['initial count', 0x380, 1000, 1000],
  ['current count', 0x390, 0, 0],
  ['divisor', 0x3e0, 0xff, 0xb],
])('%s: what is written to it is read with the bits that it has', (_name, offset, written, expected) => {
  const { small } = machine();
  if (offset !== 0x390) write(small, offset, written);
  expect(read(small, offset)).toBe(expected);
});

test('a register that there is not is a typed error', () => {
  expect(() => read(machine().small, 0x400)).toThrow(UnimplementedError);
  expect(() => write(machine().small, 0x390, 1)).toThrow(UnimplementedError);
});

test.each([
  ['of two, flat', -1, 0x06000000, [1, 2]],
  ['of all', -1, 0xff000000, [0, 1, 2]],
  ['of nobody', -1, 0x08000000, []],
  ['in a cluster', 0x0fffffff, 0x01000000, [0]],
  ['in another cluster', 0x0fffffff, 0x13000000, []],
])('a logical destination %s reaches whom it should', (_name, format, destination, expected) => {
  const { small } = machine(3);
  for (const c of [0, 1, 2]) {
    write(small, 0xd0, 1 << (24 + c), c);
    write(small, 0xe0, format, c);
  }
  write(small, 0x310, destination);
  write(small, 0x300, 0x840);
  const reached = small.machine.cpus.filter(({ r }) => r[APIC_IRR + 2] === 1).map(({ index }) => index);
  expect(reached).toEqual(expected);
});

test('INIT stops a CPU until the first start-up IPI, which the platform is told of, once', () => {
  const { small, platform } = machine(2);
  const [, target] = small.machine.cpus;
  write(small, 0x310, 0x01000000);
  write(small, 0x300, 0x69a);
  expect(platform.started).toEqual([]);
  write(small, 0x300, 0xc500);
  expect([target.r[ONLINE], target.x[X_WAITS_FOR_SIPI], small.machine.step(1)]).toEqual([0, 1, HALTED]);
  write(small, 0x300, 0x8500);
  write(small, 0x300, 0x69a);
  write(small, 0x300, 0x69a);
  expect(platform.started).toEqual([[1, 0x9a]]);
});

test('the timer asks for its vector once the deadline has come, and is disarmed; masked, it asks for nothing', () => {
  const { small } = machine(2);
  const { cpus } = small.machine;
  expect(nextDeadline(cpus)).toBe(Number.POSITIVE_INFINITY);
  cpus.forEach(({ x }, c) => {
    x.set([1000 + c, 2], X_TSC_DEADLINE);
  });
  cpus[0].x[X_APIC_LVT + 1] = 0x40040;
  const deadline = 2 * 2 ** 32 + 1000;
  expect(nextDeadline(cpus)).toBe(deadline);
  expireDeadlines(cpus, deadline - 1);
  expect(cpus[0].r[APIC_IRR + 2]).toBe(0);
  expireDeadlines(cpus, deadline);
  expect([cpus[0].r[APIC_IRR + 2], nextDeadline(cpus)]).toEqual([1, deadline + 1]);
  expireDeadlines(cpus, deadline + 1);
  expect([cpus[1].r[APIC_IRR + 2], nextDeadline(cpus)]).toEqual([0, Number.POSITIVE_INFINITY]);
});

test('a CPU that waits in HLT wakes by the timer', () => {
  const { small } = machine();
  const { cpu } = small;
  cpu.r[IN_HLT] = 1;
  cpu.x[X_APIC_LVT + 1] = 0x40040;
  cpu.x[X_TSC_DEADLINE] = 5;
  const mark = small.machine.mark();
  expireDeadlines([cpu], 5);
  expect(cpu.attention).toBe(1);
  small.machine.rollback(mark);
  expect([cpu.x[X_TSC_DEADLINE], cpu.r[APIC_IRR + 2]]).toEqual([5, 0]);
});
