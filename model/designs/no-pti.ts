import type { DesignTable, EntryStep, ExitStep } from './design-table';
import { mainline } from './mainline';

const idtEntry: readonly EntryStep[] = ['swapgs-to-kernel', 'load-kernel-stack'];
const byIret: readonly ExitStep[] = ['leave-to-entry-stack', 'swapgs-to-user', 'iret-to-user'];
const bySysret: readonly ExitStep[] = ['leave-to-entry-stack', 'load-user-rsp', 'swapgs-to-user', 'sysret'];

/** `mainline` with one page table. */
export const noPti: DesignTable = {
  ...mainline,
  name: 'no-pti',
  pageTables: 1,
  kernelDataInUserTable: true,
  fromUser: {
    syscall: { enter: ['swapgs-to-kernel', 'load-kernel-stack', 'enter-body'], leave: [bySysret, byIret] },
    irq: { enter: [...idtEntry, 'load-irq-stack', 'enter-body'], leave: [['leave-irq-stack', ...byIret]] },
    'page-fault': { enter: [...idtEntry, 'enter-body'], leave: [byIret] },
    'general-protection': { enter: [...idtEntry, 'enter-body'], leave: [byIret] },
    nmi: { enter: [...idtEntry, 'enter-body'], leave: [byIret] },
  },
  fromKernel: {
    ...mainline.fromKernel,
    nmi: {
      enter: ['swapgs-to-kernel', 'enter-body'],
      leave: ['restore-user-gs', 'repeat-nmi', 'nmi-iret-to-kernel'],
    },
  },
};
