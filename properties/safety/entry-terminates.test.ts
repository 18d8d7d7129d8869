/**
 * Promises of L1 for the guest's panic: the message names the faults whose handlers led there, with vector, error code,
 * CR2, instruction and handler; a fault that has been handled, or that a rollback has undone, is not named; a panic
 * that is fetched on the user half is a panic, and no instrumentable code.
 */
import type { ElfImage } from '../../emulator/elf/elf-image';
import { designImage } from '../designs/images';
import { bootGuest, type Guest } from '../monitor/guest';
import { ENTRY_TERMINATES } from './entry-terminates';
import { KERNEL_CODE_USES_KERNEL_CR3 } from './kernel-code-uses-kernel-cr3';
import type { Violation } from './property';

const { number: L1 } = ENTRY_TERMINATES;
const { number: S5 } = KERNEL_CODE_USES_KERNEL_CR3;

/** Far more than a system call or a fault takes. */
const ENOUGH = 2000;
/** Choices of the user program. */
const TOUCH_HEAP = 1;
const SYSTEM_CALL = 0;

function imageOf(id: string): ElfImage {
  const image = designImage(id);
  if (image === undefined) throw new Error(`${id} is gone`);
  return image;
}

function boot(image: ElfImage): Guest {
  return bootGuest(image, { cpus: 1, tasks: 1, mms: 1 });
}

function addressOf({ image }: Guest, symbol: string): number {
  return image.symbol(symbol) ?? Number.NaN;
}

/** Puts other code at a symbol of a booted guest. */
function patch(guest: Guest, symbol: string, code: readonly number[]): void {
  const { machine, view, monitor } = guest;
  machine.memory.writeBytes(view.physical(addressOf(guest, symbol)), Uint8Array.from(code));
  // What was decoded before is dropped.
  machine.observer = monitor;
}

/** `jmp panic`, or to another symbol, as it has to be at a symbol. */
function jump(guest: Guest, symbol: string, to = 'panic'): readonly number[] {
  const distance = addressOf(guest, to) - (addressOf(guest, symbol) + 5);
  return [0xe9, distance, distance >> 8, distance >> 16, distance >> 24].map((byte) => byte & 0xff);
}

/** Runs CPU 0 with these answers of the choice port, and 0 from then on, up to the first violation. */
function violationOf({ machine, monitor }: Guest, choices: readonly number[]): Violation | undefined {
  const left = [...choices];
  machine.choose = () => left.shift() ?? 0;
  for (let i = 0; i < ENOUGH && monitor.violation === undefined; i++) machine.step(0);
  return monitor.violation;
}

const PANIC = 'expected the entry to return, found the panic of the guest';
/** On the way out of a system call, with nothing open but the call. */
const EXIT = 'return_by_sysret';

test.each([
  [
    '#GP with a selector: mov $0x6b,%eax; mov %eax,%ss',
    [0xb8, 0x6b, 0, 0, 0, 0x8e, 0xd0],
    ' after #GP(0x68: selector 0x68) at return_by_sysret+0x5 (mov %eax,%ss), delivered to entry_general_protection+0x0',
  ],
  [
    'an exception that panics at once: ud2',
    [0x0f, 0x0b],
    ' after #UD at return_by_sysret+0x0 (ud2), delivered to panic+0x0',
  ],
])('%s', (_what, code, cause) => {
  const guest = boot(imageOf('mainline'));
  patch(guest, EXIT, code);
  expect(violationOf(guest, [SYSTEM_CALL])).toMatchObject({ property: L1, message: PANIC + cause });
});

test('a page fault of the user whose handler panics is named with CR2', () => {
  const guest = boot(imageOf('mainline'));
  patch(guest, 'page_fault_body', jump(guest, 'page_fault_body'));
  const found = violationOf(guest, [TOUCH_HEAP]);
  expect(found?.property).toBe(L1);
  expect(found?.message.slice(PANIC.length)).toMatch(
    /^ after #PF\(0x6\) at user_program\+0x[0-9a-f]+ \(mov %al,\(%rbx\)\), delivered to entry_page_fault\+0x0; CR2 [0-9a-f]{16}: not present, write, user; CR3 [0-9a-f]+ \(user half of mm0\) -> PML4.* not present$/,
  );
});

test('no fault is named where none led there, also not one that has been handled', () => {
  const guest = boot(imageOf('mainline'));
  patch(guest, EXIT, jump(guest, EXIT));
  const mark = guest.machine.mark();
  expect(violationOf(guest, [SYSTEM_CALL])?.message).toBe(PANIC);
  guest.machine.rollback(mark);
  guest.monitor.forget();
  const faults = jest.spyOn(guest.monitor, 'faulted');
  expect(violationOf(guest, [TOUCH_HEAP])?.message).toBe(PANIC);
  expect(faults).toHaveBeenCalledTimes(1);
});

test('an NMI that panics is not blamed on the page fault that it interrupted', () => {
  const guest = boot(imageOf('mainline'));
  const { machine } = guest;
  patch(guest, 'manifest.nmi_handler', jump(guest, 'manifest.nmi_handler'));
  machine.choose = () => TOUCH_HEAP;
  const body = addressOf(guest, 'page_fault_body');
  for (let i = 0; i < ENOUGH && machine.cpus[0].rip() !== body; i++) machine.step(0);
  expect(machine.cpus[0].rip()).toBe(body);
  machine.raiseNmi(0);
  expect(violationOf(guest, [])?.message).toBe(PANIC);
});

test('a fault that a rollback has undone is not named', () => {
  const guest = boot(imageOf('mainline'));
  const mark = guest.machine.mark();
  patch(guest, EXIT, [0x0f, 0x0b]);
  expect(violationOf(guest, [SYSTEM_CALL])?.message).toMatch(/#UD/);
  guest.machine.rollback(mark);
  guest.monitor.forget();
  patch(guest, EXIT, jump(guest, EXIT));
  expect(violationOf(guest, [SYSTEM_CALL])?.message).toBe(PANIC);
});

/** The image, but the panic that its manifest names is at another symbol or address. */
function withPanicAt(image: ElfImage, va: number | undefined): ElfImage {
  return { ...image, symbol: (name) => (name === 'manifest.panic' ? va : image.symbol(name)) };
}

test('a panic in .text that the user half maps is a panic there', () => {
  const image = imageOf('mainline+body-before-cr3');
  const fetched = violationOf(boot(image), [TOUCH_HEAP]);
  expect(fetched).toMatchObject({ property: S5 });
  expect(violationOf(boot(withPanicAt(image, fetched?.rip)), [TOUCH_HEAP])).toMatchObject({
    property: L1,
    message: expect.stringMatching(`^${PANIC} after #PF`),
  });
});

test('a panic in .text that the user half does not map is a panic, too', () => {
  const image = imageOf('mainline');
  const jumpsTo = (panic: ElfImage): Violation | undefined => {
    const guest = boot(panic);
    patch(guest, 'entry_syscall', jump(guest, 'entry_syscall', 'do_syscall_64'));
    return violationOf(guest, [SYSTEM_CALL]);
  };
  expect(jumpsTo(image)).toMatchObject({ property: S5 });
  expect(jumpsTo(withPanicAt(image, image.symbol('do_syscall_64')))).toMatchObject({ property: L1, message: PANIC });
});
