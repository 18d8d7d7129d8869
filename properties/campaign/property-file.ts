/**
 * Properties of a user's, from files that are code and are run. Each thread that boots a machine loads them before it
 * does.
 */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { BadInputError } from '../bad-input';
import { addProperty } from '../safety/index';
import { defineProperty, type Property } from '../safety/property';

const loaded = new Map<string, Promise<void>>();

/**
 * Runs the files, each once in a thread, and adds their properties to ours. A file exports one property, or a list of
 * them, as its default (`export default` or `module.exports`). Throws BadInputError for one that does not.
 */
export async function loadProperties(files: readonly string[]): Promise<void> {
  for (const file of files.map((one) => path.resolve(one))) {
    const loading = loaded.get(file) ?? load(file);
    loaded.set(file, loading);
    await loading;
  }
}

async function load(file: string): Promise<void> {
  try {
    const exported: { default?: Property | readonly Property[] } = await import(pathToFileURL(file).href);
    const found = exported.default;
    const properties: readonly (Property | undefined)[] = Array.isArray(found)
      ? found
      : [found as Property | undefined];
    for (const property of properties) addProperty(defineProperty(property ?? ({} as Property)));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new BadInputError(
      `${file}: expected a JavaScript file whose default export is a property (docs/your-own-property.md), found: ${why}`,
    );
  }
}
