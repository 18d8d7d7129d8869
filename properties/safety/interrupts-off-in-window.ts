/**
 * S19 interrupts-off-in-window: at CPL0, as long as CR3 is on the user half, GS is not the kernel's, or rsp is the
 * user's, IF is 0. Designs that declare that they leave the entry stack before `sti` also keep it 0 on that stack.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { CR3_WINDOW, ENTRY, USER } from '../../model/kinds';
import { STACK, USER_GS, USER_HALF } from '../ghost/ghost';
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

/** At CPL0 with interrupts on. */
function interruptsOffInWindow(scene: Scene, cpu: Cpu): Answer {
  const { words } = scene.ghost;
  const g = scene.ghost.cpu(cpu.index);
  const stack = words[g + STACK];
  if (words[g + USER_HALF] === 1) return 'expected IF=0 on the user half of the page table at CPL0, found IF=1';
  if (words[g + USER_GS] === 1) return "expected IF=0 with the user's GS at CPL0, found IF=1";
  if (stack === USER || stack === CR3_WINDOW) return "expected IF=0 while rsp is the user's at CPL0, found IF=1";
  if (stack === ENTRY && scene.view.manifest.leavesEntryStackBeforeSti)
    return 'expected IF=0 on the entry stack, which this design declares to leave before sti, found IF=1';
  return undefined;
}

export const INTERRUPTS_OFF_IN_WINDOW: BuiltInProperty = {
  number: 19,
  slug: 'interrupts-off-in-window',
  promise: "Interrupts are off wherever CR3, GS or the stack are not yet, or no longer, the kernel's.",
  violated:
    "An interrupt could arrive where the entry code has not finished switching: it would run with the user's state.",
  definition:
    "at CPL0 IF=0 while CR3 is on the user half, or GS is not the kernel's, or rsp is the user's or a CR3 value; and on the entry stack, if the manifest says `leaves_entry_stack_before_sti`",
  model: 'invariant',
  mutant: 'mainline+sti-on-trampoline',
  needs: [{ symbol: 'manifest.leaves_entry_stack_before_sti', part: 'on the entry stack' }],
  moments: { interruptsOn: interruptsOffInWindow },
};
