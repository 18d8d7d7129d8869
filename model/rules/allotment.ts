/**
 * Rules of the partial-order reduction (checker/search/partial-order.ts). What would couple all CPUs at every
 * instruction are the two counters of events that may still be raised: an NMI on one CPU takes it from the others. So
 * here each event is allotted to a CPU before anything else happens, and is raised by that CPU or never. Then CPUs meet
 * only where a thread changes its CPU.
 */

import type { Bounds } from '../checker/language/schema-types';
import type { DesignConfig } from '../design-config';
import { PF } from '../kinds';
import type { Cpu, Thread } from '../schema';
import type { AllottedState as State } from './allotted-schema';
import { maySchedule, stiOnTrampoline } from './body';
import { acceptsIrq, acceptsNmi, deliverIrq, raiseNmi } from './events';
import { entering, last, nmiOpenBelow } from './predicates';

/** One external interrupt more for this CPU. */
export function allotIrq(_d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  if (s.irqsLeft === 0) return false;
  s.irqsLeft = s.irqsLeft - 1;
  s.ownIrqs[c] = s.ownIrqs[c] + 1;
}

/** One NMI more for this CPU. */
export function allotNmi(_d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  if (s.nmisLeft === 0) return false;
  s.nmisLeft = s.nmisLeft - 1;
  s.ownNmis[c] = s.ownNmis[c] + 1;
}

/** `irq`, from what is allotted to the CPU. */
export function allottedIrq(d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  if (s.ownIrqs[c] === 0 || !acceptsIrq(b, s, c)) return false;
  s.ownIrqs[c] = s.ownIrqs[c] - 1;
  deliverIrq(d, s, c);
}

/** `nmi`, from what is allotted to the CPU. */
export function allottedNmi(_d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  if (s.ownNmis[c] === 0 || !acceptsNmi(b, s, c)) return false;
  s.ownNmis[c] = s.ownNmis[c] - 1;
  raiseNmi(b, s, c);
}

/**
 * Are the steps of this CPU all that needs to be looked at? Not where the scheduler may switch: what it can do depends
 * on the other CPUs. Nor at one place of each cycle of other steps, so that no CPU goes round alone for ever: the
 * handler of an NMI may fault again and again, and the planted bug of S19 may enable and disable interrupts on the
 * trampoline.
 */
export function isPrivate(d: DesignConfig, b: Bounds, s: State, c: Cpu): boolean {
  const t = s.running[c];
  return !maySchedule(d, b, s, c, t) && !stiOnTrampoline(d, s, c, t) && !faultsInNmi(b, s, t);
}

/** #PF has hit the handler of an NMI, and its own handler has not begun. */
function faultsInNmi(b: Bounds, s: State, t: Thread): boolean {
  return entering(s, t) && s.kind[t][last(s, t)] === PF && nmiOpenBelow(b, s, t);
}
