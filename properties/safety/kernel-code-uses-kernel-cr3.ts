/**
 * S5 kernel-code-uses-kernel-cr3: instrumentable code (section .text) is fetched only on the kernel half (judged before
 * the fetch), and at CPL0 with interrupts on CR3 belongs to the address space of the current task. With interrupts off
 * the two differ legally, inside switch_mm.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import type { Fault } from '../../emulator/observer';
import { CPL, CR3 } from '../../emulator/registers';
import { toVa } from '../../emulator/words';
import { nmiIsOpen } from '../ghost/contexts';
import { USER_HALF } from '../ghost/ghost';
import { isFetchFault } from './fetch-fault';
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

function codeUsesKernelCr3(scene: Scene, cpu: Cpu): Answer {
  const g = scene.ghost.cpu(cpu.index);
  if (cpu.r[CPL] !== 0 || scene.ghost.words[g + USER_HALF] === 0) return undefined;
  return 'expected the kernel half in CR3 for a fetch of instrumentable code (.text), found the user half';
}

/** A fetch that faults because the user half does not map the code is judged before the fetch: it comes before S1. */
function codeIsMapped(scene: Scene, cpu: Cpu, fault: Fault): Answer {
  if (!isFetchFault(scene, cpu, fault)) return undefined;
  const va = toVa(fault.addressLo, fault.addressHi);
  return !scene.view.isPanic(va) && scene.view.isText(va) ? codeUsesKernelCr3(scene, cpu) : undefined;
}

function enabledInterruptsUseOwnCr3(scene: Scene, cpu: Cpu): Answer {
  if (scene.view.bounds.mms === 1) return undefined;
  const t = scene.view.currentThread(cpu.index);
  if (t < 0 || !scene.view.isTask(t) || scene.ghost.words[scene.ghost.cpu(cpu.index) + USER_HALF] === 1)
    return undefined;
  const mm = scene.view.mmOfRoot(cpu.r[CR3]);
  if (mm !== scene.view.mmOf(t) && mm !== scene.view.loadedMm(cpu.index))
    return `expected CR3 of address space ${scene.view.mmOf(t)} (task t${t}) with interrupts on, found that of address space ${mm}`;
  return undefined;
}

/** Before an access to user memory: inside an NMI, which can hit in the middle of switch_mm (nmi_uaccess_okay). */
function nmiUsesOwnUserMemory(scene: Scene, cpu: Cpu): Answer {
  const running = scene.ghost.running(cpu.index);
  const t = scene.view.currentThread(cpu.index);
  if (t < 0 || !scene.view.isTask(t) || !nmiIsOpen(scene.ghost, running, false)) return undefined;
  const mm = scene.view.mmOfRoot(cpu.r[CR3]);
  if (mm !== scene.view.mmOf(t))
    return `expected an NMI to read the user memory of task t${t}, found CR3 of address space ${mm}`;
  return undefined;
}

export const KERNEL_CODE_USES_KERNEL_CR3: BuiltInProperty = {
  number: 5,
  slug: 'kernel-code-uses-kernel-cr3',
  promise:
    'Code that may be instrumented runs on the kernel half, and with interrupts on in the address space of its task.',
  violated:
    'Ordinary kernel code ran on the user half, which does not map it: on hardware a #PF that cannot be handled.',
  definition:
    'an instruction of `.text` is fetched on the kernel half; and at CPL0 with IF=1, CR3 belongs to the mm of `current` (not asked of an idle thread, which borrows)',
  model: 'requires: the first fetch of a body',
  mutant: 'mainline+body-before-cr3',
  moments: {
    fetched: codeUsesKernelCr3,
    faulted: codeIsMapped,
    userMemoryAccessed: nmiUsesOwnUserMemory,
    interruptsOn: enabledInterruptsUseOwnCr3,
  },
};
