/**
 * Promises: a boot that goes wrong names the fault that led there, with the walk of a #PF; the first return to user
 * mode is judged by the properties; and a panic names its fault, too. The images are mainline's with one instruction
 * changed.
 */
import { readFileSync } from 'node:fs';
import { readElf } from '../../emulator/elf/elf-image';
import { Subject } from '../campaign/subject';
import { imageFile } from '../designs/images';
import { BootError, bootGuest, type Guest } from '../monitor/guest';
import { propertyNumber } from '../safety/index';

const MAINLINE = readFileSync(imageFile('mainline'));

/** mainline with the bytes of one instruction in place of another, which occurs once. */
function changed(from: string, to: string): Uint8Array {
  const bytes = Buffer.from(MAINLINE);
  const old = Buffer.from(from, 'hex');
  const at = bytes.indexOf(old);
  expect([at >= 0, bytes.indexOf(old, at + 1)]).toEqual([true, -1]);
  Buffer.from(to, 'hex').copy(bytes, at);
  return bytes;
}

/** The first bytes of _start: cld; mov %edi,%r12d; imul $0x3000,%r12,%rsp. */
const START = 'fc4189fc4969e4';

function boot(bytes: Uint8Array): Guest {
  return bootGuest(readElf(bytes, 'changed'));
}

function bootMessage(bytes: Uint8Array): string {
  try {
    boot(bytes);
  } catch (error) {
    if (error instanceof BootError) return [error.message, ...error.details].join('\n');
    throw error;
  }
  throw new Error('expected the boot to fail');
}

test('a boot that ends in a shutdown names the fault: no IDT is loaded yet', () => {
  // ud2; nop; nop
  const message = bootMessage(changed(START, '0f0b9090'));
  expect(message).toMatch(
    /^changed: CPU 0 shut down at _start\+0x0 before it reached user mode, after #UD at _start\+0x0 \(ud2\), not delivered/,
  );
});

test('a boot that ends after a page fault tells CR2, the error code and the walk', () => {
  // mov (%rdx,%rdx,8),%eax in place of mov %rax,%cr0: reads address 0, which nothing maps
  const message = bootMessage(changed('0f22c0', '8b04d2'));
  expect(message).toMatch(/#PF\(0x0\) at \S+ \(mov \(%rdx,%rdx,8\),%eax\), not delivered/);
  expect(message).toMatch(/\n {2}CR2 [0-9a-f]{16}: not present, read, supervisor\n/);
  expect(message).toMatch(/\n {2}CR3 [0-9a-f]+ .*-> PML4\[\d+\] = [0-9a-f]{16} /);
  expect(message).toMatch(/ not present\n {2}whose delivery raised #GP/);
});

test('the first return to user mode is judged: interrupts are off there', () => {
  // movq $2, 144(%rdx) in place of movq $0x202, 144(%rdx): the RFLAGS of every task
  const { monitor } = boot(changed('48c7829000000002020000', '48c7829000000002000000'));
  expect(monitor.violation).toMatchObject({
    property: propertyNumber('user-flags-are-safe'),
    message: 'expected IF=1 in user mode, found IF=0',
  });
});

test('the first return to user mode of mainline as it is violates nothing', () => {
  expect(boot(MAINLINE).monitor.violation).toBeUndefined();
});

test('a panic names the fault that led there', () => {
  // ud2; nop; nop in place of notq 88(%rbx), where a system call decides to leave by IRET
  const subject = new Subject({ design: 'mainline', elf: { name: 'changed', bytes: changed('48f75358', '0f0b9090') } });
  const { system } = subject;
  system.reset();
  const choices = [0, 1];
  let outcome = system.initially();
  for (let i = 0; i < 30 && outcome?.kind !== 'violated'; i++)
    outcome = system.take({ kind: 'step', cpu: 0 }, () => choices.shift() ?? 0).outcome;
  expect(outcome).toMatchObject({ kind: 'violated', property: propertyNumber('entry-terminates') });
  expect(outcome).toHaveProperty(
    'message',
    expect.stringMatching(
      /found the panic of the guest after #UD at do_syscall_64\+0x\w+ \(ud2\), delivered to panic\+0x0/,
    ),
  );
});
