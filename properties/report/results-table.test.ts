import { CHECKED_PROPERTIES, propertySlug } from '../safety/property';
import { explain, propertyLabel } from './explain';
import { counted, grouped } from './numbers';
import { type Row, resultsTable } from './results-table';

const bounds = { cpus: 2, tasks: 2, mms: 1, nesting: 2, nmis: 1, irqs: 2 };
const S9 = 'scheduled-out-on-own-stack';

const HOLDS: Row = {
  design: 'mainline',
  declared: { expected: 'safe' },
  model: { verdict: 'holds', states: 1234567, bounds, reductions: ['symmetry', 'por'] },
  emulator: { verdict: 'holds', runs: 400, actions: 60123, instructions: 3456789 },
  sweep: { hit: 2950, of: 2950 },
  extraBytesPerTask: 0,
  asDeclared: true,
};

const BROKEN: Row = {
  design: 'deferred-percpu',
  declared: { expected: 'unsafe', property: S9 },
  model: { verdict: 'violated', property: S9, states: 324, bounds, reductions: [] },
  emulator: { verdict: 'violated', property: S9, runs: 1, actions: 16, instructions: 1104 },
  extraBytesPerTask: -4096,
  traceLength: 5,
  asDeclared: true,
};

test('one row a design, columns aligned, abbreviations explained below', () => {
  const text = resultsTable([HOLDS, BROKEN, { design: 'no-pti', declared: { expected: 'safe' }, asDeclared: false }], {
    colour: false,
  });
  expect(`\n${text}\n`).toMatchInlineSnapshot(`
"
design           declared   model           states  up to         bounds  emulator     runs  actions  instructions        sweep  bytes/task  trace  outcome
mainline         safe       holds        1,234,567  sym+por  2/2/1/2/1/2  holds         400   60,123     3,456,789  2,950/2,950          +0      -  as declared
deferred-percpu  unsafe S9  violated S9        324  -        2/2/1/2/1/2  violated S9     1       16         1,104            -      -4,096      5  as declared
no-pti           safe       -                    -  -                  -  -               -        -             -            -           -      -  NOT as declared

up to: reductions of the search that counted the states (sym: symmetry, por: partial order);
bounds: CPUs/tasks/address spaces/nesting/NMIs/IRQs; sweep: (instruction boundary, event) pairs hit, of all;
bytes/task: stack bytes over mainline; trace: transitions of the shortest trace found
S9 scheduled-out-on-own-stack: A task that is scheduled out leaves what it needs on stacks of its own, never on one that its CPU shares.
"
`);
});

test('colours are only there on demand', () => {
  expect(resultsTable([HOLDS], { colour: false })).not.toContain('\x1b');
  expect(resultsTable([HOLDS], { colour: true })).toContain('\x1b');
});

test('numbers are grouped the same everywhere', () => {
  expect([0, 999, 1000, 1234567, -4096].map(grouped)).toEqual(['0', '999', '1,000', '1,234,567', '-4,096']);
  expect([counted(1, 'address space'), counted(2, 'address space')]).toEqual(['1 address space', '2 address spaces']);
});

test('every property that is checked is explained', () => {
  const unknown = explain('from-another-version');
  for (const slug of [...CHECKED_PROPERTIES.map(propertySlug), 'refinement', 'no-deadlock'])
    expect(explain(slug)).not.toEqual(unknown);
  expect(explain('constructor')).toEqual(unknown);
  expect([propertyLabel(S9), propertyLabel('nesting-is-bounded'), propertyLabel('refinement')]).toEqual([
    'S9',
    'L3',
    '',
  ]);
});
