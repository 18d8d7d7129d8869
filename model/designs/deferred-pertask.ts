import type { DesignTable, EntryStep, ExitStep } from './design-table';
import { mainline } from './mainline';

const idtEntry: readonly EntryStep[] = ['swapgs-to-kernel', 'load-kernel-cr3', 'load-kernel-stack', 'enter-body'];
/** From the PTI stack, where the exit work runs and the task may be scheduled out. */
const byIret: readonly ExitStep[] = ['load-user-cr3', 'swapgs-to-user', 'iret-to-user'];
const bySysret: readonly ExitStep[] = ['load-user-cr3', 'load-user-rsp', 'swapgs-to-user', 'sysret'];

/** The RFC "Defer CR3 switch to C code": a PTI stack per task, mapped in both halves. */
export const deferredPertask: DesignTable = {
  ...mainline,
  name: 'deferred-pertask',
  entryStack: 'per-task',
  entryCodeInUserTable: true,
  fromUser: {
    syscall: {
      enter: ['swapgs-to-kernel', 'load-entry-stack', 'load-kernel-cr3', 'load-kernel-stack', 'enter-body'],
      leave: [
        ['return-to-pti-stack', ...bySysret],
        ['return-to-pti-stack', ...byIret],
      ],
    },
    irq: {
      enter: ['swapgs-to-kernel', 'load-kernel-cr3', 'load-irq-stack', 'enter-body'],
      leave: [['leave-irq-stack', ...byIret]],
    },
    'page-fault': { enter: idtEntry, leave: [['return-to-pti-stack', ...byIret]] },
    'general-protection': { enter: idtEntry, leave: [['return-to-pti-stack', ...byIret]] },
    nmi: {
      enter: ['swapgs-to-kernel', 'load-entry-stack', 'load-kernel-cr3', 'load-kernel-stack', 'enter-body'],
      leave: [['return-to-pti-stack', ...byIret]],
    },
  },
  fromKernel: {
    ...mainline.fromKernel,
    // CR3 changes in C code, and C code needs the kernel's GS.
    nmi: { enter: ['swapgs-to-kernel', 'load-kernel-cr3', 'enter-body'], leave: mainline.fromKernel.nmi.leave },
  },
  firstRun: { stack: 'pti' },
  contextSwitch: ['switch-mm', 'switch-to', 'release-cpu', 'set-current', 'set-top', 'set-sp0'],
};
