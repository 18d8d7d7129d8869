/**
 * The designs: a name with two halves, a configuration of the abstract machine and a guest image, and what is expected
 * of it. A mutant is a design with one planted bug, and names the property that catches it. The table is the single
 * source for `designs`, for bare `pti-check` and for the tests.
 */
import type { Bounds } from '../../model/checker/language/schema-types';

export interface Design {
  /** `mainline`, or `mainline+sti-on-trampoline` for a mutant. */
  readonly id: string;
  readonly title: string;
  readonly expected: 'safe' | 'unsafe';
  /** Slug of the property that an unsafe design violates. */
  readonly property?: string;
  /** Smallest extra stack per task that the design could do with, bytes. */
  readonly minimumExtraBytesPerTask: number;
  /** Folder of its sources. */
  readonly source: string;
}

const PAGE = 4096;

export const DESIGNS: readonly Design[] = [
  design('mainline', 'v5.10 order: CR3 in assembly, per-CPU trampoline stack', 'safe'),
  design(
    'deferred-percpu',
    'CR3 switch in C, body still on the per-CPU trampoline stack',
    'unsafe',
    'scheduled-out-on-own-stack',
  ),
  {
    ...design('deferred-pertask', 'CR3 switch in C, per-task PTI stack (the RFC, mended)', 'safe'),
    minimumExtraBytesPerTask: PAGE,
  },
  design('asm-return', 'CR3 switch in C, then return to assembly to switch stacks', 'safe'),
  design('no-pti', 'one page table: the kernel is mapped at CPL3', 'unsafe', 'user-table-is-minimal'),
];

function design(id: string, title: string, expected: 'safe' | 'unsafe', property?: string): Design {
  const source = `emulator/guest/${id}`;
  return { id, title, expected, ...(property === undefined ? {} : { property }), minimumExtraBytesPerTask: 0, source };
}

/** A design with one planted bug. */
export interface Mutant {
  readonly id: string;
  /** Slug of the property that catches it. */
  readonly property: string;
  /** Bounds that its shortest trace needs beyond the default ones. */
  readonly bounds?: Partial<Bounds>;
  /** Random runs after which it should have been caught, where it takes more than a few. */
  readonly runs?: number;
}

function mutants(base: string, table: Readonly<Record<string, string>>): Mutant[] {
  return Object.entries(table).map(([name, property]) => ({ id: `${base}+${name}`, property }));
}

/** Two NMIs, one inside the other, and nothing else: the default bounds have one. */
const NESTED_NMI: Partial<Bounds> = { nesting: 3, nmis: 2, irqs: 0 };

export const MUTANTS: readonly Mutant[] = [
  ...mutants('mainline', {
    'entry-stack-read-only': 'accesses-are-mapped',
    'nmi-stack-unmapped': 'accesses-are-mapped',
    'no-cr3-switch-on-nmi-entry': 'accesses-are-mapped',
    'no-cr3-switch-on-idt-entry': 'accesses-are-mapped',
    'no-cr3-switch-on-exit': 'user-mode-uses-user-cr3',
    'no-swapgs-on-exit': 'user-mode-uses-user-gs',
    'no-swapgs-at-bad-iret': 'kernel-gs-accesses-use-kernel-gs',
    'body-before-cr3': 'kernel-code-uses-kernel-cr3',
    'no-cr3-restore-on-nmi-exit': 'resume-is-exact',
    'nmi-exit-decides-cr3-by-gs': 'resume-is-exact',
    'user-rsp-in-scratch': 'resume-is-exact',
    'no-nmi-executing-flag': 'resume-is-exact',
    'nmi-clobbers-frame': 'live-frames-are-untouched',
    'on-cpu-released-early': 'stack-is-legal',
    'irq-stack-shared': 'stack-is-legal',
    'kernel-stack-overflow': 'stack-is-legal',
    'top-not-switched': 'entry-stack-is-coherent',
    'kernel-stack-in-user-table': 'user-table-is-minimal',
    'sysret-to-noncanonical': 'fast-return-is-canonical',
    'gp-gate-not-present': 'no-double-fault',
    'sti-on-trampoline': 'interrupts-off-in-window',
    'frame-left-on-entry-stack': 'interrupts-off-in-window',
    'nmi-handler-loops': 'entry-terminates',
    'nmi-never-unblocked': 'nmi-is-delivered',
    'recursive-fault': 'nesting-is-bounded',
    'df-not-cleared': 'flags-are-clear-at-body',
    'flush-not-paid': 'noflush-is-safe',
    'registers-not-cleared': 'registers-are-cleared',
    'no-verw-before-sysret': 'speculation-is-restricted',
    'orig-ax-not-set': 'event-is-handled',
    'iopl-from-frame': 'user-flags-are-safe',
    'flush-wait-with-if-off': 'no-deadlock',
    'task-stack-reused-early': 'live-frames-are-untouched',
  }),
  { id: 'mainline+selectors-not-switched', property: 'resume-is-exact', runs: 200 },
  { id: 'mainline+fs-base-not-saved', property: 'resume-is-exact', runs: 200 },
  { id: 'mainline+nested-nmi-ignored', property: 'nmi-is-kept', bounds: NESTED_NMI },
  ...mutants('deferred-pertask', {
    'sp0-not-switched': 'entry-stack-is-coherent',
    'pti-stack-unmapped': 'entry-stack-is-coherent',
  }),
];
