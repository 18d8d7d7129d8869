/**
 * What a design permits, as a flat record of integer constants (0 or 1), so that a translator can fold them. The fields
 * follow the order in which the entry code of the design switches GS, CR3 and stack; docs/designs.md has
 * the order of the steps in tables. A mutant sets exactly one `mutant*` field.
 */
export interface DesignConfig {
  /** User and kernel half of the page-table pair differ. */
  readonly pti: number;
  /** SYSCALL switches CR3 through rsp before it leaves the user's stack (v5.10). */
  readonly cr3Window: number;
  /** Events from user mode arrive on a per-task PTI stack instead of the per-CPU entry stack. */
  readonly perTaskEntry: number;
  /** SYSCALL builds pt_regs on the stack that sp0 names, still on the user half. */
  readonly syscallOnEntryStack: number;
  /** NMI from user mode changes to the stack that sp0 names before the kernel half is loaded. */
  readonly nmiStackBeforeCr3: number;
  /** NMI from the kernel restores GS before CR3 (deferred: CR3 is switched in C). */
  readonly nmiGsBeforeCr3: number;
  /** The body runs on the entry stack; there is no second stack. */
  readonly bodyOnEntryStack: number;
  /** The entry stack is left before `sti` (a declaration: S19). */
  readonly leavesEntryStackBeforeSti: number;
  /** A leaf of kernel data is reachable in the user table: the planted bug of S12, and the whole of `no-pti`. */
  readonly kernelDataInUserTable: number;
  readonly mutantNoCr3SwitchOnNmiEntry: number;
  readonly mutantNoCr3RestoreOnNmiExit: number;
  readonly mutantNmiExitDecidesCr3ByGs: number;
  readonly mutantNoSwapgsAtBadIret: number;
  readonly mutantStiOnTrampoline: number;
  readonly mutantOnCpuReleasedEarly: number;
  readonly mutantSp0NotSwitched: number;
  readonly mutantTopNotSwitched: number;
  readonly mutantNoCr3SwitchOnExit: number;
  readonly mutantNoSwapgsOnExit: number;
  readonly mutantBodyBeforeCr3: number;
  readonly mutantNestedNmiIgnored: number;
}

const SAFE_BASE: DesignConfig = {
  pti: 1,
  cr3Window: 0,
  perTaskEntry: 0,
  syscallOnEntryStack: 0,
  nmiStackBeforeCr3: 0,
  nmiGsBeforeCr3: 0,
  bodyOnEntryStack: 0,
  leavesEntryStackBeforeSti: 0,
  kernelDataInUserTable: 0,
  mutantNoCr3SwitchOnNmiEntry: 0,
  mutantNoCr3RestoreOnNmiExit: 0,
  mutantNmiExitDecidesCr3ByGs: 0,
  mutantNoSwapgsAtBadIret: 0,
  mutantStiOnTrampoline: 0,
  mutantOnCpuReleasedEarly: 0,
  mutantSp0NotSwitched: 0,
  mutantTopNotSwitched: 0,
  mutantNoCr3SwitchOnExit: 0,
  mutantNoSwapgsOnExit: 0,
  mutantBodyBeforeCr3: 0,
  mutantNestedNmiIgnored: 0,
};

const MAINLINE: DesignConfig = { ...SAFE_BASE, cr3Window: 1, leavesEntryStackBeforeSti: 1 };

const DESIGNS: Readonly<Record<string, DesignConfig>> = {
  mainline: MAINLINE,
  'deferred-percpu': { ...SAFE_BASE, syscallOnEntryStack: 1, bodyOnEntryStack: 1 },
  'deferred-pertask': {
    ...SAFE_BASE,
    perTaskEntry: 1,
    syscallOnEntryStack: 1,
    nmiStackBeforeCr3: 1,
    nmiGsBeforeCr3: 1,
    leavesEntryStackBeforeSti: 1,
  },
  'asm-return': { ...SAFE_BASE, syscallOnEntryStack: 1, leavesEntryStackBeforeSti: 1 },
  'no-pti': { ...MAINLINE, pti: 0, cr3Window: 0, kernelDataInUserTable: 1 },
};

/** The design that each mutant is one of: mainline, where nothing else is said. */
const MUTATED: Readonly<Record<string, string>> = { 'sp0-not-switched': 'deferred-pertask' };

type MutantField = Extract<keyof DesignConfig, `mutant${string}`> | 'kernelDataInUserTable';

/** Mutants that the abstract machine can express, by the name of the omission. */
const MUTANTS: Readonly<Record<string, MutantField>> = {
  'no-cr3-switch-on-nmi-entry': 'mutantNoCr3SwitchOnNmiEntry',
  'no-cr3-restore-on-nmi-exit': 'mutantNoCr3RestoreOnNmiExit',
  'nmi-exit-decides-cr3-by-gs': 'mutantNmiExitDecidesCr3ByGs',
  'no-swapgs-at-bad-iret': 'mutantNoSwapgsAtBadIret',
  'sti-on-trampoline': 'mutantStiOnTrampoline',
  'kernel-stack-in-user-table': 'kernelDataInUserTable',
  'on-cpu-released-early': 'mutantOnCpuReleasedEarly',
  'sp0-not-switched': 'mutantSp0NotSwitched',
  'top-not-switched': 'mutantTopNotSwitched',
  'no-cr3-switch-on-exit': 'mutantNoCr3SwitchOnExit',
  'no-swapgs-on-exit': 'mutantNoSwapgsOnExit',
  'body-before-cr3': 'mutantBodyBeforeCr3',
  'nested-nmi-ignored': 'mutantNestedNmiIgnored',
};

/**
 * Configuration of a design (`mainline`) or mutant (`mainline+sti-on-trampoline`); undefined for a name that the model
 * does not have, among them the mutants whose planted bug lies below its abstraction (a word of a frame, a page of the
 * user table).
 */
export function designConfig(id: string): DesignConfig | undefined {
  const [design = '', mutant, ...rest] = id.split('+');
  const config = DESIGNS[design];
  if (config === undefined || rest.length > 0) return undefined;
  if (mutant === undefined) return config;
  const field = MUTANTS[mutant];
  return field === undefined ? undefined : { ...config, [field]: 1 };
}

/** Names of the mutants that the model has. */
export const MUTANT_NAMES: readonly string[] = Object.keys(MUTANTS).map(
  (name) => `${MUTATED[name] ?? 'mainline'}+${name}`,
);

/** Names of the designs (without mutants) that the model has. */
export const DESIGN_NAMES: readonly string[] = Object.keys(DESIGNS);
