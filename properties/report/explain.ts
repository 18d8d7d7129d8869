/**
 * What each property promises and what it means when it does not hold, for readers who have never seen this program:
 * one sentence each, by slug.
 */
import { propertyNumber } from '../safety/property';

export interface Explanation {
  /** What the property promises. */
  readonly promise: string;
  /** What has gone wrong when it is violated, in terms of a real kernel. */
  readonly violated: string;
}

const EXPLANATIONS: Readonly<Record<string, Explanation>> = {
  'accesses-are-mapped': {
    promise: "Every fetch and access at CPL0, the processor's own included, is mapped with the rights that it needs.",
    violated:
      'The kernel touched something that the page table in CR3 does not map: on hardware an oops, or a #DF and a reset.',
  },
  'user-mode-uses-user-cr3': {
    promise: 'User mode runs on the user half of the page-table pair.',
    violated:
      'A task returned to user mode with the kernel half in CR3: the isolation that PTI is for is off (Meltdown).',
  },
  'user-mode-uses-user-gs': {
    promise: "User mode runs with the GS base of its own task, and the kernel's is in the other register.",
    violated: 'A task returned to user mode with a wrong GS base: a swapgs too many or too few.',
  },
  'kernel-gs-accesses-use-kernel-gs': {
    promise: 'Every GS-relative access of the kernel uses the per-CPU area of its own CPU.',
    violated: 'The kernel used a GS base that is not its own: user space decides where per-CPU data is.',
  },
  'kernel-code-uses-kernel-cr3': {
    promise:
      'Code that may be instrumented runs on the kernel half, and with interrupts on in the address space of its task.',
    violated:
      'Ordinary kernel code ran on the user half, which does not map it: on hardware a #PF that cannot be handled.',
  },
  'resume-is-exact': {
    promise: 'What an event interrupted goes on exactly as it was: registers, stack, CR3, GS, scratch words.',
    violated: 'An interrupted context was resumed with something changed: corruption that shows much later.',
  },
  'live-frames-are-untouched': {
    promise: 'A return frame is written by nobody but its owner while it is live.',
    violated:
      'Somebody wrote over a return frame that was still needed: the return goes to a wrong place or a wrong stack.',
  },
  'stack-is-legal': {
    promise: 'The kernel pushes and pops only on stacks of its own CPU or running task that nobody else is using.',
    violated: 'Two contexts used one stack, or a stack pointer that is none: silent corruption.',
  },
  'scheduled-out-on-own-stack': {
    promise:
      'A task that is scheduled out leaves what it needs on stacks of its own, never on one that its CPU shares.',
    violated:
      'A task was scheduled out while it stood on a per-CPU stack, which the next entry on that CPU overwrites.',
  },
  'entry-stack-is-coherent': {
    promise: 'In user mode sp0 and top_of_stack name the stacks of the current task, and the user half maps them.',
    violated: 'The next entry from user mode would arrive on a stack of another task, or on one that is not mapped.',
  },
  'user-table-is-minimal': {
    promise: 'In its kernel half the user page table maps what entering the kernel needs, and nothing else.',
    violated: 'User page tables map kernel memory that has to be hidden from user mode: readable by Meltdown.',
  },
  'nmi-is-kept': {
    promise: 'No NMI is lost, and the NMI handler is not entered again before it has returned.',
    violated: 'An NMI was lost or its handler re-entered: nested NMIs are not handled.',
  },
  'fast-return-is-canonical': {
    promise: "SYSRET returns to a canonical address, and nothing is delivered at CPL0 on the user's stack.",
    violated: 'An event ran in kernel mode on a stack that user space chose (CVE-2012-0217 is the classic one).',
  },
  'no-double-fault': {
    promise: 'No fault is raised while another one is being delivered.',
    violated: 'A fault could not be delivered: #DF, and on most kernels the end.',
  },
  'interrupts-off-in-window': {
    promise: "Interrupts are off wherever CR3, GS or the stack are not yet, or no longer, the kernel's.",
    violated:
      "An interrupt could arrive where the entry code has not finished switching: it would run with the user's state.",
  },
  'flags-are-clear-at-body': {
    promise: 'Ordinary kernel code begins with DF, TF, NT and AC clear, whatever user code had set.',
    violated: "C code ran with a flag of the user's: string instructions go backwards, or user memory is open to it.",
  },
  'user-flags-are-safe': {
    promise: 'User mode runs with IF=1 and IOPL 0.',
    violated: 'A task returned to user mode with interrupts off or with the right to do port I/O.',
  },
  'entry-terminates': {
    promise: 'Every entry returns, switches, or asks for something within 4096 instructions, and never panics.',
    violated: 'The kernel does not get out of an entry: a hang or a panic.',
  },
  'nmi-is-delivered': {
    promise: 'A pending NMI is delivered within 512 instructions after the last NMI has ended.',
    violated: 'NMIs stay blocked: the watchdog and perf are dead on that CPU.',
  },
  'nesting-is-bounded': {
    promise: 'At most six contexts are open at a time.',
    violated: 'Faults keep nesting: the handler faults in the way that it should handle.',
  },
  refinement: {
    promise: 'Every instruction leaves the abstract state alone or is one transition of the abstract machine.',
    violated: 'The code did something that the abstract machine of its design does not allow: one of the two is wrong.',
  },
  'no-deadlock': {
    promise: 'From every state something can happen.',
    violated:
      'Nothing can happen any more: a state of the abstract machine without successor, or CPUs that wait for each other with interrupts off.',
  },
};

const UNKNOWN: Explanation = { promise: 'Not a property of this version.', violated: 'A property of another version.' };

/** The explanation of a slug; for one that this version does not have, a sentence that says so. */
export function explain(slug: string): Explanation {
  return Object.hasOwn(EXPLANATIONS, slug) ? EXPLANATIONS[slug] : UNKNOWN;
}

/** The short name that documents use (S9, L1), or an empty string for what has none. */
export function propertyLabel(slug: string): string {
  const number = propertyNumber(slug);
  if (number === undefined) return '';
  return number > 100 ? `L${number - 100}` : `S${number}`;
}
