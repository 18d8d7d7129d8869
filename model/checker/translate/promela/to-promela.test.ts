/**
 * The exported text as SPIN will read it, without SPIN: every rule instance is there, every name is declared and none
 * is a word of Promela, every type holds its values. That the text means the same as the rules is what
 * scripts/cross-check.sh shows, with SPIN.
 */
import { DESIGN_NAMES } from '../../../design-config';
import { entryModel } from '../../../entry-model';
import { sizeOf } from '../../language/schema-types';
import { ruleInstances } from '../../model';
import { exportModel } from '../export';
import { programOf } from '../program';
import { promelaName, promelaType } from './promela-state';

const BOUNDS = { cpus: 2, tasks: 3, mms: 2, nesting: 2, nmis: 1, irqs: 2 };
const WORDS = new Set(
  'active assert bit byte d_step do else false fi if od proctype short skip true typedef unsigned machine'.split(' '),
);

function modelOf(design: string) {
  const model = entryModel(design, BOUNDS);
  if (model === undefined) throw new Error(`no design ${design}`);
  return model;
}

const promela = (design: string) => exportModel(modelOf(design), design, 'promela');
const withoutComments = (text: string) => text.replace(/\/\*.*?\*\//gs, ' ');

describe.each(DESIGN_NAMES)('%s', (design) => {
  const text = promela(design);
  const code = withoutComments(text);

  test('each rule instance is an option, or is never enabled', () => {
    const never = /Never enabled here: (.*)/.exec(text)?.[1].split(', ') ?? [];
    const options = [...text.matchAll(/\/\* ([a-z0-9-]+)\((.*)\): model\/rules\/[a-z-]+\.ts:\d+ \*\/\n {2}:: d_step/g)];
    const written = new Set(options.map(([, rule, args]) => `${rule}(${args.replace(/[a-z]+=/g, '')})`));
    const instances = ruleInstances(modelOf(design)).map(({ rule, args }) => ({
      rule,
      name: `${rule}(${args.join(', ')})`,
    }));
    expect(written.size).toBe(options.length);
    expect(options.length).toBeGreaterThan(40);
    const impossible = instances.filter(({ rule, name }) => !written.has(name) && !never.includes(rule));
    // An idle thread belongs to one CPU; the guard folds to false on the other.
    expect(impossible.map(({ name }) => name)).toEqual(['switch-to(0, 4)', 'switch-to(1, 3)']);
    expect(code.match(/:: d_step \{/g)).toHaveLength(options.length + (text.match(/\/\* invariant /g)?.length ?? 0));
  });

  test('each name is declared once and is no word of Promela', () => {
    const declared = [...code.matchAll(/^(?:bit|byte|short| *unsigned|typedef|\w+_record) (\w+)/gm)].map(
      ([, name]) => name,
    );
    expect(new Set(declared).size).toBe(declared.length);
    for (const name of declared) expect(promelaName(name)).toBe(name);
    const used = new Set(code.match(/[A-Za-z_]\w*/g));
    const unknown = [...used].filter((name) => !WORDS.has(name) && !declared.includes(name));
    expect(unknown).toEqual([]);
  });

  test('what is opened is closed', () => {
    const count = (pattern: RegExp) => code.match(pattern)?.length ?? 0;
    expect(count(/\(/g)).toBe(count(/\)/g));
    expect(count(/\{/g)).toBe(count(/\}/g));
    expect(count(/\bif\b/g)).toBe(count(/\bfi;/g));
    expect(count(/:: else ->/g)).toBe(count(/\bif\b/g));
  });

  test('the state has every value of every field, and nothing else', () => {
    const model = modelOf(design);
    const bits = [...code.matchAll(/^unsigned (\w+) : (\d+) = (\d+);$/gm)];
    const arrays = [...code.matchAll(/^(?:bit|byte) (\w+)\[(\d+)\]/gm)];
    const records = [...code.matchAll(/^typedef (\w+) \{\n(.*?)\n\}\n\1 \w+\[(\d+)\];/gms)];
    const inRecords = records.reduce((sum, [, , fields, size]) => sum + fields.split(';').length * Number(size), 0);
    const elements = bits.length + inRecords + arrays.reduce((sum, [, , size]) => sum + Number(size), 0);
    expect(elements).toBe(model.packing.describe().length);
    for (const [, name, width, value] of bits) {
      const field = model.schema[name.replace(/_\d+$/, '') as keyof typeof model.schema];
      expect(2 ** Number(width)).toBeGreaterThanOrEqual(sizeOf(field.sort, BOUNDS));
      expect(Number(value)).toBeLessThan(sizeOf(field.sort, BOUNDS));
    }
  });

  test('each property that is required or invariant is asserted by its number', () => {
    const program = programOf(modelOf(design));
    const asserted = new Set([...code.matchAll(/\|\| !(\d+)\)/g)].map(([, number]) => Number(number)));
    const invariants = program.invariants.filter(({ condition }) => condition.kind !== 'bool' || !condition.value);
    for (const { property } of invariants) expect(asserted).toContain(property);
    expect(asserted).toContain(9);
  });
});

test('the text is a function of the model', () => {
  expect(promela('mainline')).toBe(promela('mainline'));
  expect(promela('mainline')).not.toBe(promela('asm-return'));
});

test('an array has the smallest type', () => {
  expect([1, 2, 3, 256, 257].map(promelaType)).toEqual(['bit', 'bit', 'byte', 'byte', 'short']);
  expect(() => promelaType(40_000)).toThrow(RangeError);
});
