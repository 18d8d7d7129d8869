/**
 * Everything that computed data depends on besides its input, as one hash: what is kept in files bears it in its name,
 * so that data of another version is never looked at. That is
 *
 * - the sources of the model, which the translator reads,
 * - the code of model/ that runs now (dist/ may be older than the sources),
 * - the versions of this package, of Node, and of ts-morph with the TypeScript that it brings along,
 * - processor and platform.
 */
import { createHash, type Hash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join, sep } from 'node:path';
import { packageFolder } from '../package-folder';

/** The package's model/ folder with TypeScript in it: this file may run from there or from dist/. */
export function modelFolder(): string {
  return join(packageFolder(), 'model');
}

const isSource = (name: string, extension: string) =>
  name.endsWith(extension) && !name.endsWith('.d.ts') && !/\.(test|bench)\.[jt]s$/.test(name);

/** The source files of a folder, without tests. */
export function sourcesIn(folder: string, extension = '.ts'): string[] {
  return readdirSync(folder)
    .filter((name) => isSource(name, extension))
    .sort()
    .map((name) => join(folder, name));
}

/** Those of all folders below it, too. */
function allSourcesIn(folder: string, extension: string): string[] {
  const inner = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const folders = inner.map(({ name }) => join(folder, name)).sort();
  return [...sourcesIn(folder, extension), ...folders.flatMap((each) => allSourcesIn(each, extension))];
}

function versionIn(packageFile: string): string {
  const { name, version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { name: string; version: string };
  return `${name} ${version}`;
}

/** Loading ts-morph to ask it for its versions would take longer than all the rest. */
export function versions(): string[] {
  const tsMorph = require.resolve('ts-morph/package.json');
  const fromThere = createRequire(tsMorph);
  const common = fromThere.resolve('@ts-morph/common/package.json');
  // Which TypeScript is in it has no version of its own to be read without loading it.
  const typescript = statSync(join(dirname(common), 'dist', 'typescript.js')).size;
  const ours = versionIn(join(packageFolder(), 'package.json'));
  const platform = `${process.platform} ${process.arch}`;
  return [
    ours,
    `node ${process.version}`,
    versionIn(tsMorph),
    versionIn(common),
    `typescript.js ${typescript}`,
    platform,
  ];
}

const hashes = new Map<string, string>();
let base: Hash | undefined;

function hashFiles(hash: Hash, files: readonly string[]): void {
  for (const file of files) {
    const text = readFileSync(file);
    hash.update(`${file.split(sep).slice(-3).join('/')}\0${text.length}\0`).update(text);
  }
}

/** The hash of everything but the files that are asked for. */
function baseHash(): Hash {
  const hash = createHash('sha256').update(`${versions().join('\n')}\0`);
  const root = modelFolder();
  // From model/checker/translate, or from the same folder in dist/.
  const running = dirname(dirname(__dirname));
  hashFiles(hash, allSourcesIn(root, '.ts'));
  if (running !== root) hashFiles(hash, allSourcesIn(running, extname(__filename)));
  return hash;
}

/** A name for all of it, and for the contents of `files`, which are read once in a process. */
export function contentHash(files: readonly string[] = []): string {
  const key = files.join('\0');
  const known = hashes.get(key);
  if (known !== undefined) return known;
  base ??= baseHash();
  const hash = base.copy();
  hashFiles(hash, files);
  const name = hash.digest('hex').slice(0, 32);
  hashes.set(key, name);
  return name;
}
