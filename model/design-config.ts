/**
 * What the rules read of a design: integers, and tables that say where a step is enabled. A person writes none of it:
 * it is derived from the table of the design (designs/). A translator folds it into the rules.
 */
import { asmReturn } from './designs/asm-return';
import { deferredPercpu } from './designs/deferred-percpu';
import { deferredPertask } from './designs/deferred-pertask';
import type { DesignTable } from './designs/design-table';
import { compileDesign } from './designs/environments';
import { mainline } from './designs/mainline';
import { MUTANTS, mutantTable } from './designs/mutants';
import { noPti } from './designs/no-pti';

/** 1 where a step is enabled: by kind and origin (1: from user mode) of the innermost context, half, GS and stack. */
type ContextPlaces = readonly (readonly (readonly (readonly (readonly number[])[])[])[])[];
/** 1 where a step of the return of an NMI is enabled: by the half and GS that it found, and half and GS now. */
type FoundPlaces = readonly (readonly (readonly (readonly number[])[])[])[];

export interface DesignConfig {
  /** User and kernel half of the page-table pair differ. */
  readonly pti: number;
  /** TSS.sp0 names the PTI stack of the task, not the entry stack of the CPU. */
  readonly perTaskEntry: number;
  /** The C code in front of the body is mapped in the user half. */
  readonly entryCodeInUserTable: number;
  /** A leaf of kernel data is reachable in the user table (S12). */
  readonly kernelDataInUserTable: number;
  /** The entry stack is left before `sti` (S19). */
  readonly leavesEntryStackBeforeSti: number;
  /** The stack on which a task that has never run waits. */
  readonly firstRunStack: number;
  /** The context switch sets top_of_stack, and TSS.sp0. */
  readonly setsTop: number;
  readonly setsSp0: number;
  /** on_cpu of the previous task is cleared before rsp has left its stack. */
  readonly releasesCpuEarly: number;
  readonly ignoresNestedNmis: number;
  /** By kind: the stack of the body of an event from user mode; of an IRQ, the stack to which its handler returns. */
  readonly bodyStack: readonly number[];
  /** By origin: an IRQ leaves the IRQ stack after its handler. */
  readonly leavesIrqStack: readonly number[];
  readonly swapgsToKernelAt: ContextPlaces;
  readonly readCr3IntoRspAt: ContextPlaces;
  readonly loadKernelCr3At: ContextPlaces;
  readonly loadEntryStackAt: ContextPlaces;
  readonly loadKernelStackAt: ContextPlaces;
  readonly loadIrqStackAt: ContextPlaces;
  readonly enterBodyAt: ContextPlaces;
  readonly stiAt: ContextPlaces;
  readonly returnToPtiStackAt: ContextPlaces;
  readonly leaveToEntryStackAt: ContextPlaces;
  readonly loadUserCr3At: ContextPlaces;
  readonly loadUserRspAt: ContextPlaces;
  readonly swapgsToUserAt: ContextPlaces;
  readonly sysretAt: ContextPlaces;
  readonly iretToUserAt: ContextPlaces;
  readonly restoreUserCr3At: FoundPlaces;
  readonly restoreUserGsAt: FoundPlaces;
  readonly repeatNmiAt: FoundPlaces;
  readonly nmiIretToKernelAt: FoundPlaces;
}

/** The designs that are built in. */
export const DESIGN_TABLES: readonly DesignTable[] = [mainline, deferredPercpu, deferredPertask, asmReturn, noPti];

/**
 * The table of a design (`mainline`) or mutant (`mainline+sti-on-trampoline`); undefined for a name that the model does
 * not have, among them the mutants whose planted bug lies below its abstraction (a word of a frame, a page of the user
 * table).
 */
export function designTable(id: string): DesignTable | undefined {
  const [design = '', mutant, ...rest] = id.split('+');
  const table = DESIGN_TABLES.find(({ name }) => name === design);
  if (table === undefined || rest.length > 0) return undefined;
  return mutant === undefined ? table : mutantTable(table, mutant);
}

/** What the rules read of a design or mutant; undefined as in `designTable`. */
export function designConfig(id: string): DesignConfig | undefined {
  const table = designTable(id);
  return table === undefined ? undefined : compileDesign(table);
}

/** Names of the mutants that the model has. */
export const MUTANT_NAMES: readonly string[] = MUTANTS.map(({ of, name }) => `${of}+${name}`);

/** Names of the designs (without mutants) that the model has. */
export const DESIGN_NAMES: readonly string[] = DESIGN_TABLES.map(({ name }) => name);
