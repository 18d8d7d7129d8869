/**
 * Promise: a mutant is one instruction that was executed and does something; the check that holds without it is asked
 * with it, and the kernel is afterwards what it was before. The kernel here is a few instructions.
 */
import { coverageOf } from './entry-coverage';
import { mutantsOf, tryMutant } from './entry-mutants';
import { KernelSystem } from './kernel-system';
import { KernelText } from './kernel-text';
import { survivorGroups } from './mutant-groups';
import { SweptCode } from './swept-code';
import { NMI_BODY, SMALL_CODE, SMALL_PROGRAM, smallKernel } from './testing/small-kernel';

const BASE = NMI_BODY - 288;
const EXTENTS = [{ start: BASE, end: BASE + 304 }];
const code = new SweptCode(SMALL_CODE);
const EXCURSIONS = [
  { name: 'first', round: 0 },
  { name: 'second', round: 0 },
];

function opened() {
  const linux = smallKernel();
  const text = new KernelText(linux.machine.memory, {
    segments: [{ vaddr: BASE, paddr: 0x400000, memsz: 4096 }],
    symbols: { list: [], find: () => undefined },
  });
  return { system: new KernelSystem(linux, SMALL_PROGRAM, NMI_BODY), text };
}

/** CPL 0 alone is noted, and this kernel has nothing else: its program is among it. */
const coverage = (system: KernelSystem) => EXCURSIONS.map((excursion) => coverageOf(system, code, EXTENTS, excursion));

test('what an excursion executes by itself, and what only events in it execute', () => {
  const { system } = opened();
  const print = system.linux.machine.fingerprint();
  const [first, second] = coverage(system);
  const offsets = (addresses: readonly number[]) => [...addresses].map((va) => va - BASE).sort((a, b) => a - b);
  expect(offsets(first.own).slice(-6)).toEqual([192, 193, 194, 195, 196, 197]);
  const machineCheck = [168, 169, 170, 171, 176, 178, 180, 182, 183, 184, 185];
  expect(offsets(first.inEvents)).toEqual([...machineCheck, 256, 257, 259, 264, 272, 273, 278, 284, 285, 288, 289]);
  expect(offsets(second.own)).toEqual(expect.arrayContaining([224, 229, 231, 233]));
  expect(offsets(second.inEvents)).toEqual([...machineCheck, 256, 257, 259, 264, 288, 289]);
  expect(system.linux.machine.fingerprint()).toBe(print);
});

test('each mutant is killed or survives, and leaves nothing behind', () => {
  const { system, text } = opened();
  const mutants = mutantsOf(text, EXTENTS, coverage(system));
  const print = system.linux.machine.fingerprint();
  const verdictAt = (offset: number) => {
    const mutant = mutants.find(({ va }) => va === BASE + offset);
    return mutant && tryMutant(system, code, text, mutant).killed?.property;
  };
  // push %rax of the NMI, its jmp to the body, its IRETQ; push of the excursion; the end of the second one.
  expect([256, 259, 289, 194, 233].map(verdictAt)).toEqual([
    'no-shutdown',
    'no-shutdown',
    'executable',
    undefined,
    expect.any(String),
  ]);
  // xor %eax,%eax is undone by the pop; a NOP is no mutant.
  expect(verdictAt(257)).toBeUndefined();
  expect(mutants.map(({ va }) => va - BASE)).not.toContain(193);
  expect(system.linux.machine.fingerprint()).toBe(print);
});

test('survivors are grouped by what they are', () => {
  const survivors = [
    { text: 'xor %eax,%eax', symbol: 'error_entry' },
    { text: 'lfence', symbol: 'error_entry' },
    { text: 'jne 0xffffffff8100329f', symbol: '__switch_to_asm' },
    { text: 'cld', symbol: 'asm_exc_nmi' },
    { text: 'bts $0x3f,%rdx', symbol: 'asm_exc_nmi' },
    { text: 'jae 0xffffffff81c01150', symbol: 'swapgs_restore_regs_and_return_to_usermode' },
    { text: 'bt %rax,%gs:0x31296', symbol: 'paranoid_exit' },
    { text: 'jb 0xffffffff81c01627', symbol: 'asm_exc_nmi' },
    { text: 'mov $0xffffffffffffffff,%rsi', symbol: 'end_repeat_nmi' },
    { text: 'cmp %rcx,%r11', symbol: 'entry_SYSCALL_64_after_hwframe' },
    { text: 'mov 0x58(%rsp),%rcx', symbol: 'entry_SYSCALL_64_after_hwframe' },
    { text: 'jne 0xffffffff81c00bc5', symbol: 'asm_exc_int3' },
    { text: 'mov %ecx,%eax', symbol: 'error_entry' },
    { text: 'mov %edi,%gs', symbol: 'asm_load_gs_index' },
    { text: 'mov %rsp,%rdi', symbol: 'error_entry' },
  ];
  expect(survivorGroups(survivors).map(({ name, survivors: own }) => [name, own.length])).toEqual([
    ['the selector of GS', 1],
    ['clearing of registers', 1],
    ['buffers and speculation', 2],
    ['flags', 1],
    ['bits that keep the TLB', 2],
    ['a flush that is owed behind an NMI or a #DB', 1],
    ['the NMI stack in the RSP of user mode', 1],
    ['protocol of nested NMIs', 1],
    ['tests before SYSRET', 2],
    ['INT3 of the kernel', 1],
    ['other processors', 1],
    ['anything else', 1],
  ]);
});
