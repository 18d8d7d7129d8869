/**
 * The exported text as rumur will read it, without rumur; scripts/cross-check.sh shows that it means the same as the
 * rules.
 */
import { DESIGN_NAMES } from '../../../design-config';
import { entryModel } from '../../../entry-model';
import { modelPropertySlug } from '../../../property-names';
import { sizeOf } from '../../language/schema-types';
import { exportModel } from '../export';
import { murphiName } from './murphi-expressions';

const BOUNDS = { cpus: 2, tasks: 3, mms: 2, nesting: 2, nmis: 1, irqs: 2 };
const WORDS = new Set(
  'array begin boolean clear do else end error exists false forall if invariant of rule ruleset startstate then true type var'.split(
    ' ',
  ),
);

function modelOf(design: string) {
  const model = entryModel(design, BOUNDS);
  if (model === undefined) throw new Error(`no design ${design}`);
  return model;
}

const murphi = (design: string) => exportModel(modelOf(design), design, 'murphi');
const withoutTexts = (text: string) => text.replace(/--.*/g, '').replace(/"[^"]*"/g, '');

describe.each(DESIGN_NAMES)('%s', (design) => {
  const model = modelOf(design);
  const text = murphi(design);
  const code = withoutTexts(text);

  test('each rule has a ruleset over its parameters, or is never enabled', () => {
    const never = /Never enabled here: (.*)/.exec(text)?.[1].split(', ') ?? [];
    const found = [...text.matchAll(/^ruleset (.*) do\n {2}rule "(.*)"$/gm)];
    const written = new Map(
      found.map(([, params, name]) => [name, [...params.matchAll(/: (\w+)_index/g)].map((m) => m[1])]),
    );
    expect(written.size).toBe(found.length);
    for (const { name, params } of model.rules)
      if (!never.includes(name)) expect([name, written.get(name)]).toEqual([name, [...params]]);
    expect(written.size + never.length).toBe(model.rules.length);
  });

  test('each name is declared and is no word of Murphi', () => {
    const declared = new Set([...code.matchAll(/\b([A-Za-z_]\w*)\s*:(?!=)/g)].map(([, name]) => name));
    for (const name of declared) expect(murphiName(name)).toBe(name);
    const used = new Set(code.match(/[A-Za-z_]\w*/g));
    expect([...used].filter((name) => !WORDS.has(name) && !declared.has(name))).toEqual([]);
  });

  test('each field is a variable with exactly its values', () => {
    const variables = /\nvar\n(.*?)\n\n/s.exec(code)?.[1] ?? '';
    for (const [name, field] of Object.entries(model.schema)) {
      const [, index, last] = new RegExp(`^  ${name}: .*?(?:(\\w+)_index|0\\.\\.(\\d+));$`, 'm').exec(variables) ?? [];
      const size = last === undefined ? sizeOf({ kind: index } as typeof field.sort, BOUNDS) : Number(last) + 1;
      expect([name, size]).toEqual([name, sizeOf(field.sort, BOUNDS)]);
    }
  });

  test('what is opened is closed', () => {
    const count = (pattern: RegExp) => code.match(pattern)?.length ?? 0;
    expect(count(/\(/g)).toBe(count(/\)/g));
    expect(count(/\bend\b/g)).toBe(count(/\b(?:if|rule|ruleset|startstate|exists|forall)\b/g));
  });

  test('invariants and errors are named by their slugs', () => {
    expect([...text.matchAll(/^invariant "(.*)"$/gm)].map(([, name]) => name)).toEqual(
      model.invariants.map((i) => i.name),
    );
    const errors = new Set([...text.matchAll(/error "(.*?)"/g)].map(([, name]) => name));
    expect(errors).toContain(modelPropertySlug(9));
  });

  test('there is no scalarset', () => {
    expect(code).not.toMatch(/scalarset|multiset|union/i);
  });
});

test('the text is a function of the model', () => {
  expect(murphi('mainline')).toBe(murphi('mainline'));
});
