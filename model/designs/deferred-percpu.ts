import type { DesignTable, EntryStep, ExitStep } from './design-table';
import { mainline } from './mainline';

const idtEntry: readonly EntryStep[] = ['swapgs-to-kernel', 'load-kernel-cr3'];
const byIret: readonly ExitStep[] = ['load-user-cr3', 'swapgs-to-user', 'iret-to-user'];
const bySysret: readonly ExitStep[] = ['load-user-cr3', 'load-user-rsp', 'swapgs-to-user', 'sysret'];

/** CR3 changes in C code, and everything up to the exit stays on the per-CPU entry stack. */
export const deferredPercpu: DesignTable = {
  ...mainline,
  name: 'deferred-percpu',
  entryCodeInUserTable: true,
  fromUser: {
    syscall: {
      enter: ['swapgs-to-kernel', 'load-entry-stack', 'load-kernel-cr3', 'enter-body'],
      leave: [bySysret, byIret],
    },
    irq: { enter: [...idtEntry, 'load-irq-stack', 'enter-body'], leave: [['leave-irq-stack', ...byIret]] },
    'page-fault': { enter: [...idtEntry, 'enter-body'], leave: [byIret] },
    'general-protection': { enter: [...idtEntry, 'enter-body'], leave: [byIret] },
    // IST events are those of mainline: on the entry stack they would overwrite what they interrupt.
    nmi: mainline.fromUser.nmi,
  },
  firstRun: { stack: 'kernel', leave: mainline.fromUser.syscall.leave },
};
