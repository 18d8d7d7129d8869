/**
 * Promises: a model whose rules are written outside of this package is searched by the compiled search and exported as
 * ours are; only what is declared in the files that it names is part of it; the functions of the language are told by
 * where they are declared, and not by their names.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Project } from 'ts-morph';
import { exploreCompiled } from '../compiled/explore-compiled';
import { checkSourceFiles } from '../language/rule-language';
import { ruleFilePath } from '../language/rule-sources';
import { explore } from '../search/explore';
import { peterson } from '../search/peterson';
import { exportModel } from './export';
import { translate } from './source-program';

const checker = path.resolve(__dirname, '..');
const folder = mkdtempSync(path.join(tmpdir(), 'pti-check-foreign-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Peterson's algorithm, in a folder that has nothing to do with ours. */
function foreignPeterson(): string {
  const text = readFileSync(path.join(checker, 'search', 'peterson.ts'), 'utf8');
  const file = path.join(folder, 'peterson.ts');
  writeFileSync(file, text.replaceAll("from '../", `from '${checker}/`));
  return file;
}

const file = foreignPeterson();

test('a model whose rules are elsewhere is searched by the compiled search', () => {
  for (const givesTurn of [0, 1]) {
    const model = { ...peterson({ givesTurn }), ruleFiles: () => [file] };
    const { bytes, joined, ...found } = exploreCompiled(model, { memoryMiB: 64 });
    expect(found).toEqual(explore(model));
  }
});

test('a model whose rules are elsewhere is exported, with the places of its rules', () => {
  const ours = { ...peterson(), ruleFiles: () => [path.join(checker, 'search', 'peterson.ts')] };
  const theirs = { ...peterson(), ruleFiles: () => [pathToFileURL(file)] };
  for (const to of ['promela', 'murphi'] as const) {
    const text = exportModel(theirs, 'peterson', to);
    expect(text).toMatch(/[ (]peterson\.ts:\d+/);
    expect(text).toBe(exportModel(ours, 'peterson', to).replaceAll('model/checker/search/peterson.ts', 'peterson.ts'));
  }
});

test('a rule file is named by an absolute path or a file: URL, and is TypeScript', () => {
  expect(ruleFilePath(pathToFileURL('/home/u/machine.ts'))).toBe('/home/u/machine.ts');
  expect(ruleFilePath('file:///home/u/machine.mts')).toBe('/home/u/machine.mts');
  expect(() => ruleFilePath('machine.ts')).toThrow('expected a rule file as an absolute path or a file: URL');
  for (const name of ['/home/u/machine.js', '/home/u/machine.d.ts'])
    expect(() => ruleFilePath(name)).toThrow('name the source that it was made from');
  expect(() => exportModel({ ...peterson(), ruleFiles: () => ['/no/such/file.ts'] }, 'x', 'promela')).toThrow(
    '/no/such/file.ts',
  );
});

const project = new Project({
  useInMemoryFileSystem: true,
  compilerOptions: { strict: true, target: 9, lib: ['lib.es5.d.ts'], types: [] },
});
const vocabulary = `export interface DesignConfig { readonly x: number }
export interface Bounds { readonly cpus: number }
export interface State { left: number; failed: number }
`;
const written = (name: string, text: string) => project.createSourceFile(`/home/u/${name}`, text);
const rule = (imports: string, body: string) =>
  `import type { Bounds, DesignConfig, State } from './vocabulary';\n${imports}\nexport function sample(d: DesignConfig, b: Bounds, s: State): false | void {\n${body}\n}\n`;
written('vocabulary.ts', vocabulary);

test('what a rule uses is declared in a file that the model names', () => {
  const helpers = written(
    'helpers.ts',
    `import type { State } from './vocabulary';\nexport const LAST = 3;\nexport function isLast(s: State): boolean { return s.left === LAST; }\n`,
  );
  const caller = written(
    'caller.ts',
    rule("import { isLast, LAST } from './helpers';", 'if (isLast(s)) return false;\ns.left = LAST;'),
  );
  expect(checkSourceFiles([caller, helpers])).toEqual([]);
  expect(checkSourceFiles([caller]).map(({ message }) => message)).toEqual([
    "isLast is not a top-level function of the model's rule files: write one and call it by its name",
    expect.stringContaining("LAST is not an integer constant of the model's rule files"),
  ]);
});

test("a function that only has the name of the language's own is none of it", () => {
  const own = written(
    'quantifiers.ts',
    'export function exists(n: number, f: (k: number) => boolean): boolean { return f(n); }\n',
  );
  const caller = written(
    'quantified.ts',
    rule("import { exists } from './quantifiers';", 'if (exists(2, (k) => k === s.left)) return false;\ns.left = 1;'),
  );
  expect(checkSourceFiles([caller, own]).map(({ message }) => message)).toContainEqual(
    expect.stringContaining('a closure may only be the argument of exists or every'),
  );

  const judged = path.join(folder, 'judged.ts');
  const requires = 'export function requires(s: State, n: number, ok: boolean): void { if (ok) s.failed = n; }';
  writeFileSync(path.join(folder, 'vocabulary.ts'), vocabulary);
  writeFileSync(judged, rule(requires, 's.left = 1;\nrequires(s, 7, s.left === 1);'));
  const { body } = translate([judged]).rules.sample;
  expect(body.map(({ kind }) => kind)).toEqual(['assign', 'let', 'if']);
});

test('a package that is not found is named, once', () => {
  const caller = written('lost.ts', "import type { State } from 'pti-check/checker';\nexport type Mine = State;\n");
  expect(checkSourceFiles([caller]).map(({ message }) => message)).toEqual([
    'pti-check/checker is not found from here: install pti-check in a folder above this file',
  ]);
});
