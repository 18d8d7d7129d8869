import { instanceName, type RuleInstance, ruleInstances, violations } from '../model';
import { explore } from './explore';
import { guardedModel } from './guarded';
import { peterson } from './peterson';
import { applyInstance, enabledInstances } from './successors';

const named = (instance: RuleInstance) => instanceName(instance, peterson().bounds);

test('instances are numbered rule by rule, and named with their arguments', () => {
  const instances = ruleInstances(peterson());
  expect(instances.map(({ number }) => number)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(instances.slice(0, 3).map(named)).toEqual(['raise-flag(c0)', 'raise-flag(c1)', 'give-turn(c0)']);
});

test('a rule with too many parameters is refused by name', () => {
  const model = peterson();
  const rules = [{ ...model.rules[0], params: ['cpu', 'cpu', 'cpu', 'cpu'] as const }];
  expect(() => ruleInstances({ ...model, rules })).toThrow('rule raise-flag has 4 parameters');
});

test('a trace of the search leads, step by enabled step, to the violation that it reports', () => {
  const model = peterson({ givesTurn: 0 });
  let state = model.initial();
  for (const instance of explore(model).trace ?? []) {
    expect(violations(model, state)).toEqual([]);
    expect(enabledInstances(model, state)).toContainEqual(instance);
    state = applyInstance(model, state, instance) ?? state;
  }
  expect(violations(model, state)).toEqual([1]);
});

test('a step that is not enabled has no successor, and no step changes the state it starts from', () => {
  const model = peterson();
  const state = model.initial();
  const [raise, , give] = ruleInstances(model);
  expect(applyInstance(model, state, give)).toBeUndefined();
  expect(applyInstance(model, state, raise)).toMatchObject({ pc: [1, 0], flag: [1, 0], turn: 0 });
  expect(enabledInstances(model, state).map(named)).toEqual(['raise-flag(c0)', 'raise-flag(c1)']);
  expect(state).toEqual(model.initial());
});

test('packed states are as good as unpacked ones', () => {
  const model = peterson();
  const [raise] = ruleInstances(model);
  const packed = new Uint32Array(model.packing.words);
  model.packing.pack(applyInstance(model, model.initial(), raise) ?? model.initial(), packed, 0);
  expect(enabledInstances(model, packed).map(named)).toEqual(['raise-flag(c1)', 'give-turn(c0)']);
  expect(applyInstance(model, packed, enabledInstances(model, packed)[1])).toMatchObject({ pc: [2, 0], turn: 1 });
});

test('a guarded model throws where a rule reads beyond an array', () => {
  const model = peterson();
  const careless = {
    name: 'careless',
    event: false,
    params: [],
    apply: (_d: unknown, _b: unknown, s: ReturnType<typeof model.initial>) => (s.pc[2] === 0 ? false : undefined),
  };
  expect(() => explore(guardedModel({ ...model, rules: [careless] }))).toThrow(
    'pc[2] does not exist: a rule must test the index first',
  );
});
