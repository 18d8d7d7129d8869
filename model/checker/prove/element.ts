/**
 * Elements of the closed set, and what can stand in the way of a proof.
 */
import type { Action } from './proof-system';
import type { ThreadKind, Values } from './views';

/** A view, or a sleeper. */
export interface Element {
  readonly values: Values;
  /** Of a sleeper. */
  readonly kind?: ThreadKind;
  /** Of one that a step led to: the view that took it, and the step. */
  readonly from?: { readonly view: Element; readonly action: Action };
}

export type Sleeper = Pick<Element, 'values' | 'kind'>;

/**
 * Why a set is no proof. `property`: one may fail. `range`: an index or a value may be out of range. `thread`: a CPU
 * may take a thread that another one runs. `reach`: a step writes to a thread that may sleep and is none of its
 * arguments. `budget`: a rule asks of an event budget more than whether it is used up. The others are limits, `size`:
 * of views; `names`: of CPUs, tasks and address spaces that one step is about; `nesting`: of contexts.
 */
export type Obstacle = 'property' | 'range' | 'thread' | 'reach' | 'budget' | 'size' | 'names' | 'nesting';

export interface Alarm {
  readonly kind: Obstacle;
  readonly property?: number;
  /** The step, if it is one. */
  readonly action?: Action;
  /** The view or the sleeper: that takes the step, or that violates the property. */
  readonly element?: Element;
  /** Cells that were asked for and are left open. */
  readonly open: readonly number[];
}

/** Ends the closing of a set. */
export class Alarmed extends Error {
  override readonly name = 'Alarmed';
  readonly alarm: Alarm;
  constructor(alarm: Alarm) {
    super(alarm.kind);
    this.alarm = alarm;
  }
}
