/**
 * Kernels of a distribution, where `PTI_CHECK_KERNELS` names a folder with some: all properties hold while NMIs and
 * ticks hit them at random, on two CPUs, and a mistake in their entry code is found. A few seconds for each that was
 * booted before. Without such a folder nothing of this runs, and the one test says so.
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { readKernelImage } from '../../emulator/linux/image/kernel-image';
import { readCpuFeatures } from '../../emulator/linux/platform/cpu-features';
import { readWorkload } from '../../emulator/linux/workload/workload';
import { packageFolder } from '../../model/checker/package-folder';
import { locationName } from '../guest/location';
import { shortName } from '../safety/index';
import { bootKernel } from './kernel-boot';
import { monitorKernel } from './linux-monitor';
import { quietenNmis, runAtRandom } from './random-run';

const folder = process.env.PTI_CHECK_KERNELS ?? '';
const SEEDS = ['1', '2'];
const INSTRUCTIONS = 10_000_000;
const TIMEOUT_MS = 1_200_000;
/** mov %rax,%rsp: from the entry stack to where the saved registers are. */
const TO_OWN_STACK = [0x48, 0x89, 0xc4];
const NOP = 0x90;

/** Instructions of entry code that are left out: from which symbol on, the first bytes of them, what is violated. */
const LEFT_OUT = [
  // wrmsr of IBRS
  ['entry_SYSCALL_64', [0x0f, 0x30], /^S27 .*expected IBRS/],
  // xor %r12d,%r12d
  ['error_entry', [0x45, 0x31, 0xe4], /^S26 .*expected r12/],
  // jmp behind btr of the flush mask, and the mov before it
  ['syscall_return_via_sysret', [0x48, 0x89, 0xc7, 0xeb, 0x08], /^S15 .*no-flush bit/],
] as const;

/** Booted to user mode, and observed. */
function observed(file: string, commandLine = '', cpu = '') {
  const image = readKernelImage(path.join(folder, file));
  const workload = readWorkload(path.join(packageFolder(), 'emulator/linux/workload'));
  const options = { commandLine, features: readCpuFeatures(cpu), cpus: 2, memoryMiB: 128 };
  const { linux, end, reason } = bootKernel(image, workload, options, () => {});
  expect([end, reason]).toEqual(['ready', '']);
  const kernel = monitorKernel(linux, image);
  quietenNmis(linux, image, kernel);
  /** `S9 at __switch_to_asm+0xa: ...`, or `holds`. */
  const verdict = () => {
    const { violation } = kernel.monitor;
    if (violation === undefined) return 'holds';
    const { property, rip, message } = violation;
    return `${shortName(property)} at ${locationName(image.symbols, rip)}: ${message}`;
  };
  return { image, linux, kernel, verdict };
}

if (folder === '') {
  test('NOT RUN: PTI_CHECK_KERNELS names no folder, so no kernel of a distribution is judged', () => {
    expect(folder).toBe('');
  });
} else {
  const files = readdirSync(folder).filter((name) => /^vmlinu|^linux-image.*\.deb$/.test(name));
  const small = files.filter((name) => name.includes('6.1.0') && name.includes('cloud'));

  test.each(files)(
    `%s holds for ${INSTRUCTIONS} instructions with each of the seeds ${SEEDS.join(', ')}`,
    (file) => {
      const { linux, kernel, verdict } = observed(file);
      for (const seed of SEEDS) {
        const mark = linux.machine.mark();
        expect(runAtRandom(linux, kernel.monitor, { seed, instructions: INSTRUCTIONS })).toBeGreaterThanOrEqual(
          INSTRUCTIONS,
        );
        expect([seed, verdict()]).toEqual([seed, 'holds']);
        linux.machine.rollback(mark);
        kernel.monitor.forget();
        linux.machine.release(mark);
      }
    },
    TIMEOUT_MS,
  );

  test.each(small)(
    '%s without PTI goes to user mode on the kernel table',
    (file) => {
      const { verdict } = observed(file, 'pti=off');
      expect(verdict()).toMatch(/^S2 at .*expected CR3 .* in user mode/);
    },
    TIMEOUT_MS,
  );

  test.each(
    small.flatMap((file) => [
      [file, 'mitigations=off pti=on', ''],
      [file, 'pti=on', 'amd'],
    ]),
  )(
    '%s holds with the command line "%s" and the processor "%s"',
    (file, commandLine, cpu) => {
      const { linux, kernel, verdict } = observed(file, commandLine, cpu);
      runAtRandom(linux, kernel.monitor, { seed: SEEDS[0], instructions: INSTRUCTIONS / 2 });
      expect(verdict()).toBe('holds');
    },
    TIMEOUT_MS,
  );

  test.each(small)(
    '%s that handles a page fault on the entry stack is scheduled out there',
    (file) => {
      const { image, linux, kernel, verdict } = observed(file);
      const { memory } = linux.machine;
      const gate = kernel.view.physical(image.symbols.address('asm_exc_page_fault'));
      const code = Buffer.from(memory.readBytes(gate, 64));
      const at = code.indexOf(Buffer.from(TO_OWN_STACK));
      expect(at).toBeGreaterThan(0);
      const mark = linux.machine.mark();
      for (const seed of SEEDS) {
        memory.writeBytes(gate + at, new Uint8Array(TO_OWN_STACK.length).fill(NOP));
        runAtRandom(linux, kernel.monitor, { seed, instructions: INSTRUCTIONS });
        expect([seed, verdict()]).toEqual([seed, expect.stringMatching(/^S9 at __switch_to_asm.*in entry\(c/)]);
        linux.machine.rollback(mark);
        kernel.monitor.forget();
      }
    },
    TIMEOUT_MS,
  );

  test.each(small)(
    '%s holds with IBRS and VERW, and without one of their instructions it does not',
    (file) => {
      const { image, linux, kernel, verdict } = observed(file, '', 'ibrs,md-clear');
      const { memory } = linux.machine;
      const mark = linux.machine.mark();
      const run = () => runAtRandom(linux, kernel.monitor, { seed: SEEDS[0], instructions: INSTRUCTIONS / 2 });
      run();
      expect(verdict()).toBe('holds');
      for (const [symbol, code, expected] of LEFT_OUT) {
        linux.machine.rollback(mark);
        kernel.monitor.forget();
        const at = kernel.view.physical(image.symbols.address(symbol));
        const offset = Buffer.from(memory.readBytes(at, 256)).indexOf(Buffer.from(code));
        expect([symbol, offset >= 0]).toEqual([symbol, true]);
        memory.writeBytes(at + offset, new Uint8Array(code.length).fill(NOP));
        run();
        expect([symbol, verdict()]).toEqual([symbol, expect.stringMatching(expected)]);
      }
    },
    TIMEOUT_MS,
  );
}
