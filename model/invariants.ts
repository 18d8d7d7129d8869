/**
 * Properties of a state (as opposed to those of a moment, which the rules `require`). Each bears the number of the
 * property of the concrete machine that says the same; the concrete one is checked on real registers and page tables,
 * independently of this.
 */

import { every } from './checker/language/quantifiers';
import type { Bounds } from './checker/language/schema-types';
import type { Invariant } from './checker/model';
import type { DesignConfig } from './design-config';
import { ENTRY, FOREIGN, USER } from './kinds';
import { modelPropertySlug, NESTING_ROOM, S2, S3, S8, S10, S12, S19 } from './property-names';
import { isTask, mmOf } from './rules/predicates';
import type { State } from './schema';

/** S2: in user mode CR3 is the user half of the current task's address space. */
export function userModeUsesUserCr3(d: DesignConfig, b: Bounds, s: State): boolean {
  return every(b.cpus, (c) => s.user[c] === 0 || (s.userHalf[c] === d.pti && s.mm[c] === mmOf(b, s.current[c])));
}

/** S3: in user mode GS is the user's. */
export function userModeUsesUserGs(_d: DesignConfig, b: Bounds, s: State): boolean {
  return every(b.cpus, (c) => s.user[c] === 0 || s.userGs[c] === 1);
}

/** S8: no CPU stands on a stack that is not its own or its thread's, and no thread runs on two CPUs. */
export function stackIsLegal(_d: DesignConfig, b: Bounds, s: State): boolean {
  return every(b.cpus, (c) => s.stack[c] !== FOREIGN && every(b.cpus, (k) => k === c || s.running[k] !== s.running[c]));
}

/** S10: in user mode the next entry will find the stack of the current task. */
export function entryStackIsCoherent(d: DesignConfig, b: Bounds, s: State): boolean {
  return every(
    b.cpus,
    (c) =>
      s.user[c] === 0 ||
      (s.top[c] === s.current[c] && isTask(b, s.current[c]) && (d.perTaskEntry === 0 || s.sp0[c] === s.current[c])),
  );
}

/**
 * S12: the user table maps nothing that belongs to the kernel alone. A constant of the design: it fails, if at all,
 * before the first step.
 */
export function userTableIsMinimal(d: DesignConfig): boolean {
  return d.kernelDataInUserTable === 0;
}

/** S19: interrupts stay off in the window, and on the entry stack where the design says that it leaves it first. */
export function interruptsOffInWindow(d: DesignConfig, b: Bounds, s: State): boolean {
  return every(
    b.cpus,
    (c) =>
      s.user[c] === 1 ||
      s.interrupts[c] === 0 ||
      (s.userHalf[c] === 0 &&
        s.userGs[c] === 0 &&
        s.stack[c] !== USER &&
        (d.leavesEntryStackBeforeSti === 0 || s.stack[c] !== ENTRY)),
  );
}

/**
 * No thread has as many open contexts as there is room for: then no rule was held up by that, and the states are those
 * of a model of any nesting.
 */
export function nestingHasRoom(_d: DesignConfig, b: Bounds, s: State): boolean {
  return every(b.tasks + b.cpus, (t) => s.depth[t] < b.nesting);
}

function invariant(property: number, holds: Invariant<State, DesignConfig>['holds']): Invariant<State, DesignConfig> {
  return { property, name: modelPropertySlug(property), holds };
}

/** In ascending order: of several violated in one state the lowest number is reported. */
export const INVARIANTS: readonly Invariant<State, DesignConfig>[] = [
  invariant(S2, userModeUsesUserCr3),
  invariant(S3, userModeUsesUserGs),
  invariant(S8, stackIsLegal),
  invariant(S10, entryStackIsCoherent),
  invariant(S12, userTableIsMinimal),
  invariant(S19, interruptsOffInWindow),
];

/** Besides them, in a model of any nesting. */
export const ANY_NESTING: Invariant<State, DesignConfig> = {
  ...invariant(NESTING_ROOM, nestingHasRoom),
  isLimit: true,
};
