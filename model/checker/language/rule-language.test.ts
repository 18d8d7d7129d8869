import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Project } from 'ts-morph';
import { checkRuleLanguage, checkSourceFiles } from './rule-language';
import { isBelow } from './rule-sources';
import { ACCEPTED, HEADER, HEADER_LINES, REJECTED, rule, stores, VOCABULARY } from './testing/rule-samples';

const MODEL = join(__dirname, '..', '..');

test('every rule, invariant and helper of the model is within the rule language', () => {
  const rules = readdirSync(join(MODEL, 'rules')).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  expect(rules.length).toBeGreaterThan(0);
  expect(checkRuleLanguage([...rules.map((name) => join(MODEL, 'rules', name)), join(MODEL, 'invariants.ts')])).toEqual(
    [],
  );
});

test('the example model is within the rule language', () => {
  expect(checkRuleLanguage([join(MODEL, 'checker', 'search', 'peterson.ts')])).toEqual([]);
});

const project = new Project({
  useInMemoryFileSystem: true,
  compilerOptions: { strict: true, target: 9, lib: ['lib.es2022.d.ts'], types: [] },
});
project.createSourceFile(`${MODEL}/vocabulary.ts`, VOCABULARY);
project.createSourceFile(
  `${MODEL}/checker/language/quantifiers.ts`,
  'export function exists(n: number, f: (k: number) => boolean): boolean { return f(n); }\nexport function every(n: number, f: (k: number) => boolean): boolean { return f(n); }',
);
const files = (prefix: string, samples: readonly (readonly string[])[]) =>
  samples.map(([, source], i) => project.createSourceFile(`${MODEL}/rules/${prefix}-${i}.ts`, HEADER + source));
const rejected = files('rejected', REJECTED);
const accepted = files('accepted', ACCEPTED);

test.each(REJECTED.map(([construct, , lesson], i) => [construct, lesson, i] as const))('rejects %s', (_, lesson, i) => {
  const errors = checkSourceFiles([rejected[i]]);
  expect(errors.map((error) => error.message)).toContainEqual(expect.stringContaining(lesson));
  expect(errors[0].file).toMatch(new RegExp(`model/rules/rejected-${i}\\.ts$`));
});

test.each(ACCEPTED.map(([construct], i) => [construct, i] as const))('accepts %s', (_, i) => {
  expect(checkSourceFiles([accepted[i]])).toEqual([]);
});

test('an error bears the line of the construct, also in a file that is only called from', () => {
  const library = project.createSourceFile(
    `${MODEL}/library.ts`,
    'import type { State } from "./vocabulary";\n\nexport function late(s: State): number {\n  return s.left * 2;\n}\n',
  );
  const caller = project.createSourceFile(
    `${MODEL}/rules/caller.ts`,
    `import { late } from '../library';${HEADER}${rule('const x = 1;\nlet y = late(s);\ns.left = y - x;')}`,
  );
  expect(checkSourceFiles([caller])).toEqual([
    expect.objectContaining({
      file: expect.stringContaining('library.ts'),
      line: library.getFunctionOrThrow('late').getStartLineNumber() + 1,
    }),
    expect.objectContaining({ file: expect.stringContaining('caller.ts'), line: HEADER_LINES + 3 }),
  ]);
});

test('a helper outside model/ is no helper', () => {
  project.createSourceFile(
    `${dirname(MODEL)}/elsewhere/helper.ts`,
    'export function far(n: number): number { return n; }',
  );
  const caller = project.createSourceFile(
    `${MODEL}/rules/far.ts`,
    `import { far } from '../../elsewhere/helper';${HEADER}${stores('far(c)')}`,
  );
  expect(checkSourceFiles([caller]).map((error) => error.message)).toEqual([
    'far is not a top-level function of model/: write one and call it by its name',
  ]);
});

test("the model's sources are its own wherever the package is installed, and those of other packages never", () => {
  const installed = join('/home/u/project/node_modules/pti-check/model');
  const own = (file: string) => isBelow(join('/home/u/project', file), installed);
  expect(own('node_modules/pti-check/model/rules/entry.ts')).toBe(true);
  expect(own('node_modules/pti-check/model/..kinds.ts')).toBe(true);
  expect(own('node_modules/pti-check/model/node_modules/other/model/rules.ts')).toBe(false);
  expect(own('node_modules/other/model/rules.ts')).toBe(false);
  expect(own('node_modules/pti-check/model-2/rules.ts')).toBe(false);
  expect(own('model/rules/entry.ts')).toBe(false);
});
