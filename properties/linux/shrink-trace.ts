/**
 * Makes a failing trace of a booted kernel shorter, as long as it violates the same property: leaves out actions, the
 * many before the few, and halves the counts of what is run. What comes after the violation is cut off. A trace says
 * itself what happens, so a shorter one needs nothing but to be performed.
 */
import type { KernelAction } from '../../counterexamples/kernel-case';
import { finished, type InSteps } from './in-steps';
import { joined } from './kernel-action';
import type { KernelFailure, KernelSystem } from './kernel-system';
import { runInSteps } from './random-interleaving';

/** Attempts, and boundaries in them, after which the best so far is the answer. */
const MOST_ATTEMPTS = 400;
const MOST_BOUNDARIES = 10_000_000;
/**
 * What a trace of more actions than this violates, a short random one may violate, too: so many are tried, of so many
 * instructions each, until one does.
 */
const LONG_TRACE = 8;
const SHORT_RUNS = 40,
  SHORT_RUN = 30_000;

/**
 * Performs a trace from the state after the boot, to which the system is taken back. Undefined if it violates nothing.
 */
export function violationOf(
  system: KernelSystem,
  trace: readonly KernelAction[],
  tell: (boundaries: number) => void = () => {},
): KernelFailure | undefined {
  const start = system.mark();
  const performed: KernelAction[] = [];
  for (const action of trace) {
    const taken = system.perform(action);
    tell(taken);
    if (system.violation === undefined) performed.push(action);
    else {
      if (action.action !== 'turns' && action.action !== 'run') performed.push(action);
      else if (taken > 0) performed.push({ ...action, count: taken });
      break;
    }
  }
  const { violation } = system;
  system.rollback(start);
  system.release(start);
  return violation === undefined ? undefined : { ...violation, trace: performed };
}

/** `shrinkInSteps` at once. */
export function shrinkTrace(...how: Parameters<typeof shrinkInSteps>): KernelFailure {
  return finished(shrinkInSteps(...how));
}

/** The same failure with a shorter trace, or the failing one. It pauses before each attempt. */
export function* shrinkInSteps(
  system: KernelSystem,
  failing: KernelFailure,
  shouldStop: () => boolean = () => false,
): InSteps<KernelFailure> {
  let best = failing;
  let attempts = 0;
  let boundaries = 0;
  const isOver = () => attempts >= MOST_ATTEMPTS || boundaries >= MOST_BOUNDARIES || shouldStop();
  const improve: Improve = function* (trace) {
    yield;
    if (isOver()) return false;
    attempts++;
    const found = violationOf(system, joined(trace), (taken) => {
      boundaries += taken;
    });
    if (found?.property !== failing.property || cost(found.trace) >= cost(best.trace)) return false;
    best = found;
    return true;
  };
  for (let k = 0; k < SHORT_RUNS && best.trace.length > LONG_TRACE && !shouldStop(); k++) {
    const { failure } = yield* runInSteps(system, `short/${k}`, shouldStop, SHORT_RUN);
    if (failure !== undefined) yield* improve(failure.trace);
  }
  // It ends where it was found to end: what comes after the violation is cut off.
  if (best === failing) yield* improve(best.trace);
  for (let improved = true; improved && !isOver(); ) {
    improved = (yield* leaveOut(() => best.trace, improve)) || (yield* halveCounts(() => best.trace, improve));
  }
  return best;
}

/** Tries a shorter trace, and answers whether it is the best now. */
type Improve = (trace: readonly KernelAction[]) => InSteps<boolean>;

/** Whole actions, all but the first: it says where the program is. */
function* leaveOut(best: () => readonly KernelAction[], improve: Improve): InSteps<boolean> {
  let improved = false;
  for (let size = Math.ceil((best().length - 1) / 2); size > 0; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 1; from < best().length; ) {
      const trace = best();
      if (yield* improve([...trace.slice(0, from), ...trace.slice(from + size)])) improved = true;
      else from += size;
    }
  }
  return improved;
}

function* halveCounts(best: () => readonly KernelAction[], improve: Improve): InSteps<boolean> {
  let improved = false;
  for (let i = 0; i < best().length; i++) {
    const action = best()[i];
    if (!('count' in action) || action.count < 2) continue;
    const trace = best().map((one, k) => (k === i ? { ...action, count: action.count >> 1 } : one));
    if (yield* improve(trace)) improved = true;
  }
  return improved;
}

/** An action is more than any number of instructions. */
function cost(trace: readonly KernelAction[]): number {
  let sum = 0;
  for (const action of trace) sum += 1e9 + ('count' in action ? action.count : 0);
  return sum;
}
