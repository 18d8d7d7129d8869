/**
 * Promises of properties that somebody else writes: they are asked at their moments beside ours, with a number of their
 * own after all of ours, and what is none is refused in a sentence.
 */
import type { ElfImage } from '../../emulator/elf/elf-image';
import { fetchOp } from '../../emulator/fetch';
import { OP_STACK } from '../../emulator/micro-op';
import { CPL, CR4 } from '../../emulator/registers';
import { BadInputError } from '../bad-input';
import { designImage } from '../designs/images';
import { fuzz } from '../library/index';
import { bootGuest } from '../monitor/guest';
import { Monitor } from '../monitor/monitor';
import { explain, propertyLabel } from '../report/explain';
import { guardedProperty } from './guarded-property';
import { addProperty, allProperties, propertyNumber, removeAddedProperties } from './index';
import { defineProperty, type Property } from './property';

const CR4_CET = 1 << 23;

afterAll(removeAddedProperties);

/** A bit that no image of ours sets: what asks for it fails at once, and what asks that it stays clear never does. */
const CET_IS_ON = defineProperty({
  slug: 'cet-is-on',
  promise: 'CR4.CET is set in user mode.',
  violated: 'A task runs in user mode with CET off.',
  moments: {
    userModeReached: (_scene, cpu) => ((cpu.r[CR4] & CR4_CET) === 0 ? 'expected CR4.CET to be 1, found 0' : undefined),
  },
});

/** Asked before and after every instruction: how often shows that none was left out. */
function counting(counter: { begun: number; count: number }): Property {
  return defineProperty({
    slug: 'cet-stays-off',
    promise: 'CR4.CET is never set.',
    violated: 'CET was set.',
    moments: () => ({
      executing: () => {
        counter.begun++;
        return undefined;
      },
      retired: (_scene, cpu) => {
        counter.count++;
        return (cpu.r[CR4] & CR4_CET) === 0 ? undefined : 'expected CR4.CET to be 0, found 1';
      },
    }),
  });
}

test('a property that holds is asked after every instruction; one that does not is reported, shrunk and explained', () => {
  const counter = { begun: 0, count: 0 };
  const options = { seed: 'own', runs: 2, sweep: false, boot: { cpus: 1, tasks: 1, mms: 1 } };
  const held = fuzz('mainline', { ...options, properties: [counting(counter)] });
  expect(held.verdict).toBe('holds');
  expect(counter.count).toBeGreaterThan(held.actions);
  // What faults is begun and does not retire.
  expect(counter.begun).toBeGreaterThan(counter.count);
  const { verdict, failure } = fuzz('mainline', { ...options, properties: [CET_IS_ON] });
  expect(verdict).toBe('violated');
  expect(failure).toMatchObject({ property: 'cet-is-on', message: 'expected CR4.CET to be 1, found 0' });
  expect([propertyLabel('cet-stays-off'), propertyLabel('cet-is-on')]).toEqual(['U1', 'U2']);
  expect(explain('cet-is-on').violated).toBe('A task runs in user mode with CET off.');
});

test('a property is asked of every push and pop of a system call, where ours trust the bounds that they know', () => {
  const { view } = bootGuest(designImage('mainline') as ElfImage, { cpus: 1, tasks: 1, mms: 1 });
  const { machine } = view;
  const [cpu] = machine.cpus;
  let asked = 0;
  const stackAccessed = () => {
    asked++;
    return undefined;
  };
  const own = {
    ...guardedProperty({ ...CET_IS_ON, slug: 'counts-accesses', moments: { stackAccessed } }),
    number: 201,
  };
  new Monitor(view, [...allProperties(), own]).attach();
  let accesses = 0;
  for (let i = 0; i < 400; i++) {
    const op = fetchOp(cpu);
    if (cpu.r[CPL] === 0 && op !== undefined && (op.flags & OP_STACK) !== 0) accesses++;
    machine.run(0, 1);
  }
  expect(accesses).toBeGreaterThan(100);
  expect(asked).toBe(accesses);
});

test('a slug that is taken is refused, and the same property again is not', () => {
  const before = propertyNumber('cet-is-on');
  addProperty(CET_IS_ON);
  expect(propertyNumber('cet-is-on')).toBe(before);
  expect(() => addProperty({ ...CET_IS_ON })).toThrow(RangeError);
  expect(() => addProperty({ ...CET_IS_ON, slug: 'stack-is-legal' })).toThrow('found stack-is-legal again');
});

test.each([
  [
    'cannot-be-asked',
    (): never => {
      throw new TypeError('boom');
    },
    'expected the property cannot-be-asked to answer at booted, found that it throws: TypeError: boom; mend its file',
  ],
  [
    'answers-a-number',
    () => 0 as never,
    'expected the property answers-a-number to answer undefined or a sentence at booted, found 0; mend its file',
  ],
])('a mistake in %s is told as one of its file', (slug, booted, sentence) => {
  const image = designImage('mainline') as ElfImage;
  const { view } = bootGuest(image, { cpus: 1, tasks: 1, mms: 1 });
  const own = { ...guardedProperty({ ...CET_IS_ON, slug, moments: { booted } }), number: 201 };
  const attach = () => new Monitor(view, [own]).attach();
  expect(attach).toThrow(BadInputError);
  expect(attach).toThrow(sentence);
});

test.each([
  [{ slug: 'CET on' }, 'expected a slug of lower-case words with hyphens'],
  [{ promise: '' }, 'expected a sentence as promise of the property cet-is-on'],
  [{ moments: null }, 'expected moments of the property cet-is-on'],
  [{ moments: { returnd: () => undefined } }, 'expected a moment, found returnd'],
])('%j is none', (part, sentence) => {
  expect(() => defineProperty({ ...CET_IS_ON, ...part } as Property)).toThrow(sentence);
});
