import { PROPERTIES } from '../safety/index';
import { explain, propertyLabel } from './explain';
import { counted, grouped } from './numbers';
import { type Result, resultCard } from './result-card';

const bounds = { cpus: 2, tasks: 2, mms: 1, nesting: 2, nmis: 1, irqs: 2 };
const S9 = 'scheduled-out-on-own-stack';

const HOLDS: Result = {
  design: 'mainline',
  declared: { expected: 'safe' },
  model: { verdict: 'holds', states: 1234567, bounds, reductions: ['symmetry', 'por'] },
  proof: { verdict: 'proved', views: 5774 },
  emulator: { verdict: 'holds', runs: 400, actions: 60123, instructions: 3456789 },
  sweep: { hit: 2950, of: 2950 },
  extraBytesPerTask: 0,
  asDeclared: true,
};

const NOT_DONE: Result = { design: 'no-pti', declared: { expected: 'safe' }, asDeclared: false };

const BROKEN: Result = {
  design: 'deferred-percpu',
  declared: { expected: 'unsafe', property: S9 },
  model: { verdict: 'violated', property: S9, states: 324, bounds, reductions: [] },
  proof: { verdict: 'violated', property: S9, views: 109, bounds: { ...bounds, cpus: 1, tasks: 1, nesting: 1 } },
  emulator: { verdict: 'violated', property: S9, runs: 1, actions: 16, instructions: 1104 },
  extraBytesPerTask: -4096,
  traceLength: 5,
  asDeclared: true,
};

test('a card tells of states for which there was no room how many there are at most', () => {
  const model = { verdict: 'holds', states: 0, mostStates: 5000, bounds, reductions: [] } as const;
  expect(resultCard({ ...HOLDS, model }, { colour: false, width: 80 })).toContain(
    '  model     holds; at most 5,000 states, for which there is no room',
  );
});

test('a card has what was declared, what each machine found, and what the design costs', () => {
  const cards = [HOLDS, BROKEN, NOT_DONE].map((result) => resultCard(result, { colour: false, width: 80 }).join('\n'));
  expect(`\n${cards.join('\n\n')}\n`).toMatchInlineSnapshot(`
"
mainline: as declared
  declared  safe
  model     holds; 1,234,567 states up to symmetry and partial order
  bounds    2 CPUs, 2 tasks, 1 address space, nesting 2, at most 1 NMI and 2
            IRQs
  proof     proved for any number of CPUs, tasks and events and any nesting;
            5,774 values of a CPU with its thread
  emulator  holds; 400 runs, 60,123 actions, 3,456,789 instructions
  sweep     2,950 of 2,950 (instruction boundary, event) pairs hit
  memory    +0 bytes of stack per task over mainline

deferred-percpu: as declared
  declared  unsafe: scheduled-out-on-own-stack (S9)
  meaning   A task was scheduled out while it stood on a per-CPU stack, which
            the next entry on that CPU overwrites.
  model     violated: scheduled-out-on-own-stack (S9); 324 states
  bounds    2 CPUs, 2 tasks, 1 address space, nesting 2, at most 1 NMI and 2
            IRQs
  proof     violated: scheduled-out-on-own-stack (S9); shown by 1 CPU, 1 task, 1
            address space, nesting 1, at most 1 NMI and 2 IRQs
  emulator  violated: scheduled-out-on-own-stack (S9); 1 run, 16 actions, 1,104
            instructions
  trace     5 transitions, the shortest found
  memory    -4,096 bytes of stack per task over mainline

no-pti: NOT as declared
  declared  safe
"
`);
});

test.each([40, 60, 80, 160])('no line is wider than %i columns', (width) => {
  const lines = [HOLDS, BROKEN].flatMap((result) => resultCard(result, { colour: false, width }));
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
});

test('colours are only there on demand', () => {
  expect(resultCard(HOLDS, { colour: false }).join('')).not.toContain('\x1b');
  expect(resultCard(HOLDS, { colour: true }).join('')).toContain('\x1b');
});

test('numbers are grouped the same everywhere', () => {
  expect([0, 999, 1000, 1234567, -4096].map(grouped)).toEqual(['0', '999', '1,000', '1,234,567', '-4,096']);
  expect([counted(1, 'address space'), counted(2, 'address space')]).toEqual(['1 address space', '2 address spaces']);
});

test('every property that is checked is explained', () => {
  const unknown = explain('from-another-version');
  for (const slug of [...PROPERTIES.map((property) => property.slug), 'refinement', 'no-deadlock'])
    expect(explain(slug)).not.toEqual(unknown);
  expect(explain('constructor')).toEqual(unknown);
  expect([propertyLabel(S9), propertyLabel('nesting-is-bounded'), propertyLabel('refinement')]).toEqual([
    'S9',
    'L3',
    '',
  ]);
});
