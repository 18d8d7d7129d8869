/**
 * A recorded step as JSON, for scripts: what a reader of the narration sees, in words, and the abstract states in
 * numbers. The keys are a contract.
 */
import type { Action } from '../../counterexamples/format';
import { hexVa } from '../../emulator/words';
import type { Bounds } from '../../model/checker/language/schema-types';
import type { State } from '../../model/schema';
import { UNTOLD_FIELDS } from '../refinement/changes';
import { propertySlug } from '../safety/index';
import { actionName } from './names';
import type { CpuView, StepRecord } from './step-record';

/** The fields of the abstract state, by the names of the schema, without the counters of a search. */
type StateNumbers = Omit<State, (typeof UNTOLD_FIELDS)[number]>;

/** A CPU at a boundary in words, and the whole abstract state in numbers: null where the machine is in none. */
interface StepSide extends Omit<CpuView, 'rsp'> {
  /** Hexadecimal, 16 digits: a JSON number does not hold every address. */
  readonly rsp: string;
  readonly state: StateNumbers | null;
}

export interface StepJson {
  readonly step: number;
  readonly action: Action;
  /** The action as a call: `switch-to(c0, t1)`. */
  readonly name: string;
  readonly cpu: number;
  readonly outcome: 'done' | 'skipped' | 'diverged' | 'violated';
  readonly property?: string;
  readonly field?: string;
  /** Why it failed, or was not enabled. */
  readonly message?: string;
  /** Instructions that the step retired. */
  readonly instructions: number;
  /** Where the step ended. */
  readonly instruction?: { readonly how: 'ran' | 'faulted' | 'before'; readonly place: string; readonly text: string };
  readonly delivered?: { readonly vector: number; readonly handler: string };
  readonly choices: StepRecord['choices'];
  readonly before: StepSide;
  readonly after: StepSide;
  /** What changed, in words. */
  readonly changes: readonly string[];
}

export function stepJson(record: StepRecord, bounds: Pick<Bounds, 'tasks'>): StepJson {
  const { action, instruction, delivered, abstract } = record;
  return {
    step: record.number,
    action,
    name: actionName(action, bounds),
    cpu: action.cpu,
    ...outcomeJson(record),
    instructions: record.instructions,
    ...(instruction === undefined ? {} : { instruction }),
    ...(delivered === undefined ? {} : { delivered }),
    choices: record.choices,
    before: sideJson(record.before, abstract.before),
    after: sideJson(record.after, abstract.after),
    changes: record.changes,
  };
}

function outcomeJson({ outcome }: StepRecord): Pick<StepJson, 'outcome' | 'property' | 'field' | 'message'> {
  switch (outcome.kind) {
    case 'done':
      return { outcome: 'done' };
    case 'disabled':
      return { outcome: 'skipped', message: outcome.why };
    case 'violated':
      return { outcome: 'violated', property: propertySlug(outcome.property), message: outcome.message };
    case 'diverged':
      return { outcome: 'diverged', field: outcome.field, message: outcome.message };
  }
}

function sideJson(view: CpuView, state: State | undefined): StepSide {
  return { ...view, rsp: hexVa(view.rsp), state: state === undefined ? null : numbers(state) };
}

function numbers(state: State): StateNumbers {
  const untold: readonly string[] = UNTOLD_FIELDS;
  return Object.fromEntries(Object.entries(state).filter(([field]) => !untold.includes(field))) as StateNumbers;
}
