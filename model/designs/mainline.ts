import type { DesignTable, EntryStep, ExitStep } from './design-table';

/** An IDT entry from user mode, from whatever stack the frame is on to the kernel stack. */
const idtEntry: readonly EntryStep[] = ['swapgs-to-kernel', 'load-kernel-cr3', 'load-kernel-stack'];
const byIret: readonly ExitStep[] = ['leave-to-entry-stack', 'load-user-cr3', 'swapgs-to-user', 'iret-to-user'];
const bySysret: readonly ExitStep[] = [
  'leave-to-entry-stack',
  'load-user-cr3',
  'load-user-rsp',
  'swapgs-to-user',
  'sysret',
];

/** Linux v5.10: CR3 changes in assembly; events from user mode arrive on a per-CPU entry (trampoline) stack. */
export const mainline: DesignTable = {
  name: 'mainline',
  pageTables: 2,
  entryStack: 'per-cpu',
  entryCodeInUserTable: false,
  kernelDataInUserTable: false,
  fromUser: {
    syscall: {
      enter: ['swapgs-to-kernel', 'read-cr3-into-rsp', 'load-kernel-cr3', 'load-kernel-stack', 'enter-body'],
      leave: [bySysret, byIret],
    },
    irq: { enter: [...idtEntry, 'load-irq-stack', 'enter-body'], leave: [['leave-irq-stack', ...byIret]] },
    'page-fault': { enter: [...idtEntry, 'enter-body'], leave: [byIret] },
    'general-protection': { enter: [...idtEntry, 'enter-body'], leave: [byIret] },
    nmi: { enter: [...idtEntry, 'enter-body'], leave: [byIret] },
  },
  fromKernel: {
    irq: { enter: ['load-irq-stack', 'enter-body'], leave: ['leave-irq-stack', 'iret-to-kernel'] },
    'page-fault': { enter: ['enter-body'], leave: ['iret-to-kernel'] },
    // paranoid_entry: CR3 first, because the per-CPU offset that GS needs is mapped only in the kernel half.
    nmi: {
      enter: ['load-kernel-cr3', 'swapgs-to-kernel', 'enter-body'],
      leave: ['restore-user-cr3', 'restore-user-gs', 'repeat-nmi', 'nmi-iret-to-kernel'],
    },
  },
  firstRun: { stack: 'kernel' },
  contextSwitch: ['switch-mm', 'switch-to', 'release-cpu', 'set-current', 'set-top'],
  nestedNmis: 'repeated',
};
