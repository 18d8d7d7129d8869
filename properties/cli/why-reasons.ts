/** What would have to be modelled to see the need of a step that no property needs. */
import type { Step } from '../../model/designs/sequences';

const REASONS: Partial<Record<Step, string>> = {
  'read-cr3-into-rsp': 'the registers. CR3 is written from one, and rsp is the only one that SYSCALL leaves free.',
  'load-irq-stack': 'the depth of a stack. Without it handlers nest on the stack that they interrupt.',
  'leave-irq-stack':
    'that the task is preempted after the handler, which cannot be done on the IRQ stack. The way back copies the frame from wherever it is.',
  'load-kernel-stack':
    'the words of a frame. A body on the IST stack or the entry stack is overwritten by the next event that arrives there.',
  'restore-user-cr3': 'an NMI that finds the user half; this design has none.',
  'return-to-pti-stack': 'the words of a frame: the way back reads it on the PTI stack.',
  'repeat-nmi': 'more NMIs than these bounds have.',
};

export function reasonFor(step: Step, sequence: string): string {
  return REASONS[step] ?? `nothing is known that needs it in ${sequence}: look at the design again, or at the bounds.`;
}
