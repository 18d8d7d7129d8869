/**
 * Which files are the TypeScript of a model: those below model/ for ours, and for anybody else's the files that the
 * model names, wherever they are. What a rule uses has to be declared in one of them, because nothing else is
 * translated. What is part of the language itself (`exists`, `every`, `requires`) is known by the file of this package
 * that declares it, which is a .d.ts file where the package is installed.
 */
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FunctionDeclaration } from 'ts-morph';
import { modelFolder } from '../translate/origin';

export interface RuleSources {
  /** What a message calls them. */
  readonly name: string;
  /** The folder that origins are relative to. */
  readonly root: string;
  has(file: string): boolean;
}

/** The sources of a model with these rule files, given by their paths. */
export function sourcesOf(files: readonly string[]): RuleSources {
  const ours = modelFolder();
  if (files.every((file) => isBelow(file, ours)))
    return { name: 'model/', root: dirname(ours), has: (file) => isBelow(file, ours) };
  return {
    name: "the model's rule files",
    root: commonFolder(files),
    has: (file) => files.some((one) => relative(one, file) === ''),
  };
}

function commonFolder(files: readonly string[]): string {
  const [first, ...others] = files.map((file) => dirname(file).split(sep));
  const length = first.findIndex((part, i) => others.some((other) => other[i] !== part));
  return length === -1 ? first.join(sep) : first.slice(0, length).join(sep) || sep;
}

/**
 * The path of a rule file that a model names. Throws RangeError where it is no absolute path or file: URL, and where it
 * is not TypeScript: the types of a rule's parameters are part of the language.
 */
export function ruleFilePath(named: string | URL): string {
  const isUrl = named instanceof URL || named.startsWith('file:');
  const path = isUrl ? fileURLToPath(named) : named;
  if (!isAbsolute(path)) throw new RangeError(`expected a rule file as an absolute path or a file: URL, found ${path}`);
  if (!/(?<!\.d)\.[cm]?ts$/.test(path))
    throw new RangeError(`expected a rule file in TypeScript, found ${path}: name the source that it was made from`);
  return path;
}

/**
 * Is the file one of this folder's own? The folder may itself be in a node_modules, where the package is installed;
 * what counts is the way from the folder down to the file.
 */
export function isBelow(file: string, folder: string): boolean {
  const way = relative(folder, file);
  const parts = way.split(sep);
  return way !== '' && !isAbsolute(way) && parts[0] !== '..' && !parts.includes('node_modules');
}

type LanguageFunction = 'exists' | 'every' | 'requires';

const DECLARED_IN: Readonly<Record<LanguageFunction, string>> = {
  exists: 'quantifiers',
  every: 'quantifiers',
  requires: 'requires',
};

/** The function of the language that this is; undefined for any other, whatever its name. */
export function languageFunction(declaration: FunctionDeclaration): LanguageFunction | undefined {
  const name = declaration.getName() ?? '';
  if (!Object.hasOwn(DECLARED_IN, name)) return undefined;
  const found = name as LanguageFunction;
  const file = declaration.getSourceFile().getFilePath();
  if (basename(file).replace(/(\.d)?\.ts$/, '') !== DECLARED_IN[found]) return undefined;
  const ours = dirname(modelFolder());
  const folders = [ours, join(ours, 'dist')].map((folder) => join(folder, 'model', 'checker', 'language'));
  return folders.some((folder) => relative(folder, dirname(file)) === '') ? found : undefined;
}
