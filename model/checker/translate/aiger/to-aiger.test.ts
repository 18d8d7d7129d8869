/**
 * Promises: the circuit does what direct execution of the rules does, for each rule instance, in reachable states and
 * in random ones; its bad outputs are the properties that are violated there; a number that no rule has changes
 * nothing.
 */
import { join } from 'node:path';
import fc from 'fast-check';
import { type EntryModel, entryModel } from '../../../entry-model';
import type { State } from '../../../schema';
import { type Transient, UNLIMITED } from '../../language/schema-types';
import { instanceName, type Model, ruleInstances, violations } from '../../model';
import { explore } from '../../search/explore';
import { ValueRangeError } from '../../search/packing';
import { peterson } from '../../search/peterson';
import { anyState, nearState, packed, reachedState } from '../../search/testing/random-states';
import { exportModel } from '../export';
import { type Simulator, simulatorOf } from './testing/simulator';

type Values = Readonly<Record<string, unknown>>;

/** The way to the value of a latch, `kind[1][0].2` for bit 2 of one: the fields and the bit. */
function wayTo(latch: string): { readonly fields: readonly string[]; readonly bit: number } {
  const fields = latch.split(/[[\].]+/);
  return { bit: Number(fields.pop()), fields };
}

const ways = new Map<Simulator, readonly ReturnType<typeof wayTo>[]>();

/** What the latches hold where the state is this one. */
function latchesOf(state: Transient, circuit: Simulator): string {
  const known = ways.get(circuit) ?? circuit.latches.map(wayTo);
  ways.set(circuit, known);
  let bits = '';
  for (const { fields, bit } of known) {
    let value: unknown = state;
    for (const field of fields) value = (value as Values)[field];
    bits += (Number(value) >> bit) & 1;
  }
  return bits;
}

/** How many values there are in one, which may be of many. */
function places(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  let sum = 0;
  for (const each of Object.values(value)) sum += places(each);
  return sum;
}

const rooms = new Map<unknown, number>();

/** How many values a state has. */
function roomOf(packing: { readonly zero: () => unknown }): number {
  const room = rooms.get(packing) ?? places(packing.zero());
  rooms.set(packing, room);
  return room;
}

/** Does the state have the values that its model has, and no others? */
function isInRange<S extends Transient, D>(model: Model<S, D>, state: S): boolean {
  if (places(state) !== roomOf(model.packing)) return false;
  try {
    packed(model, state);
    return true;
  } catch (error) {
    if (error instanceof ValueRangeError) return false;
    throw error;
  }
}

/** Each number that the inputs can be: what the circuit answers, and what direct execution does. */
function compare<S extends Transient, D>(model: Model<S, D>, circuit: Simulator, state: S): void {
  const slug = (property: number) =>
    model.propertyName?.(property) || model.invariants.find((one) => one.property === property)?.name;
  const instances = ruleInstances(model);
  const before = latchesOf(state, circuit);
  const broken = violations(model, state);
  const directly = (number: number, circuitNext: string): string => {
    const after = structuredClone(state);
    const instance = instances[number];
    const rule = model.rules.find(({ name }) => name === instance?.rule);
    rule?.apply(model.config, model.bounds, after, ...instance.args);
    const fits = isInRange(model, after);
    const failed = after.failed === 0 ? broken : [...broken, after.failed];
    const bad = [...new Set([...failed.map(slug), ...(fits ? [] : ['range'])])];
    // Where the state has no room for it, what the latches are then means nothing.
    return answer(number, fits ? latchesOf(after, circuit) : circuitNext, bad);
  };
  const answer = (number: number, next: string, bad: readonly (string | undefined)[]) =>
    `${instances[number]?.rule} ${instances[number]?.args}: ${next} ${[...bad].sort()}`;
  const cycles = circuit.cycles(before);
  expect(cycles.map(({ next, bad }, number) => answer(number, next, bad))).toEqual(
    cycles.map(({ next }, number) => directly(number, next)),
  );
}

function modelOf(design: string, events: number): EntryModel {
  const model = entryModel(design, { cpus: 2, tasks: 2, mms: 2, nesting: 2, nmis: events, irqs: events });
  if (model === undefined) throw new Error(`no design ${design}`);
  return model;
}

/** For each rule that a short search comes to, a state in which it is enabled. */
function statesOfRules(model: EntryModel): State[] {
  const found = new Map<string, State>();
  const goalTransition = (before: State, { rule }: { readonly rule: string }) => {
    if (!found.has(rule)) found.set(rule, structuredClone(before));
    return false;
  };
  explore(model, { goalTransition, stopAtDepth: 8 });
  return [...found.values()];
}

describe.each([
  ['mainline', UNLIMITED],
  ['deferred-pertask', UNLIMITED],
  ['mainline+on-cpu-released-early', 2],
])('the circuit of %s, %i events', (design, events) => {
  const model = modelOf(design, events);
  const circuit = simulatorOf(exportModel(model, design, 'aiger'));

  test('begins in the initial state, and numbers the rules as the model does', () => {
    expect(circuit.resets).toBe(latchesOf(model.initial(), circuit));
    const names = ruleInstances(model).map((instance, i) => `rule ${i} ${instanceName(instance, model.bounds)}`);
    expect(circuit.comment.slice(-names.length)).toEqual(names);
    expect(2 ** circuit.inputs).toBeGreaterThan(names.length);
  });

  test('does what direct execution does, in reachable states', () => {
    const states = statesOfRules(model);
    expect(states.length).toBeGreaterThan(14);
    for (const state of states) compare(model, circuit, state);
    fc.assert(
      fc.property(reachedState(model), (state) => compare(model, circuit, state)),
      { numRuns: 6 },
    );
  });

  test('does what direct execution does, in unreachable states', () => {
    fc.assert(
      fc.property(fc.oneof(anyState(model), nearState(model)), (state) => compare(model, circuit, state)),
      { numRuns: 12 },
    );
  });
});

test('a model without threads is exported, too', () => {
  const model = { ...peterson(), ruleFiles: () => [join(__dirname, '..', '..', 'search', 'peterson.ts')] };
  const circuit = simulatorOf(exportModel(model, 'peterson', 'aiger'));
  fc.assert(
    fc.property(anyState(model), (state) => compare(model, circuit, state)),
    { numRuns: 30 },
  );
});
