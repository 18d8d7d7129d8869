/**
 * What exploring and shrinking know of the thing that they explore. It starts in one state, it has actions, it can go
 * back. Nothing here says "CPU state" or "model": an implementation decides what an action means and when two states
 * are the same.
 */
import type { Action } from '../../counterexamples/format';

/** How an action ended. */
export type ActionOutcome =
  /** The action happened. `length` is what it adds to the length of the trace (0 for a stutter). */
  | { readonly kind: 'done'; readonly length: number }
  /** The action was not enabled here; the state may have moved, so go back to a mark. */
  | { readonly kind: 'disabled'; readonly why: string }
  | Violated
  | Diverged;

/** A property failed. */
export interface Violated {
  /** How the action ended. */
  readonly kind: 'violated';
  /** Number of the property. */
  readonly property: number;
  /** What was expected, and what was found. */
  readonly message: string;
}

/** The machine did what the abstract machine does not allow. */
export interface Diverged {
  /** How the action ended. */
  readonly kind: 'diverged';
  /** The first field of the abstract state that differs. */
  readonly field: string;
  /** What was expected, and what was found. */
  readonly message: string;
}

/** Answers a choice of the system: 0 .. alternatives-1. */
export type Chooser = (alternatives: number) => number;

/** Something that can be tried now, before it is known what it will turn out to be. */
export type Option =
  | { readonly kind: 'step'; readonly cpu: number }
  /** Part of a step: the stutter up to the given fraction (0 to 1) of the way to the next transition. */
  | { readonly kind: 'part'; readonly cpu: number; readonly fraction: number }
  | { readonly kind: 'run'; readonly cpu: number; readonly count: number }
  | { readonly kind: 'irq'; readonly cpu: number; readonly vector: number }
  | { readonly kind: 'nmi'; readonly cpu: number };

/** What an option turned out to be: the action that does the same again, and how it ended. */
export interface Taken {
  readonly action: Action;
  readonly outcome: ActionOutcome;
}

export interface TransitionSystem {
  /** Back to the initial state. */
  reset(): void;
  mark(): number;
  rollback(mark: number): void;
  release(mark: number): void;
  /** What can be tried now: one `step` for each CPU that is not waiting, and the events that would be taken at once. */
  options(): Option[];
  /** Tries an option; the chooser answers what the system asks on the way. */
  take(option: Option, choose: Chooser): Taken;
  /** Performs a given action; what it does not say is chosen as 0. */
  perform(action: Action, choose?: Chooser): ActionOutcome;
  /**
   * Runs a CPU for as long as that is a stutter. Answers the action that does the same, or undefined where it cannot or
   * need not move.
   */
  settle(cpu: number, choose: Chooser, fraction?: number): Action | undefined;
  readonly cpus: number;
  /** Vector of the timer's interrupt, where there is one. */
  readonly timerVector: number | undefined;
  /** A violation or divergence that is there before the first action. */
  initially(): ActionOutcome | undefined;
  /** Names the state, 16 hex digits. */
  fingerprint(): string;
}

/** A system whose CPUs can be stopped between any two instructions. */
export interface BoundarySystem extends TransitionSystem {
  /** Names the next instruction of a CPU. */
  location(cpu: number): string;
  /** An external interrupt raised now would be taken at the next boundary. */
  takesIrq(cpu: number): boolean;
  /** No entry is under way on the CPU. */
  isInUserMode(cpu: number): boolean;
}
