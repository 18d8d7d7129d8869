/**
 * Promises: every design and mutant of the model survives the way through a file; the schema in the package is the one
 * that a file is checked with; a wrong file is refused with its line, what was expected there and what was found.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { packageFolder } from '../../model/checker/package-folder';
import { DESIGN_NAMES, designTable, MUTANT_NAMES } from '../../model/design-config';
import { compileDesign } from '../../model/designs/environments';
import { mainline } from '../../model/designs/mainline';
import { emptyFolder } from '../cli/testing/pti-check';
import { designOf, designSchema, readDesignFile } from './design-file';
import { isDesignFile } from './design-file-name';
import { designText } from './design-text';

const { folder, remove } = emptyFolder();
afterAll(remove);

function file(text: string): string {
  const name = path.join(folder, 'design.json');
  writeFileSync(name, text);
  return name;
}

test.each(DESIGN_NAMES)('%s survives the way through a file', (id) => {
  const table = designTable(id);
  if (table === undefined) throw new Error(`${id} is gone`);
  const read = readDesignFile(file(designText(table)));
  expect(read).toEqual(table);
  expect(compileDesign(read)).toEqual(compileDesign(table));
});

test.each(MUTANT_NAMES)('%s survives it, too, where the file says that its bug is planted', (id) => {
  const table = designTable(id);
  if (table === undefined) throw new Error(`${id} is gone`);
  expect(readDesignFile(file(designText(table, 'a bug')))).toEqual(table);
  expect(designOf(JSON.parse(JSON.stringify(table)), 'case.json')).toEqual(table);
});

test('the schema in the package is the one that files are checked with', () => {
  const published = readFileSync(path.join(packageFolder(), 'docs', 'design.schema.json'), 'utf8');
  expect(JSON.parse(published)).toEqual(JSON.parse(JSON.stringify(designSchema())));
});

test('a word with .json or a folder is a file, and the name of a design is none', () => {
  expect(['a.json', './a', 'mainline', 'mainline+sti-on-trampoline'].map(isDesignFile)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test.each([
  [
    'a word that is no step',
    '"load-kernel-stack"',
    '"load-kernel-stak"',
    14,
    'fromUser.syscall.enter.3: expected one of',
  ],
  ['a step where it changes nothing', '"read-cr3-into-rsp"', '"swapgs-to-kernel"', 12, 'can never be taken here'],
  ['a name of another kind', '"name": "mainline"', '"name": "Main Line"', 3, 'expected a name like deferred-pertask'],
  ['a number that is none of both', '"pageTables": 2', '"pageTables": 3', 4, 'found 3'],
  ['a key that no design has', '"pageTables": 2', '"pageTable": 2', 4, 'expected no key "pageTable"'],
  ['text that is no JSON', '"pageTables": 2,', '"pageTables": ,', 4, 'expected JSON, found ValueExpected'],
])('%s', (_, found, replaced, line, part) => {
  const name = file(designText(mainline).replace(found, replaced));
  expect(() => readDesignFile(name)).toThrow(part);
  expect(() => readDesignFile(name)).toThrow(`${name}:${line}: `);
});
