/**
 * Promises: a boot that fails names the first fault whose handler has not returned, and below it CR2 and page walk, and
 * the faults that followed from it; a fault that was handled is not named; a CPU that halts in a handler does not idle.
 */
import type { ElfImage } from '../../emulator/elf/elf-image';
import { designImage } from '../designs/images';
import { BootError, bootGuest } from '../monitor/guest';

function mainline(): ElfImage {
  const image = designImage('mainline');
  if (image === undefined) throw new Error('mainline is gone');
  return image;
}

/** The image with other code at a symbol, given as hexadecimal bytes. */
function patched(image: ElfImage, symbol: string, code: string): ElfImage {
  const va = image.symbol(symbol) ?? Number.NaN;
  const segments = image.segments.map((segment) => {
    const data = Uint8Array.from(segment.data);
    if (va >= segment.vaddr && va < segment.vaddr + segment.filesz)
      data.set(Buffer.from(code.replaceAll(' ', ''), 'hex'), va - segment.vaddr);
    return { ...segment, data };
  });
  return { ...image, segments };
}

/** Sentence and details of a boot that fails. */
function failure(image: ElfImage, bounds = { cpus: 1, tasks: 1, mms: 1 }): string {
  try {
    bootGuest(image, bounds);
  } catch (error) {
    if (error instanceof BootError) return [error.message, ...error.details].join('\n');
    throw error;
  }
  return 'booted';
}

const UD2 = '0f 0b';

test.each([
  [
    'an exception without an error code',
    UD2,
    /CPU 0 panicked at panic\+0x0 before it reached user mode, after #UD at return_to_user\+0x0 \(ud2\), delivered to panic\+0x0$/,
  ],
  [
    '#GP with a selector: mov $0x6b,%eax; mov %eax,%ss',
    'b8 6b000000 8e d0',
    /, after #GP\(0x68: selector 0x68\) at return_to_user\+0x5 \(mov %eax,%ss\), delivered to entry_general_protection\+0x0$/,
  ],
  ['#GP(0): CR4 without PAE', '31 c0 0f 22 e0', /, after #GP\(0x0\) at return_to_user\+0x2 \(mov %rax,%cr4\), /],
  [
    '#PF: movb $1,0x10000000',
    'c6 04 25 00000010 01',
    /, after #PF\(0x2\) at return_to_user\+0x0 \(movb \$1,0x10000000\), delivered to entry_page_fault\+0x0\n {2}CR2 0000000010000000: not present, write, supervisor\n {2}CR3 [0-9a-f]+ \(kernel half of mm0\) -> PML4\[0\] = [0-9a-f]{16} W user NX -> PDPT\[0\] = [0-9a-f]{16} W user -> PD\[128\] = 0{16} not present$/,
  ],
  [
    '#PF on a read-only page: movb $1,entry_syscall',
    'c6 04 25 40100081 01',
    /, after #PF\(0x3\) .*\n {2}CR2 ffffffff81001040: a right is missing, write, supervisor\n.* -> PT\[1\] = [0-9a-f]{16} R supervisor$/,
  ],
  [
    'kernel data by GS, with the GS base of the user: swapgs; mov %gs:0,%eax',
    '0f 01 f8 65 8b 04 25 00000000',
    /, after #PF\(0x1\) at return_to_user\+0x3 \(mov %gs:0,%eax, GS base [0-9a-f]{16}\), /,
  ],
  [
    'no IDT: push $0; push $0; lidt (%rsp); ud2',
    `6a 00 6a 00 0f 01 1c 24 ${UD2}`,
    /CPU 0 shut down at return_to_user\+0x8 .*, after #UD at .*, not delivered\n {2}whose delivery raised #GP\(0x33: gate of #UD, external event\) at .*, not delivered\n {2}whose delivery raised #GP\(0x6b: gate of #GP, external event\) at .*, not delivered/,
  ],
  [
    'a halt without a fault',
    'f4',
    /CPU 0 halted at return_to_user\+0x0 before it reached user mode; no fault led there: [^\n]*$/,
  ],
])('%s', (_what, code, report) => {
  expect(failure(patched(mainline(), 'return_to_user', code))).toMatch(report);
});

test('a handler that faults like its cause, again and again, is told once', () => {
  const store = 'c6 04 25 00000010 01';
  const report = failure(patched(patched(mainline(), 'return_to_user', store), 'handle_page_fault', store));
  expect(
    report.match(/\n {2}in whose handler was raised #PF\(0x2\) at handle_page_fault\+0x0 .*, \d+ times\n/g),
  ).toHaveLength(1);
});

test('a fault whose handler has returned is not named: INT3 with a handler of its own, then HLT', () => {
  const handled = patched(mainline(), 'panic', '48 cf');
  expect(failure(patched({ ...handled, symbol: withoutPanic(handled) }, 'return_to_user', 'cc f4'))).toMatch(
    /halted at return_to_user\+0x1 before .*; no fault led there/,
  );
});

test('a CPU without a task that halts in a handler does not idle', () => {
  const bounds = { cpus: 2, tasks: 1, mms: 1 };
  expect(failure(mainline(), bounds)).toBe('booted');
  const image = patched(mainline(), 'idle_loop', UD2);
  expect(failure(image, bounds)).toMatch(/CPU 1 panicked .*, after #UD at idle_loop\+0x0 \(ud2\)/);
  expect(failure({ ...image, symbol: withoutPanic(image) }, bounds)).toMatch(
    /CPU 1 halted at panic\+0x1 .*, after #UD at idle_loop\+0x0 \(ud2\)/,
  );
});

/** The symbols of an image that names no panic. */
function withoutPanic(image: ElfImage): ElfImage['symbol'] {
  return (name) => (name === 'manifest.panic' ? undefined : image.symbol(name));
}
