/**
 * S10 entry-stack-is-coherent: in user mode TSS.sp0 is the entry stack of the design for the current task, and
 * top_of_stack is the task's. Where the entry stack is per task it is mapped writable, for the supervisor, in the
 * active user half (by walking the tables, not by the TLB).
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { CR3 } from '../../emulator/registers';
import { hexVa } from '../../emulator/words';
import { ENTRY, PTI } from '../../model/kinds';
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

const ROOT = 0xfffff000 | 0;

function entryStackIsCoherent(scene: Scene, cpu: Cpu): Answer {
  const { view } = scene;
  if (view.manifest.unknownStacks.includes('pti')) return undefined;
  const t = view.currentThread(cpu.index);
  const top = view.manifest.topOffset === undefined ? t : view.topThread(cpu.index);
  if (t < 0 || top !== t)
    return `expected top_of_stack of task t${t} in user mode, found ${top < 0 ? 'no stack' : `that of t${top}`}`;
  const sp0 = view.sp0(cpu.index);
  const region = view.regionEndingAt(sp0);
  if (!view.manifest.stacks.has('pti')) {
    if (region?.kind !== ENTRY || region.cpu !== cpu.index)
      return `expected sp0 at the top of the entry stack of CPU ${cpu.index} in user mode, found ${hexVa(sp0)}`;
    return undefined;
  }
  if (region?.kind !== PTI || region.thread !== t)
    return `expected sp0 at the top of the PTI stack of task t${t} in user mode, found ${region?.name ?? hexVa(sp0)}`;
  const leaf = view.machine.translate(cpu.r[CR3] & ROOT, sp0 - 8);
  if (leaf === undefined || !leaf.writable || leaf.user)
    return `expected ${region.name} to be mapped writable for the supervisor in the user table, found ${leaf === undefined ? 'no mapping' : 'other rights'}`;
  return undefined;
}

export const ENTRY_STACK_IS_COHERENT: BuiltInProperty = {
  number: 10,
  slug: 'entry-stack-is-coherent',
  promise: 'In user mode sp0 and top_of_stack name the stacks of the current task, and the user half maps them.',
  violated: 'The next entry from user mode would arrive on a stack of another task, or on one that is not mapped.',
  definition:
    'TSS.rsp0 is the top of the entry stack of this CPU, or, where the manifest has PTI stacks, of the PTI stack of `current`, which a walk of the table in CR3 finds mapped, writable, supervisor; top_of_stack is a top of a stack of `current`',
  model: 'invariant (sp0 and `top`; not the mapping)',
  mutant: 'mainline+top-not-switched',
  needs: [{ symbol: 'manifest.percpu.top_of_stack', part: 'top_of_stack' }, { symbol: 'manifest.stack.pti' }],
  moments: { userModeReached: entryStackIsCoherent },
};
