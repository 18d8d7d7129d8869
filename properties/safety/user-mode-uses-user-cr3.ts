/**
 * S2 user-mode-uses-user-cr3: when a transfer from CPL0 to CPL3 is complete, CR3 is the root that the design uses in
 * user mode, of the current task's address space, and with PCIDs the PCID is the user's (bit 11,
 * X86_CR3_PTI_PCID_USER_BIT, where the design has two halves).
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { CR3, CR4, CR4_PCIDE } from '../../emulator/registers';
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

const ROOT = 0xfffff000 | 0;
const USER_PCID_BIT = 0x800;

function userModeUsesUserCr3(scene: Scene, cpu: Cpu): Answer {
  const t = scene.view.currentThread(cpu.index);
  const cr3 = cpu.r[CR3];
  const expected = t >= 0 && scene.view.isTask(t) ? scene.view.userRoot(scene.view.mmOf(t)) : -1;
  if (cpu.r[CR3 + 1] !== 0 || (cr3 & ROOT) !== expected)
    return `expected CR3 ${expected < 0 ? 'of a user task' : expected.toString(16)} in user mode, found ${(cr3 >>> 0).toString(16)}`;
  if ((cpu.r[CR4] & CR4_PCIDE) !== 0 && scene.view.manifest.pgdUserOffset !== 0 && (cr3 & USER_PCID_BIT) === 0)
    return `expected the user PCID (bit 11) in CR3 in user mode, found ${(cr3 >>> 0).toString(16)}`;
  return undefined;
}

export const USER_MODE_USES_USER_CR3: BuiltInProperty = {
  number: 2,
  slug: 'user-mode-uses-user-cr3',
  promise: 'User mode runs on the user half of the page-table pair.',
  violated:
    'A task returned to user mode with the kernel half in CR3: the isolation that PTI is for is off (Meltdown).',
  definition: 'CR3 is U(mm of `current`); with CR4.PCIDE, and two roots a mm, bit 11 of the PCID is set',
  model: 'invariant',
  mutant: 'mainline+no-cr3-switch-on-exit',
  moments: { userModeReached: userModeUsesUserCr3 },
};
