/** Writes the tables of docs/properties.md anew: `node -r esbuild-register scripts/write-property-tables.ts`. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { withPropertyTables } from '../properties/report/property-tables';

const file = path.join(__dirname, '../docs/properties.md');
writeFileSync(file, withPropertyTables(readFileSync(file, 'utf8')));
