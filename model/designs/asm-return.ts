import type { DesignTable } from './design-table';
import { mainline } from './mainline';

/** CR3 changes in C code, which returns to assembly before the stack changes. */
export const asmReturn: DesignTable = {
  ...mainline,
  name: 'asm-return',
  entryCodeInUserTable: true,
  fromUser: {
    ...mainline.fromUser,
    syscall: {
      enter: ['swapgs-to-kernel', 'load-entry-stack', 'load-kernel-cr3', 'load-kernel-stack', 'enter-body'],
      leave: mainline.fromUser.syscall.leave,
    },
  },
};
