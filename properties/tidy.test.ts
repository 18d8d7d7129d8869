/**
 * What we say of style and no other tool checks, of every TypeScript file that git knows. `tidy-exceptions.ts` lists
 * what is not so yet. The lists may only shrink: an entry that is no longer needed fails, too.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { HASH_PRIVATE, LONG_FILES, UNUSED_EXPORTS, WIDE_COMMENTS } from './testing/tidy-exceptions';

const root = path.join(__dirname, '..');

const sources = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts'], { cwd: root })
  .toString()
  .trim()
  .split('\n')
  .filter((file) => existsSync(path.join(root, file)))
  .map((file) => ({ file, name: path.basename(file), text: readFileSync(path.join(root, file), 'utf8') }));

type Source = (typeof sources)[number];

/** The base names of the files of which something holds. Base names, so that a file may move. */
const namesOf = (holds: (source: Source) => boolean) => sources.filter(holds).map(({ name }) => name);

/** Fails for what is found and not listed, and for what is listed and not found. */
function expectExactly(found: readonly string[], listed: readonly string[]): void {
  const sorted = (names: readonly string[]) => [...new Set(names)].sort();
  expect(sorted(found)).toEqual(sorted(listed));
}

test('the sources are found', () => {
  expect(sources.length).toBeGreaterThan(200);
});

test('a comment has at most 120 columns; a directive of the linter has to be one line', () => {
  const isWide = (line: string) =>
    line.length > 120 && /^\s*(\/\/|\/?\*)| \/\/ /.test(line) && !line.includes('biome-ignore');
  expectExactly(
    namesOf(({ text }) => text.split('\n').some(isWide)),
    WIDE_COMMENTS,
  );
});

test('a file has at most 350 lines', () => {
  expectExactly(
    namesOf(({ text }) => text.split('\n').length - 1 > 350),
    LONG_FILES,
  );
});

test('a test is called test', () => {
  expect(namesOf(({ text }) => /^\s*(it|fit|xit)(\.\w+)*[(<`]/m.test(text))).toEqual([]);
});

test('a private member is called private', () => {
  expectExactly(
    namesOf(({ text }) => /^\s*((readonly|static|async|get|set) )*#(?!include)\w+/m.test(text)),
    HASH_PRIVATE,
  );
});

test('what is exported is used in another file', () => {
  const files = new Map<string, number>();
  for (const { text } of sources) {
    for (const word of new Set(text.match(/\w+/g))) files.set(word, (files.get(word) ?? 0) + 1);
  }
  // The list of exceptions names each of them, too.
  const listed = new Set(UNUSED_EXPORTS);
  const declared = /^export (?:abstract |async )?(?:const|let|function|class|interface|type) (\w+)/gm;
  const unused = sources.flatMap(({ text }) =>
    [...text.matchAll(declared)]
      .map(([, word]) => word)
      .filter((word) => (files.get(word) ?? 0) <= (listed.has(word) ? 2 : 1)),
  );
  expectExactly(unused, UNUSED_EXPORTS);
});

test('a document that is named in the code exists, and so does its section', () => {
  const named =
    /(?:"([A-Z][^"\n]*)" (?:in|of) )?((?:[\w-]+\/)*(?:[A-Z]+|[a-z]+(?:-[a-z]+)+)\.md)(?:, "([A-Z][^"\n]*)")?/g;
  const dangling = sources
    .filter(({ file }) => !file.endsWith('.test.ts'))
    .flatMap(({ file, text }) =>
      [...text.matchAll(named)].flatMap(([whole, before, document, after]) => {
        const at = [root, path.dirname(path.join(root, file))].map((folder) => path.join(folder, document));
        const found = at.find((place) => existsSync(place));
        if (found === undefined) return [`${file}: ${whole}`];
        const section = before ?? after;
        const headings = readFileSync(found, 'utf8').split('\n');
        const exists = section === undefined || headings.some((line) => /^#+ /.test(line) && line.endsWith(section));
        return exists ? [] : [`${file}: ${whole}`];
      }),
    );
  expect(dangling).toEqual([]);
});
