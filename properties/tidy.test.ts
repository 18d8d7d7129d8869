/**
 * What we say of style and no other tool checks, of every TypeScript file that git knows. `tidy-exceptions.ts` lists
 * what is not so yet. The lists may only shrink: an entry that is no longer needed fails, too.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { HASH_PRIVATE, LONG_FILES, UNUSED_EXPORTS, WIDE_COMMENTS } from './testing/tidy-exceptions';

const root = path.join(__dirname, '..');

/** In the middle of a merge git names a file more than once. */
const filesLike = (pattern: string) =>
  execFileSync('git', ['ls-files', '--deduplicate', '--cached', '--others', '--exclude-standard', pattern], {
    cwd: root,
  })
    .toString()
    .trim()
    .split('\n')
    .filter((file) => existsSync(path.join(root, file)))
    .map((file) => ({ file, name: path.basename(file), text: readFileSync(path.join(root, file), 'utf8') }));

const sources = filesLike('*.ts');

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
    /(?:"([A-Z][^"\n]*)" (?:in|of) )?((?:[\w-]+\/)*(?:[A-Z]+|[a-z\d]+(?:-[a-z\d]+)+)\.md)(?:, "([A-Z][^"\n]*)")?/g;
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

/** The anchor that a heading has where a document is shown: its letters, digits and hyphens. */
const anchorOf = (heading: string) =>
  heading
    .replace(/^#+ /, '')
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');

test('a link of a document leads to a file and a section that exist', () => {
  const dangling = filesLike('*.md').flatMap(({ file, text }) =>
    [...text.matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].flatMap(([link, target, anchor]) => {
      const to = path.join(root, target === '' ? file : path.join(path.dirname(file), target));
      if (!existsSync(to)) return [`${file}: ${link}`];
      if (anchor === undefined) return [];
      const headings = readFileSync(to, 'utf8').match(/^#+ .*$/gm) ?? [];
      return headings.some((heading) => anchorOf(heading) === anchor) ? [] : [`${file}: ${link}`];
    }),
  );
  expect(dangling).toEqual([]);
});

test('the decisions are numbered without a gap, and the index has each', () => {
  const folder = path.join(root, 'docs/decisions');
  const pages = readdirSync(folder).filter((name) => name !== 'README.md');
  const index = readFileSync(path.join(folder, 'README.md'), 'utf8');
  expect(pages.map((name) => Number(name.slice(0, 4))).sort((a, b) => a - b)).toEqual(pages.map((_, i) => i + 1));
  for (const page of pages) {
    const title = readFileSync(path.join(folder, page), 'utf8').match(/^# \d+\. (.*)$/m)?.[1];
    expect(index).toContain(`[${page.slice(0, 4)}](${page}) | ${title} |`);
  }
});

test('ARCHITECTURE.md is short enough to be read', () => {
  expect(readFileSync(path.join(root, 'ARCHITECTURE.md'), 'utf8').split(/\s+/).length).toBeLessThanOrEqual(1600);
});
