import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The package's folder: where package.json is, above the sources and above dist/. */
export function packageFolder(): string {
  for (let at = __dirname; dirname(at) !== at; at = dirname(at)) if (existsSync(join(at, 'package.json'))) return at;
  throw new Error(`no package.json above ${__dirname}: expected the folders of the package as they were installed`);
}
