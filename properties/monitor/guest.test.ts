/**
 * Promises: the properties of user mode are judged at attach, which is the first return to user mode of every CPU that
 * has a task, and at the first return of every task that runs later; a right state violates none of them.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { CPL, CR3, GS_BASE, KERNEL_GS_BASE, NMI_BLOCKED } from '../../emulator/registers';
import { designImage } from '../designs/images';
import { ENTRY_STACK_IS_COHERENT } from '../safety/entry-stack-is-coherent';
import { NMI_IS_DELIVERED } from '../safety/nmi-is-delivered';
import { USER_MODE_USES_USER_CR3 } from '../safety/user-mode-uses-user-cr3';
import { USER_MODE_USES_USER_GS } from '../safety/user-mode-uses-user-gs';
import { bootGuest, type Guest } from './guest';
import { Monitor } from './monitor';

const TIMER = 0x20;
/** Of the entry, the switch and the return, far fewer. */
const ENOUGH = 5000;

function boot(design: string, tasks: number): Guest {
  const image = designImage(design);
  if (image === undefined) throw new Error(`${design} is gone`);
  return bootGuest(image, { cpus: 1, tasks, mms: 1 });
}

function clearWord({ machine }: Guest, pa: number): void {
  machine.memory.writeBytes(pa, new Uint8Array(8));
}

const { number: CR3_OF_USER } = USER_MODE_USES_USER_CR3;
const { number: GS_OF_USER } = USER_MODE_USES_USER_GS;
const { number: ENTRY_STACK } = ENTRY_STACK_IS_COHERENT;
const { number: NMIS } = NMI_IS_DELIVERED;

/** What is wrong in a state of user mode, what it violates, and how to make it. */
const WRONGS: readonly [string, number, (guest: Guest, cpu: Cpu) => void][] = [
  ['CR3 on the kernel half', CR3_OF_USER, ({ view }, cpu) => (cpu.r[CR3] = (cpu.r[CR3] & 0xfff) | view.kernelRoot(0))],
  ['CR3 without the user PCID', CR3_OF_USER, (_guest, cpu) => (cpu.r[CR3] &= ~0x800)],
  ['IA32_KERNEL_GS_BASE of nobody', GS_OF_USER, (_guest, cpu) => (cpu.r[KERNEL_GS_BASE] ^= 0x1000)],
  [
    'GS base of the kernel',
    GS_OF_USER,
    (_guest, cpu) => {
      cpu.r[GS_BASE] = cpu.r[KERNEL_GS_BASE];
      cpu.r[GS_BASE + 1] = cpu.r[KERNEL_GS_BASE + 1];
    },
  ],
  ['sp0 of nobody', ENTRY_STACK, (guest) => clearWord(guest, guest.view.sp0Pa(0))],
  ['top_of_stack of nobody', ENTRY_STACK, (guest) => clearWord(guest, guest.view.topPa[0])],
  ['NMIs blocked', NMIS, (_guest, cpu) => (cpu.r[NMI_BLOCKED] = 1)],
];

const DESIGNS = ['mainline', 'deferred-pertask', 'asm-return'];

/** What a monitor says that takes over the guest now. */
function atAttach({ view }: Guest): number | undefined {
  const monitor = new Monitor(view);
  monitor.attach();
  return monitor.violation?.property;
}

describe('at attach', () => {
  test.each(DESIGNS)('%s is right', (design) => {
    expect(atAttach(boot(design, 1))).toBeUndefined();
  });

  test.each(WRONGS)('%s', (_what, property, spoil) => {
    const guest = boot('mainline', 1);
    spoil(guest, guest.machine.cpus[0]);
    expect(atAttach(guest)).toBe(property);
  });

  test('in the kernel none of it is asked: a CPU that idles', () => {
    const image = designImage('mainline');
    if (image === undefined) throw new Error('mainline is gone');
    const guest = bootGuest(image, { cpus: 2, tasks: 1, mms: 1 });
    expect(guest.machine.cpus[1].r[CPL]).toBe(0);
    expect(guest.monitor.violation).toBeUndefined();
  });
});

/** Brings task 1, which has never run, to its first return: the next instruction is its IRETQ to user mode. */
function beforeFirstReturn(design: string): Guest {
  const guest = boot(design, 2);
  const { machine, monitor, manifest } = guest;
  const cpu = machine.cpus[0];
  // The work on the way out schedules, and the scheduler picks task 1.
  machine.choose = () => 1;
  machine.raiseIrq(0, TIMER);
  for (let i = 0; i < ENOUGH; i++) {
    machine.step(0);
    if (cpu.r[CPL] === 0 && monitor.ghost.running(0) === 1 && manifest.irets.includes(cpu.rip())) return guest;
  }
  throw new Error('the timer did not switch to task 1');
}

describe('at the first return of a task that was forked', () => {
  test.each(DESIGNS)('%s is right', (design) => {
    const { machine, monitor } = beforeFirstReturn(design);
    machine.step(0);
    expect(machine.cpus[0].r[CPL]).toBe(3);
    expect(monitor.violation).toBeUndefined();
  });

  // NMIs are unblocked by the IRET itself.
  test.each(WRONGS.filter(([, property]) => property !== NMIS))('%s', (_what, property, spoil) => {
    const guest = beforeFirstReturn('mainline');
    spoil(guest, guest.machine.cpus[0]);
    guest.machine.cpus[0].dropCode();
    guest.machine.cpus[0].tlb.flushAll();
    guest.machine.step(0);
    expect(guest.machine.cpus[0].r[CPL]).toBe(3);
    expect(guest.monitor.violation?.property).toBe(property);
  });
});
