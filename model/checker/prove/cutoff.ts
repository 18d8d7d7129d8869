/**
 * Whether a small system already has every view of a proof: then nothing that is said of one CPU is lost by searching
 * no larger one, and the proof has no view that does not occur.
 *
 * The views of the small system are found from below, by states that can really be reached. One CPU moves; the other
 * one rests on its idle thread, and every other task sleeps. Whenever the first one is about a sleeping task, the other
 * has been able to give that task any values that sleepers have, by steps of its own (rearranging.ts): these depend on
 * nothing of the first CPU but which thread it runs, as the proof has found out. docs/proof.md has the argument at
 * length.
 */
import { type Bounds, type Transient, UNLIMITED } from '../language/schema-types';
import { fixpoint } from './fixpoint';
import { proofSystem } from './proof-system';
import type { Closure } from './prove';
import { rearranging } from './rearranging';
import type { ModelAt } from './smallest';
import { StateReader } from './state-views';
import { keyOf } from './views';

export interface Cutoff {
  readonly size: Pick<Bounds, 'cpus' | 'tasks' | 'mms'>;
  /** Views and sleepers of the proof that have been met in the system of this size, and how many there are. */
  readonly met: number;
  readonly of: number;
}

/** What `npm start` searches. */
const SIZE = { cpus: 2, tasks: 3, mms: 2 };

/**
 * How many views and sleepers of a proof occur in a system of 2 CPUs, 3 tasks and 2 address spaces with any number of
 * events; 0 where that cannot be told in this way. `closure` is that of a proof, so no others occur.
 */
export function cutoff<S extends Transient, D>(
  modelAt: ModelAt<S, D>,
  { system: proof, fixpoint: proved }: Closure,
  size = SIZE,
): Cutoff {
  const none: Cutoff = { size, met: 0, of: proved.views.length + proved.sleepers.length };
  const bounds: Bounds = { ...size, nesting: proof.bounds.nesting, nmis: UNLIMITED, irqs: UNLIMITED };
  const model = modelAt(bounds);
  const system = proofSystem(model, 1, true);
  const reader = new StateReader(system.layout, system.form, model.running);
  const state = model.initial();
  const found = fixpoint(system, [reader.view(state, bounds, [0])], reader.sleepers(state, bounds), {
    mostViews: Number.POSITIVE_INFINITY,
    othersRest: true,
  });
  const { values } = rearranging(modelAt, bounds, new StateReader(proof.layout, proof.form, model.running));
  const tasks = found.sleepers.filter(({ kind }) => kind === 'task');
  const asksWhoRunsWhat = [...proved.open].every((cell) => proof.form.running.includes(cell));
  const isReachable =
    asksWhoRunsWhat &&
    proof.form.tracked === 1 &&
    found.alarm === undefined &&
    found.open.size === 0 &&
    found.sleepers.length - tasks.length <= 1 &&
    tasks.every((sleeper) => values.has(keyOf(sleeper.values)));
  if (!isReachable) return none;
  const met = new Set(found.views.map((view) => keyOf(proof.form.named(view.values, bounds, [0]))));
  return { ...none, met: met.size + found.sleepers.length };
}
