/** Planted bugs that the abstract machine can express, as edits of a table. */
import type { DesignTable } from './design-table';
import { type Edit, editDesign } from './sequences';

export interface Mutant {
  readonly name: string;
  /** The design that the bug is planted in. */
  readonly of: string;
  readonly edits?: readonly Edit[];
  /** What else the table says differently. */
  readonly says?: Partial<Pick<DesignTable, 'entryCodeInUserTable' | 'kernelDataInUserTable' | 'nestedNmis'>>;
}

const onEntryStack = ['irq enter', 'page-fault enter', 'general-protection enter'];
const byIret = ['syscall iret', 'irq iret', 'page-fault iret', 'general-protection iret', 'nmi iret'];

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'no-cr3-switch-on-nmi-entry',
    of: 'mainline',
    edits: [{ leaveOut: 'load-kernel-cr3', of: ['kernel nmi enter'] }],
  },
  {
    name: 'no-cr3-restore-on-nmi-exit',
    of: 'mainline',
    edits: [{ leaveOut: 'restore-user-cr3', of: ['kernel nmi return'] }],
  },
  {
    name: 'nmi-exit-decides-cr3-by-gs',
    of: 'mainline',
    edits: [{ replace: 'restore-user-cr3', by: 'restore-user-cr3-if-user-gs', of: ['kernel nmi return'] }],
  },
  {
    name: 'no-swapgs-at-bad-iret',
    of: 'mainline',
    edits: [{ leaveOut: 'swapgs-to-kernel', of: ['general-protection enter'] }],
  },
  {
    name: 'sti-on-trampoline',
    of: 'mainline',
    edits: [
      { insert: 'sti', before: 'load-kernel-stack', of: onEntryStack },
      { insert: 'sti', before: 'load-user-cr3', of: ['syscall sysret', ...byIret] },
    ],
  },
  { name: 'kernel-stack-in-user-table', of: 'mainline', says: { kernelDataInUserTable: true } },
  {
    name: 'on-cpu-released-early',
    of: 'mainline',
    edits: [{ exchange: 'switch-to', with: 'release-cpu', of: ['context-switch'] }],
  },
  { name: 'sp0-not-switched', of: 'deferred-pertask', edits: [{ leaveOut: 'set-sp0', of: ['context-switch'] }] },
  { name: 'top-not-switched', of: 'mainline', edits: [{ leaveOut: 'set-top', of: ['context-switch'] }] },
  { name: 'no-cr3-switch-on-exit', of: 'mainline', edits: [{ leaveOut: 'load-user-cr3', of: ['syscall sysret'] }] },
  { name: 'no-swapgs-on-exit', of: 'mainline', edits: [{ leaveOut: 'swapgs-to-user', of: ['syscall sysret'] }] },
  {
    name: 'body-before-cr3',
    of: 'mainline',
    edits: [{ insert: 'enter-body', before: 'load-kernel-cr3', of: onEntryStack }],
    says: { entryCodeInUserTable: true },
  },
  { name: 'nested-nmi-ignored', of: 'mainline', says: { nestedNmis: 'ignored' } },
];

/** A design with a planted bug; undefined for a name that is no mutant of it. */
export function mutantTable(table: DesignTable, name: string): DesignTable | undefined {
  const mutant = MUTANTS.find((one) => one.name === name && one.of === table.name);
  if (mutant === undefined) return undefined;
  return { ...editDesign(table, mutant.edits ?? []), ...mutant.says };
}
