/**
 * A design written as the file that design-file.ts reads. Apart from it, so that what only writes loads no schema.
 */
import type { DesignTable } from '../../model/designs/design-table';

/** Where the package has the schema, as seen from the folder of a project that has installed it. */
const SCHEMA_FILE = './node_modules/pti-check/docs/design.schema.json';

/** A design as the text of a file for `--design`; `plantedBug` says what is wrong with it on purpose. */
export function designText(table: DesignTable, plantedBug?: string): string {
  const bug = plantedBug === undefined ? {} : { plantedBug };
  return `${JSON.stringify({ $schema: SCHEMA_FILE, ...bug, ...table }, undefined, 2)}\n`;
}
