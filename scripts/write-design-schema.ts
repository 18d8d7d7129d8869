/**
 * Writes the JSON Schema of a design file: `node -r esbuild-register scripts/write-design-schema.ts`. A test compares
 * it.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { packageFolder } from '../model/checker/package-folder';
import { designSchema } from '../properties/designs/design-file';

writeFileSync(
  path.join(packageFolder(), 'docs', 'design.schema.json'),
  `${JSON.stringify(designSchema(), undefined, 2)}\n`,
);
