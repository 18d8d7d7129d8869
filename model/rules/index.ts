/**
 * Every rule of the abstract machine, by the name that it has in traces, reports and counterexample files. Events come
 * first: a reader of the list sees what may happen to a CPU before what the CPU does about it.
 */

import type { IndexSort } from '../checker/language/schema-types';
import type { Rule } from '../checker/model';
import type { DesignConfig } from '../design-config';
import type { State } from '../schema';
import { allotIrq, allotNmi, allottedIrq, allottedNmi } from './allotment';
import { cli, leaveIrqStack, returnToPtiStack, setCurrent, setSp0, setTop, sti, switchMm, switchTo } from './body';
import {
  enterBody,
  loadEntryStack,
  loadIrqStack,
  loadKernelCr3,
  loadKernelStack,
  readCr3IntoRsp,
  restartNmiHandler,
  swapgsToKernel,
} from './entry';
import { badIret, irq, kernelPageFault, latchedNmi, nmi, syscall, userPageFault } from './events';
import {
  iretToKernel,
  iretToUser,
  leaveToEntryStack,
  loadUserCr3,
  loadUserRsp,
  nmiIretToKernel,
  repeatNmi,
  restoreUserCr3,
  restoreUserGs,
  swapgsToUser,
  sysret,
} from './exit';

type Apply = Rule<State, DesignConfig>['apply'];

/** Something that arrives from outside the CPU's instruction stream: the harness has to raise it. */
function raised(name: string, apply: Apply): Rule<State, DesignConfig> {
  return { name, event: true, params: ['cpu'], apply };
}

/** Something that the CPU's own instructions do. */
function step(name: string, apply: Apply, more: readonly IndexSort[] = []): Rule<State, DesignConfig> {
  return { name, event: false, params: ['cpu', ...more], apply };
}

export const RULES: readonly Rule<State, DesignConfig>[] = [
  raised('irq', irq),
  raised('nmi', nmi),
  step('latched-nmi', latchedNmi),
  step('syscall', syscall),
  step('user-page-fault', userPageFault),
  step('kernel-page-fault', kernelPageFault),
  step('bad-iret', badIret),
  step('swapgs-to-kernel', swapgsToKernel),
  step('read-cr3-into-rsp', readCr3IntoRsp),
  step('load-kernel-cr3', loadKernelCr3),
  step('load-entry-stack', loadEntryStack),
  step('load-kernel-stack', loadKernelStack),
  step('load-irq-stack', loadIrqStack),
  step('enter-body', enterBody),
  step('restart-nmi-handler', restartNmiHandler),
  step('leave-irq-stack', leaveIrqStack),
  step('return-to-pti-stack', returnToPtiStack),
  step('sti', sti),
  step('cli', cli),
  step('switch-mm', switchMm, ['mm']),
  step('switch-to', switchTo, ['thread']),
  step('set-current', setCurrent),
  step('set-top', setTop),
  step('set-sp0', setSp0),
  step('leave-to-entry-stack', leaveToEntryStack),
  step('load-user-cr3', loadUserCr3),
  step('load-user-rsp', loadUserRsp),
  step('swapgs-to-user', swapgsToUser),
  step('sysret', sysret),
  step('iret-to-user', iretToUser),
  step('restore-user-cr3', restoreUserCr3),
  step('restore-user-gs', restoreUserGs),
  step('iret-to-kernel', iretToKernel),
  step('nmi-iret-to-kernel', nmiIretToKernel),
  step('repeat-nmi', repeatNmi),
];

/** Rules of the partial-order reduction, in place of `irq` and `nmi`. */
export const ALLOTMENT_RULES: readonly Rule<State, DesignConfig>[] = [
  raised('allot-irq', allotIrq),
  raised('allot-nmi', allotNmi),
  raised('allotted-irq', allottedIrq),
  raised('allotted-nmi', allottedNmi),
];
