/**
 * A trace of the abstract machine replayed on the concrete one. The abstract trace says which transition comes next,
 * not what the guest has to choose on the way there: the choices are searched depth first, with the machine's undo log,
 * in lexicographic order, so the result is the same every time.
 */
import type { Action } from '../../counterexamples/format';
import type { RuleInstance } from '../../model/checker/model';
import { actionOf } from '../trace/change';
import type { ActionOutcome, TransitionSystem } from '../trace/transition-system';
import { sameFailure, type Walk } from '../trace/walk';

/** Actions tried before the search gives up, for the trace itself. */
const ATTEMPTS = 5_000;

/**
 * Most traces that are tried where the first one is not followed, and actions for each of them: about as many in all.
 */
const OTHERS = 15;
const ATTEMPTS_OF_OTHERS = 300;

interface Search {
  readonly system: TransitionSystem;
  readonly wanted: readonly Action[];
  /** The failure that the last action has to end in; undefined: the trace has to end well. */
  readonly failure: Walk['failure'];
  /**
   * Let another CPU go on between two transitions where nothing else helps. Costly, so tried only in a second search.
   */
  readonly settles: boolean;
  readonly shouldStop: () => boolean;
  /** Actions that may yet be tried. */
  attempts: number;
  /** The failure that the search ended in, in its own words. */
  ended: Walk['failure'];
}

/**
 * The walk that takes the machine through the given transitions and ends in the given failure (or, without one, well);
 * undefined when no sequence of choices does, or when `shouldStop` ended the search for one.
 */
export function concretise(
  system: TransitionSystem,
  trace: readonly RuleInstance[],
  failure: Walk['failure'],
  shouldStop: () => boolean = () => false,
): Walk | undefined {
  return concretiseAny(system, [trace], failure, shouldStop);
}

/**
 * The same for several traces, of which the machine need follow only one: all as they are, the first ones first, and
 * only then with other CPUs going on between two transitions.
 */
export function concretiseAny(
  system: TransitionSystem,
  traces: Iterable<readonly RuleInstance[]>,
  failure: Walk['failure'],
  shouldStop: () => boolean = () => false,
): Walk | undefined {
  const tried: (readonly RuleInstance[])[] = [];
  for (const trace of traces) {
    const walk = follow(system, trace, failure, shouldStop, { settles: false, first: tried.length === 0 });
    if (walk !== undefined) return walk;
    if (tried.push(trace) > OTHERS) break;
  }
  for (const [i, trace] of tried.entries()) {
    const walk = follow(system, trace, failure, shouldStop, { settles: true, first: i === 0 });
    if (walk !== undefined) return walk;
  }
  return undefined;
}

function follow(
  system: TransitionSystem,
  trace: readonly RuleInstance[],
  failure: Walk['failure'],
  shouldStop: () => boolean,
  { settles, first }: { readonly settles: boolean; readonly first: boolean },
): Walk | undefined {
  system.reset();
  if (trace.length === 0) {
    const before = system.initially();
    return sameFailure(before as Walk['failure'], failure) ? { actions: [], length: 0, failure } : undefined;
  }
  const wanted = trace.map((instance) => actionOf(instance, system.timerVector));
  const attempts = first ? ATTEMPTS : ATTEMPTS_OF_OTHERS;
  const search: Search = { system, wanted, failure, settles, shouldStop, attempts, ended: undefined };
  const actions = extend(search, 0);
  return actions === undefined ? undefined : { actions, length: trace.length, failure: search.ended };
}

/** Actions from position `i` to the end, or undefined. The machine is left wherever the search ended. */
function extend(search: Search, i: number): Action[] | undefined {
  if (i === search.wanted.length) return search.failure === undefined ? [] : undefined;
  return choose(search, i) ?? (search.settles ? settled(search, i) : undefined);
}

/**
 * One other CPU first goes on as far as it can without a transition: a lock or a thread may be held, or let go, where
 * the abstract machine sees nothing.
 */
function settled(search: Search, i: number): Action[] | undefined {
  for (let c = 0; c < search.system.cpus; c++) {
    const found = c === search.wanted[i].cpu ? undefined : settledCpu(search, i, c);
    if (found !== undefined) return found;
  }
  return undefined;
}

function settledCpu(search: Search, i: number, c: number): Action[] | undefined {
  const { system } = search;
  const mark = system.mark();
  let choices: number[] | undefined = [];
  let found: Action[] | undefined;
  while (choices !== undefined && found === undefined && goesOn(search)) {
    const asked: number[] = [];
    search.attempts--;
    const run = system.settle(c, answering(choices, asked));
    const rest = run === undefined ? undefined : choose(search, i);
    if (run !== undefined && rest !== undefined) found = [run, ...rest];
    else system.rollback(mark);
    choices = following(choices, asked);
  }
  system.release(mark);
  return found;
}

/** Answers a sequence of choices, then 0, and notes how many alternatives each choice had. */
function answering(choices: readonly number[], asked: number[]): (alternatives: number) => number {
  return (alternatives) => {
    asked.push(alternatives);
    return choices[asked.length - 1] ?? 0;
  };
}

function goesOn({ attempts, shouldStop }: Search): boolean {
  return attempts > 0 && !shouldStop();
}

/** Tries the sequences of choices for action `i`, each followed by all the rest. */
function choose(search: Search, i: number): Action[] | undefined {
  const { system } = search;
  const mark = system.mark();
  let choices: number[] | undefined = [];
  let found: Action[] | undefined;
  while (choices !== undefined && found === undefined && goesOn(search)) {
    const asked: number[] = [];
    found = attempt(search, i, choices, asked);
    if (found === undefined) system.rollback(mark);
    choices = following(choices, asked);
  }
  system.release(mark);
  return found;
}

/** Tries one sequence of choices; `asked` collects how many alternatives each of them had. */
function attempt(search: Search, i: number, choices: readonly number[], asked: number[]): Action[] | undefined {
  search.attempts--;
  const action = search.wanted[i];
  const taken: number[] = [];
  const outcome = search.system.perform(action, (alternatives) => {
    const choice = choices[asked.length] ?? 0;
    asked.push(alternatives);
    taken.push(choice);
    return choice;
  });
  const done: Action = action.action === 'step' && taken.length > 0 ? { ...action, choices: taken } : action;
  if (endsAsWanted(search, i, outcome)) return [done];
  if (outcome.kind !== 'done') return undefined;
  const rest = extend(search, i + 1);
  return rest === undefined ? undefined : [done, ...rest];
}

function endsAsWanted(search: Search, i: number, outcome: ActionOutcome): boolean {
  if (i !== search.wanted.length - 1 || search.failure === undefined) return false;
  if ((outcome.kind !== 'violated' && outcome.kind !== 'diverged') || !sameFailure(outcome, search.failure))
    return false;
  search.ended = outcome;
  return true;
}

/**
 * The next sequence of choices in lexicographic order, of the lengths that were really asked for; undefined after the
 * last.
 */
function following(choices: readonly number[], asked: readonly number[]): number[] | undefined {
  const full = asked.map((_, i) => choices[i] ?? 0);
  for (let i = full.length - 1; i >= 0; i--) if (full[i] + 1 < asked[i]) return [...full.slice(0, i), full[i] + 1];
  return undefined;
}
