/**
 * What a reader of a narrated case can rely on. Addresses, offsets and instruction counts are the guest's affair, so
 * they are blotted out.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Action, type Counterexample, designName } from '../../counterexamples/format';
import { listCounterexamples, readCounterexample } from '../../counterexamples/store';
import { schema } from '../../model/schema';
import { Subject } from '../campaign/subject';
import { imageFile } from '../designs/images';
import { CONTEXT_FIELDS, CPU_FIELDS, CR3_FIELDS, THREAD_FIELDS, UNTOLD_FIELDS } from '../refinement/changes';
import { propertyNumber } from '../safety/index';
import { narrate, narrateActions, narrateReplay } from './narrator';
import { recordSteps } from './step-record';

/** Of a terminal on which a row and an instruction are one line. */
const WIDEST = 140;
const PLAIN = { colour: false, width: WIDEST };

const subject = new Subject({ design: 'deferred-percpu' });
const S9 = propertyNumber('scheduled-out-on-own-stack') as number;
const walk = subject.shortestWalk({ kind: 'violated', property: S9, message: '' });
const actions: Action[] = [...(walk?.actions ?? [])];

function saved(change: Partial<Counterexample> = {}): Counterexample {
  return {
    format: 'pti-check counterexample',
    version: 1,
    property: 'scheduled-out-on-own-stack',
    design: 'deferred-percpu',
    bounds: { ...subject.bounds },
    image: { sha256: '0'.repeat(64) },
    actions,
    expected: {
      kind: 'violated',
      property: 'scheduled-out-on-own-stack',
      step: actions.length,
      message: '',
      fingerprints: [],
    },
    origin: { seed: 'x', run: 3, strategy: 'random', lengthBeforeShrinking: 17, date: '2026-01-31' },
    ...change,
  };
}

/** The lines that do not depend on where the assembler put things. */
function stable(lines: readonly string[]): string[] {
  return lines
    .filter((line) => !/^ +(ran|faulted|before|chose) /.test(line))
    .map((line) => line.replace(/\b[0-9a-f]{16}\b/g, '*'));
}

const rowOf = (lines: readonly string[], step: number) =>
  lines.find((line) => line.startsWith(`${step}`.padStart(4))) ?? '';
const cells = (row: string) => row.trim().split(/ {2,}/);

test('the header says what is broken, of which design, within which bounds, and where it comes from', () => {
  expect(stable(narrate(subject, saved(), PLAIN)).slice(0, 8)).toMatchInlineSnapshot(`
[
  "deferred-percpu violates scheduled-out-on-own-stack (S9)",
  "",
  "  design   CR3 switch in C, body still on the per-CPU trampoline stack",
  "  promise  A task that is scheduled out leaves what it needs on stacks of its own, never on one that its CPU shares.",
  "  broken   A task was scheduled out while it stood on a per-CPU stack, which the next entry on that CPU overwrites.",
  "  bounds   2 CPUs, 2 tasks, 1 address space, nesting 2, at most 1 NMI and 2 IRQs",
  "  image    of deferred-percpu, sha256 *...",
  "  trace    5 steps with 5 transitions (17 before shrinking), found by seed "x", run 3",
]
`);
});

test('the headline case ends with the violation, its sentence and the store of threadsp', () => {
  const lines = narrate(subject, saved(), PLAIN);
  const footer = lines.slice(lines.lastIndexOf('') + 1);
  expect(footer[0]).toBe(`step ${actions.length} violates scheduled-out-on-own-stack (S9):`);
  expect(footer[1]).toMatch(
    /^ {2}task t0 is scheduled out with rsp fffffe[0-9a-f]{10} in entry\(c0\), expected a stack of its own\.$/,
  );
  expect(footer[2]).toMatch(/^ {2}CPU 0 executed \w+\+0x[0-9a-f]+: mov %rsp,/);
});

test('every step has a row with the CPU as it is afterwards', () => {
  const lines = narrate(subject, saved(), PLAIN);
  expect(cells(rowOf(lines, 1)).filter((cell) => !/^[0-9a-f]{16}$/.test(cell))).toEqual([
    '1',
    'user-page-fault(c0)',
    'c0',
    't0',
    '0',
    'user mm0',
    'user',
    '0',
    '-',
    'entry(c0)',
  ]);
  const last = rowOf(lines, actions.length);
  expect(last).toContain('switch-to(c0, idle(c0))');
  expect(cells(last)).toContain('kernel mm0');
});

test('changes are told in the words of entry code', () => {
  const told = narrate(subject, saved(), PLAIN)
    .filter((line) => line.startsWith('      now '))
    .map((line) => line.slice(15));
  expect(told).toMatchInlineSnapshot(`
[
  "CPL: 3 -> 0, kernel mode",
  "rsp: user stack -> entry stack of CPU 0",
  "IF: 1 -> 0, interrupts off",
  "context opened: page-fault (#PF) from user mode, frame live on entry stack of CPU 0",
  "GS: user -> kernel",
  "CR3: user half (mm0) -> kernel half (mm0)",
  "page-fault (#PF) has reached its body",
]
`);
});

test('instructions are given as a place and AT&T text, with what the guest chose on the way', () => {
  const text = narrate(subject, saved(), PLAIN).join('\n');
  expect(text).toMatch(/\n {6}ran {6}\w+(\+0x[0-9a-f]+)? +swapgs\b/);
  expect(text).toMatch(/\n {6}faulted {2}user_program\+0x[0-9a-f]+ +\w+ .*-> vector 14, \w+/);
  expect(text).toMatch(/\n {6}chose {4}1 of 0\.\.3 at user_program/);
});

test('an NMI is told with the instruction that it came before', () => {
  const lines = narrateActions(
    subject,
    [
      { action: 'step', cpu: 0, rule: 'syscall' },
      { action: 'nmi', cpu: 0 },
    ],
    PLAIN,
  );
  const text = lines.join('\n');
  expect(text).toMatch(/\n {6}before {3}\w+.* -> vector 2, /);
  expect(text).toContain('now      NMIs are blocked until the next IRET');
  expect(cells(rowOf(lines, 2))).toEqual(expect.arrayContaining(['nmi(c0)', 'blocked']));
});

test('an action that is not enabled is told as skipped, and the trace goes on', () => {
  const disabled: Action = { action: 'step', cpu: 0, rule: 'sysret' };
  const lines = narrate(subject, saved({ actions: [disabled, ...actions] }), PLAIN);
  expect(lines.join('\n')).toMatch(
    /\n {6}skipped {2}the action is not enabled here: the CPU did syscall instead of sysret\n/,
  );
  expect(lines).toContain('  1 action of the trace was not enabled and was left out.');
});

test('a trace that does not fail says so', () => {
  const lines = narrate(subject, saved({ actions: actions.slice(0, 2) }), PLAIN);
  expect(lines.at(-1)).toBe(
    `The trace ran to its end and nothing failed; expected scheduled-out-on-own-stack to fail at step ${actions.length}.`,
  );
});

test('a violation that is there from the start has no steps', () => {
  const noPti = new Subject({ design: 'no-pti' });
  const lines = narrate(noPti, saved({ design: 'no-pti', property: 'user-table-is-minimal', actions: [] }), PLAIN);
  expect(lines.join('\n')).toContain('The initial state, before any step, violates user-table-is-minimal (S12):');
});

test.each([80, 100, 139, WIDEST, 200])('no line is wider than a terminal of %i columns', (width) => {
  const lines = narrate(subject, saved(), { colour: false, width });
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
});

test('what a narrow terminal has no columns for stands below the row', () => {
  const lines = narrate(subject, saved(), { colour: false, width: 80 });
  const at = lines.findIndex((line) => line.includes('user-page-fault(c0)'));
  expect(cells(lines[at])).toEqual(['1', 'user-page-fault(c0)', 'c0', 't0', '0', 'user mm0', 'user', '0']);
  expect(lines[at + 1]).toMatch(/^ {6}stack {4}entry\(c0\), rsp fffffe[0-9a-f]{10}$/);
  expect(lines.join(' ').replace(/\s+/g, ' ')).toMatch(
    /faulted user_program\+0x[0-9a-f]+: mov [^ ]+ -> vector 14, \w+ \(after \d+ instructions\)/,
  );
});

test('colours are only there on demand', () => {
  expect(narrate(subject, saved(), PLAIN).join('')).not.toContain('\x1b');
  expect(narrate(subject, saved(), { colour: true, width: 80 }).join('')).toContain('\x1b');
});

describe('every case of the corpus is told to its end', () => {
  const files = listCounterexamples(path.resolve(__dirname, '../../counterexamples/corpus'));

  test.each(files.map((file) => [path.basename(file), file]))('%s', (_, file) => {
    const read = readCounterexample(file);
    const found = new Subject({ design: designName(read), boot: read.bounds });
    const replay = recordSteps(found, read.actions);
    const { step, property } = read.expected;
    expect(replay.steps).toHaveLength(step);
    expect(replay.steps.at(-1)?.outcome ?? replay.initially).toMatchObject({
      kind: 'violated',
      property: propertyNumber(property),
    });
    const lines = narrateReplay(found, read, replay, PLAIN);
    const footer = lines.slice(lines.lastIndexOf('') + 1);
    const where = step === 0 ? 'The initial state, before any step,' : `step ${step}`;
    expect(footer[0]).toMatch(new RegExp(`^${where} violates ${property} \\(`));
    expect(lines.filter((line) => /^ {6}FAILS /.test(line))).toHaveLength(Math.min(step, 1));
  });
});

test('where the trace leaves the model the step is marked, and the story goes on to the violation', () => {
  const file = listCounterexamples(path.resolve(__dirname, '../../counterexamples/corpus')).find((name) =>
    name.includes('mainline+recursive-fault'),
  );
  const read = readCounterexample(file ?? '');
  const lines = narrate(new Subject({ design: designName(read) }), read, PLAIN);
  const marks = lines.filter((line) => /^ {6}LEAVES /.test(line));
  expect(marks).toHaveLength(1);
  expect(lines.indexOf(marks[0])).toBeGreaterThan(lines.indexOf(rowOf(lines, 10)));
  expect(lines.indexOf(marks[0])).toBeLessThan(lines.indexOf(rowOf(lines, 11)));
  expect(lines).toContain('  It had left the abstract machine at step 10.');
});

test('a trace that only leaves the model ends there, with the sentence that says how', () => {
  const other = new Subject({
    design: 'asm-return',
    elf: { name: 'mine.elf', bytes: readFileSync(imageFile('mainline')) },
  });
  const step: Action = { action: 'step', cpu: 0, rule: 'any' };
  const diverged = saved({
    design: 'asm-return',
    property: 'refinement',
    actions: [step, step, step],
    expected: { kind: 'diverged', property: 'refinement', step: 3, field: 'stack[0]', message: '', fingerprints: [] },
  });
  const lines = narrate(other, diverged, PLAIN);
  const footer = lines.slice(lines.lastIndexOf('') + 1).join(' ');
  expect(footer).toMatch(/^step 3 leaves the abstract machine in stack\[0\]: {3}CPU 0: rsp: user stack -> no stack/);
  expect(footer).not.toContain('ran to its end');
  const longer = narrate(other, { ...diverged, actions: [step, step, step, step] }, PLAIN).join(' ');
  expect(longer).toContain('The trace then ran to its end, and no property failed.');
});

test('narrating leaves the machine with its monitor and its choices', () => {
  const { machine, monitor } = subject.guest;
  const { choose } = machine;
  narrate(subject, saved(), PLAIN);
  expect(machine.observer).toBe(monitor);
  expect(machine.choose).toBe(choose);
});

test('every field of the abstract state is told or named as untold', () => {
  const told = [...Object.keys(CPU_FIELDS), ...CR3_FIELDS, ...CONTEXT_FIELDS, ...THREAD_FIELDS, ...UNTOLD_FIELDS];
  expect(told.sort()).toEqual([...Object.keys(schema), 'failed'].sort());
});
