/**
 * `npm run build`: compiles to dist/ (`compile.ts`), unless that was made of the same files already. To load the
 * compiler and every source, only to find that there is nothing to do, takes five seconds.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** The folders that `tsconfig.build.json` includes. */
const FOLDERS = ['counterexamples', 'emulator', 'model', 'properties'];

/** What else decides what is written: settings, and the versions of the compiler and of libraries. */
const SETTINGS = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'scripts/compile.ts'];

/** Which files dist/ was made of, as a hash. Not there while it is written, nor where the program has errors. */
const MADE_OF = 'dist/.inputs';

/** All TypeScript files below a folder but tests, which are not compiled. */
function sourcesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => path.join(folder, file));
}

/** A hash of the names and the contents of all that is compiled. */
function inputs(): string {
  const hash = createHash('sha256');
  for (const file of [...SETTINGS, ...FOLDERS.flatMap(sourcesBelow).sort()]) {
    const content = readFileSync(file);
    hash.update(`${file} ${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}

const madeOf = inputs();
if (!existsSync(MADE_OF) || readFileSync(MADE_OF, 'utf8') !== madeOf) {
  rmSync(MADE_OF, { force: true });
  // biome-ignore lint/style/noCommonJs: the compiler is loaded where there is something to compile
  const { compile } = require('./compile') as typeof import('./compile');
  if (compile()) writeFileSync(MADE_OF, madeOf);
  else process.exitCode = 1;
}
