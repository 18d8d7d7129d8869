/**
 * Actions, and what running a CPU to the next change of its abstraction means for the action that asked for it.
 */
import type { Action } from '../../counterexamples/format';
import type { RuleInstance } from '../../model/checker/model';
import type { ActionOutcome, Chooser } from './transition-system';

/** The rule of an action that no rule of the abstract machine describes. */
export const ANY_RULE = 'any';

/** Vector of the timer in the guests of this repository, where no image is at hand. */
const GUEST_TIMER_VECTOR = 0x20;

/** The action that asks for a rule instance; an interrupt is the timer's. */
export function actionOf(instance: RuleInstance, timerVector = GUEST_TIMER_VECTOR): Action {
  const [cpu, ...args] = instance.args;
  if (instance.rule === 'irq') return { action: 'irq', cpu, vector: timerVector };
  if (instance.rule === 'nmi') return { action: 'nmi', cpu };
  return { action: 'step', cpu, rule: instance.rule, ...(args.length > 0 ? { args } : {}) };
}

/** What running to the next change of the abstract state came to. */
export type Change =
  | { readonly kind: 'transition'; readonly instance: RuleInstance }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'none'; readonly why: string }
  | Extract<ActionOutcome, { kind: 'violated' | 'diverged' }>;

/**
 * Answers the recorded choices first, then asks. A recorded choice that no longer fits is cut to the last alternative.
 */
export function scripted(choices: readonly number[], then: Chooser): Chooser {
  let next = 0;
  return (alternatives) => (next < choices.length ? Math.min(choices[next++], alternatives - 1) : then(alternatives));
}

export function stepOutcome(change: Change, action: Extract<Action, { action: 'step' }>): ActionOutcome {
  switch (change.kind) {
    case 'transition': {
      const { rule, args } = change.instance;
      const matches =
        action.rule === ANY_RULE ||
        (rule === action.rule && (action.args ?? []).every((arg, i) => arg === args[i + 1]));
      return matches
        ? { kind: 'done', length: 1 }
        : { kind: 'disabled', why: `the CPU did ${rule} instead of ${action.rule}` };
    }
    case 'unknown':
      return { kind: 'done', length: 1 };
    case 'none':
      return { kind: 'disabled', why: change.why };
    default:
      return change;
  }
}

export function eventOutcome(change: Change, rule: 'irq' | 'nmi'): ActionOutcome {
  if (change.kind === 'unknown') return { kind: 'done', length: 1 };
  if (change.kind === 'none') return { kind: 'disabled', why: change.why };
  if (change.kind !== 'transition') return change;
  return change.instance.rule === rule
    ? { kind: 'done', length: 1 }
    : { kind: 'disabled', why: `${change.instance.rule} came first` };
}
