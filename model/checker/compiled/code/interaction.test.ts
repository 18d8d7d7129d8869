/**
 * Promises: of the entry model exactly the steps of the scheduler cross; what is remembered of a step is used only
 * where it is true, in models that couple their CPUs in other ways (verdict, counts and traces are those of direct
 * execution, on one thread and two, with symmetry and without).
 */
import { join } from 'node:path';
import { entryModel } from '../../../entry-model';
import { loadedAnew } from '../../../testing/loaded-anew';
import type { Bounds, Transient } from '../../language/schema-types';
import { instanceName, type Model, ruleInstances } from '../../model';
import { explore } from '../../search/explore';
import { sourceProgram } from '../../translate/source-program';
import { CompiledModel } from '../compiled-model';
import { exploreCompiled } from '../explore-compiled';
import { type Coupling, coupled } from '../testing/coupled';
import { type Footprint, type Interaction, interactionOf } from './interaction';

const SMALL: Bounds = { cpus: 2, tasks: 2, mms: 1, nesting: 1, nmis: 0, irqs: 1 };

const COUPLED = join(__dirname, '..', 'testing', 'coupled.ts');
const sources = sourceProgram([COUPLED]);

interface Seen {
  readonly footprints: Readonly<Record<string, Footprint>>;
  readonly crossing: readonly string[];
  /** Fields of others that crossing steps look at. */
  readonly shared: readonly string[];
  readonly interaction: Interaction;
}

function seen<S extends Transient, D>(model: Model<S, D>, compiled: CompiledModel<S, D>, find = interactionOf): Seen {
  compiled.initial();
  const { program, layout } = compiled;
  const interaction = find(program, layout, model.bounds.cpus, model.running);
  const named = ruleInstances(model).map(
    (instance) => [instanceName(instance, model.bounds), interaction.footprints[instance.number]] as const,
  );
  return {
    footprints: Object.fromEntries(named),
    crossing: named.flatMap(([name, { crossing }]) => (crossing ? [name] : [])),
    shared: [...new Set(interaction.shared.map((cell) => layout.cells[cell].field))].sort(),
    interaction,
  };
}

function entry(id: string, bounds: Bounds, find = interactionOf): Seen {
  const model = entryModel(id, bounds);
  if (model === undefined) throw new Error(`no model of ${id}`);
  return seen(model, new CompiledModel(model), find);
}

const fixture = (coupling: Coupling): Seen => {
  const model = coupled(coupling);
  return seen(model, new CompiledModel(model, { sources, full: true }));
};

/** A CPU switches to a task, or to its own idle thread. */
const SWITCHES = [
  'switch-to(c0, t0)',
  'switch-to(c0, t1)',
  'switch-to(c0, idle(c0))',
  'switch-to(c1, t0)',
  'switch-to(c1, t1)',
  'switch-to(c1, idle(c1))',
];

describe('the entry model', () => {
  test('mainline: only switch_to crosses, and looks at what runs where', () => {
    const { crossing, footprints, shared } = entry('mainline', SMALL);
    expect(crossing).toEqual(SWITCHES);
    expect(shared).toEqual(['running', 'savedStack']);
    expect(footprints['switch-to(c1, t0)']).toEqual({ cpu: 1, crossing: true, threads: [0], globals: false });
    expect(footprints['irq(c1)']).toEqual({ cpu: 1, crossing: false, threads: [], globals: true });
    expect(footprints['cli(c0)']).toEqual({ cpu: 0, crossing: false, threads: [], globals: false });
  });

  test('with two address spaces switch_mm crosses, too, and touches no thread that sleeps', () => {
    const { crossing, footprints } = entry('deferred-pertask', { ...SMALL, mms: 2 });
    expect(crossing).toEqual([
      'switch-mm(c0, m0)',
      'switch-mm(c0, m1)',
      'switch-mm(c1, m0)',
      'switch-mm(c1, m1)',
      ...SWITCHES,
    ]);
    expect(footprints['switch-mm(c1, m0)']).toEqual({ cpu: 1, crossing: true, threads: [], globals: false });
  });

  test('where a thread is released early, switch_to looks at what the other CPU does', () => {
    const { crossing, shared } = entry('mainline+on-cpu-released-early', SMALL);
    expect(crossing).toEqual(SWITCHES);
    expect(shared).toEqual(expect.arrayContaining(['interrupts', 'stack', 'running', 'depth', 'body']));
  });
});

test('what is found out about a design is the same whether or not one like it has been looked at before', () => {
  const { interaction: before } = entry('mainline', SMALL);
  const { interaction } = entry('mainline+no-swapgs-on-exit', SMALL);
  const alone = loadedAnew<typeof import('./interaction')>(require, './interaction');
  expect(alone.interactionOf).not.toBe(interactionOf);
  expect(entry('mainline+no-swapgs-on-exit', SMALL, alone.interactionOf).interaction).toEqual(interaction);
  expect(interaction).not.toEqual(before);
});

describe('footprints of other couplings', () => {
  test('the thread that the CPU runs is its own', () => {
    const { footprints } = fixture({ rules: ['toil'], invariants: ['threadsApart'] });
    expect(footprints['toil(c0)']).toEqual({ cpu: 0, crossing: false, threads: [], globals: false });
  });

  test('a thread that sleeps is not', () => {
    const { footprints } = fixture({ rules: ['switchReady', 'wakeAny'], invariants: ['threadsApart'] });
    expect(footprints['switchReady(c1, t0)']).toMatchObject({ cpu: 1, crossing: true, threads: [0] });
    expect(footprints['wakeAny(idle(c0))']).toMatchObject({ cpu: 0, crossing: true, threads: [1] });
  });

  test('a field of another CPU is not', () => {
    const { footprints, shared } = fixture({ rules: ['poke', 'advance'] });
    expect(footprints['poke(c1)']).toMatchObject({ cpu: 1, crossing: true });
    expect(footprints['advance(c1)']).toMatchObject({ crossing: false });
    expect(shared).toEqual(['flag', 'running']);
  });

  test('a write to what an invariant compares between CPUs crosses', () => {
    const { footprints, shared } = fixture({ rules: ['advance', 'setMode'], invariants: ['notBothAtThree'] });
    expect(footprints['advance(c0)']).toMatchObject({ crossing: true });
    expect(footprints['setMode(c0)']).toMatchObject({ crossing: false, globals: true });
    expect(shared).toEqual(['pc', 'running']);
  });

  test('threads that an invariant looks at are part of every crossing step', () => {
    const { footprints } = fixture({
      rules: ['toil', 'switchReady'],
      invariants: ['threadsApart', 'sleepersAreFresh'],
    });
    expect(footprints['toil(c0)']).toMatchObject({ crossing: true, threads: [0, 1, 2] });
    expect(footprints['switchReady(c0, idle(c0))']).toMatchObject({ threads: [0, 1, 2] });
  });

  test('a rule without a CPU counts as CPU 0', () => {
    const { footprints } = fixture({ rules: ['toggleMode'] });
    expect(footprints['toggleMode()']).toMatchObject({ cpu: 0, crossing: true, globals: true });
  });
});

/** No deadlocks: they would be searched for again in the order of direct execution, by code that remembers nothing. */
const OPTIONS = { deadlock: false, memoryMiB: 64 };

describe('what is remembered is true', () => {
  const couplings: Readonly<Record<string, Coupling>> = {
    'each CPU for itself': { rules: ['advance', 'wrap'] },
    'an invariant about two CPUs': { rules: ['advance', 'wrap'], invariants: ['notBothAtThree'] },
    'a global that CPUs write': { rules: ['advance', 'wrap', 'setMode', 'clearMode'], waits: 1 },
    'a rule without a CPU': { rules: ['advance', 'wrap', 'toggleMode'], waits: 1 },
    'a switch that reads the thread': { rules: ['toil', 'switchReady', 'wakeSleeping'], invariants: ['threadsApart'] },
    'a switch that does not': { rules: ['toil', 'switchBlindly'], invariants: ['threadsApart'] },
    'an invariant about threads that run': {
      rules: ['toil', 'switchBlindly'],
      invariants: ['threadsApart', 'runnersAreFresh'],
    },
    'an invariant about threads that sleep': {
      rules: ['toil', 'switchReady', 'wakeSleeping'],
      invariants: ['threadsApart', 'sleepersAreFresh'],
    },
  };

  test.each(Object.keys(couplings))('%s', (name) => {
    const model = coupled(couplings[name]);
    const expected = explore(model, OPTIONS);
    expect(exploreCompiled(model, { ...OPTIONS, sources })).toMatchObject(expected);
    const symmetric = { ...OPTIONS, symmetry: true };
    expect(exploreCompiled(model, { ...symmetric, sources })).toMatchObject(explore(model, symmetric));
  });

  test('on two threads', () => {
    const model = coupled(couplings['a switch that reads the thread']);
    expect(exploreCompiled(model, { ...OPTIONS, sources, threads: 2 })).toMatchObject(explore(model, OPTIONS));
  });
});

describe('what is remembered is true: steps that reach into another CPU, and invariants with globals', () => {
  const couplings: Readonly<Record<string, Coupling>> = {
    'a field of another CPU is written': { rules: ['advance', 'poke'] },
    'a thread that another CPU runs is written': {
      rules: ['toil', 'wakeAny', 'switchReady'],
      invariants: ['threadsApart'],
    },
    'an invariant about each CPU and a global': {
      rules: ['advance', 'wrap', 'setMode', 'clearMode'],
      waits: 1,
      invariants: ['modeExcludesThree'],
    },
    'an invariant about two CPUs and a global': {
      rules: ['advance', 'wrap', 'setMode', 'clearMode'],
      invariants: ['modeExcludesBoth'],
    },
  };

  test.each(Object.keys(couplings))('%s', (name) => {
    const model = coupled(couplings[name]);
    expect(exploreCompiled(model, { ...OPTIONS, sources })).toMatchObject(explore(model, OPTIONS));
  });
});
