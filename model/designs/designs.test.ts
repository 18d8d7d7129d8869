/**
 * Promises: in the tables of the built-in designs every step of every path is taken somewhere, and a path to the body
 * and back ends where it began; an edit does what it says and refuses what is not there; every mutant differs from its
 * design in what the rules read.
 */

import { explore } from '../checker/search/explore';
import { DESIGN_NAMES, DESIGN_TABLES, designConfig, designTable, MUTANT_NAMES } from '../design-config';
import { type EntryModel, entryModel } from '../entry-model';
import { modelPropertySlug } from '../property-names';
import { checkDesign } from './check-design';
import { compileDesign } from './environments';
import { mainline } from './mainline';
import { editDesign, sequencesOf } from './sequences';
import { leftOut } from './variants';

test.each(DESIGN_TABLES.map((table) => [table.name, table] as const))(
  '%s has no fault: each step is taken, each way back undoes the way in',
  (_, table) => {
    expect(checkDesign(table)).toEqual([]);
  },
);

describe('an edit', () => {
  const stepsOf = (table: typeof mainline, name: string) => sequencesOf(table).find((one) => one.name === name)?.steps;
  const of = ['syscall enter'];

  test('leaves out, inserts, exchanges or replaces a step, and leaves the other sequences alone', () => {
    const rest = ['load-kernel-stack', 'enter-body'];
    const made = [
      editDesign(mainline, [{ leaveOut: 'read-cr3-into-rsp', of }]),
      editDesign(mainline, [{ insert: 'sti', before: 'load-kernel-cr3', of }]),
      editDesign(mainline, [{ exchange: 'swapgs-to-kernel', with: 'load-kernel-cr3', of }]),
      editDesign(mainline, [{ replace: 'read-cr3-into-rsp', by: 'load-entry-stack', of }]),
    ];
    expect(made.map((table) => stepsOf(table, 'syscall enter'))).toEqual([
      ['swapgs-to-kernel', 'load-kernel-cr3', ...rest],
      ['swapgs-to-kernel', 'read-cr3-into-rsp', 'sti', 'load-kernel-cr3', ...rest],
      ['load-kernel-cr3', 'read-cr3-into-rsp', 'swapgs-to-kernel', ...rest],
      ['swapgs-to-kernel', 'load-entry-stack', 'load-kernel-cr3', ...rest],
    ]);
    const others = (table: typeof mainline) => sequencesOf(table).filter(({ name }) => name !== 'syscall enter');
    for (const table of made) expect(others(table)).toEqual(others(mainline));
  });

  test('of what is not there is refused', () => {
    expect(() => editDesign(mainline, [{ leaveOut: 'sti', of }])).toThrow(/no step sti/);
    expect(() => editDesign(mainline, [{ leaveOut: 'sysret', of: ['syscall exit'] }])).toThrow(
      /no sequence syscall exit/,
    );
  });
});

test.each(MUTANT_NAMES)('%s differs from its design in what the rules read', (id) => {
  const config = designConfig(id);
  expect(config).toBeDefined();
  expect(config).not.toEqual(designConfig(id.split('+')[0]));
});

test('the designs differ from each other in what the rules read', () => {
  const configs = DESIGN_NAMES.map((id) => JSON.stringify(designConfig(id)));
  expect(new Set(configs).size).toBe(DESIGN_NAMES.length);
  expect(compileDesign(mainline)).toEqual(designConfig('mainline'));
  expect(designTable('mainline')).toBe(mainline);
});

describe('a wrong table is refused with where it is wrong', () => {
  const faultsOf = (...edits: Parameters<typeof editDesign>[1]) =>
    checkDesign(editDesign(mainline, edits)).map(({ sequence, step, message }) => `${sequence} ${step}: ${message}`);

  test.each([
    [
      { insert: 'swapgs-to-kernel', before: 'load-kernel-cr3', of: ['nmi enter'] },
      'nmi enter 1: swapgs-to-kernel can never',
    ],
    [{ insert: 'return-to-pti-stack', before: 'sysret', of: ['syscall sysret'] }, 'sysret needs load-user-rsp'],
    [{ leaveOut: 'load-user-rsp', of: ['syscall sysret'] }, 'syscall sysret 3: sysret needs load-user-rsp before it'],
    [{ leaveOut: 'enter-body', of: ['irq enter'] }, 'irq enter 3: expected enter-body as the last step'],
    [{ leaveOut: 'load-user-cr3', of: ['nmi iret'] }, 'nmi iret 2: iret-to-user does not undo the entry'],
    [{ leaveOut: 'restore-user-gs', of: ['kernel nmi return'] }, 'nmi-iret-to-kernel does not undo the entry'],
    [{ exchange: 'set-current', with: 'set-top', of: ['context-switch'] }, 'context-switch 3: expected the order'],
    [{ leaveOut: 'switch-mm', of: ['context-switch'] }, 'context-switch 0: expected a step switch-mm'],
  ] as const)('%j', (edit, part) => {
    expect(faultsOf(edit).join('\n')).toContain(part);
  });

  test('a body on the stack of the user is one that nothing loaded', () => {
    const of = ['syscall enter'];
    const edits = [
      { leaveOut: 'load-kernel-stack', of },
      { leaveOut: 'read-cr3-into-rsp', of },
    ] as const;
    expect(faultsOf(...edits).join('\n')).toContain('syscall enter 2: the body runs on a stack that nothing loaded');
  });
});

describe('each step of mainline that changes CR3, GS or the stack is needed by a property, or is known not to be', () => {
  const BOUNDS = { cpus: 1, tasks: 1, mms: 1, nesting: 2, nmis: 1, irqs: 1 };
  const needed = leftOut(mainline).map(({ sequence, step, table }) => {
    const { property } = explore(entryModel(table, BOUNDS) as EntryModel);
    return [`${sequence}: ${step}`, property === undefined ? 'nothing' : modelPropertySlug(property)];
  });

  test('alone, in a system call', () => {
    expect(Object.fromEntries(needed.filter(([step]) => step.startsWith('syscall')))).toEqual({
      'syscall enter: swapgs-to-kernel': 'kernel-gs-accesses-use-kernel-gs',
      'syscall enter: read-cr3-into-rsp': 'nothing',
      'syscall enter: load-kernel-cr3': 'accesses-are-mapped',
      'syscall enter: load-kernel-stack': 'stack-is-legal',
      'syscall sysret: leave-to-entry-stack': 'accesses-are-mapped',
      'syscall sysret: load-user-cr3': 'user-mode-uses-user-cr3',
      'syscall sysret: load-user-rsp': 'resume-is-exact',
      'syscall sysret: swapgs-to-user': 'user-mode-uses-user-gs',
      'syscall iret: leave-to-entry-stack': 'accesses-are-mapped',
      'syscall iret: load-user-cr3': 'user-mode-uses-user-cr3',
      'syscall iret: swapgs-to-user': 'user-mode-uses-user-gs',
    });
  });

  test('with events from the kernel', () => {
    expect(Object.fromEntries(needed.filter(([step]) => step.startsWith('kernel')))).toEqual({
      'kernel irq enter: load-irq-stack': 'nothing',
      'kernel irq return: leave-irq-stack': 'resume-is-exact',
      'kernel nmi enter: load-kernel-cr3': 'accesses-are-mapped',
      'kernel nmi enter: swapgs-to-kernel': 'kernel-gs-accesses-use-kernel-gs',
      'kernel nmi return: restore-user-cr3': 'resume-is-exact',
      'kernel nmi return: restore-user-gs': 'resume-is-exact',
      // One NMI cannot nest.
      'kernel nmi return: repeat-nmi': 'nothing',
    });
  });

  test('everything else that nothing here needs', () => {
    const others = needed.filter(([step, property]) => property === 'nothing' && !/^(syscall|kernel)/.test(step));
    expect(others.map(([step]) => step)).toEqual([
      'irq enter: load-irq-stack',
      'irq iret: leave-irq-stack',
      'nmi enter: load-kernel-stack',
      // With one task there is no switch.
      'context-switch: set-top',
    ]);
  });
});
