/** Promises: docs/properties.md says of each property what its descriptor says, and each has a mutant that is one. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { designImage } from '../designs/images';
import { DESIGNS, MUTANTS } from '../designs/registry';
import { bootGuest } from '../monitor/guest';
import { PROPERTIES } from '../safety/index';
import { NOFLUSH_IS_SAFE } from '../safety/noflush-is-safe';
import type { BuiltInProperty } from '../safety/property';
import { USER_TABLE_IS_MINIMAL } from '../safety/user-table-is-minimal';
import { PROPERTY_TABLES, withPropertyTables } from './property-tables';

test('the tables of docs/properties.md are those of the descriptors', () => {
  const document = readFileSync(path.resolve(__dirname, '../../docs/properties.md'), 'utf8');
  expect(document.match(/<!-- table \w+ -->/g)).toHaveLength(Object.keys(PROPERTY_TABLES).length);
  // Where they differ: node -r esbuild-register scripts/write-property-tables.ts
  expect(withPropertyTables(document)).toBe(document);
});

test.each(PROPERTIES.map(({ slug, mutant }) => [slug, mutant]))('%s is violated by %s', (slug, mutant) => {
  expect([...DESIGNS, ...MUTANTS].find(({ id }) => id === mutant)?.property).toBe(slug);
});

test('the moments that are made for a machine are the documented ones', () => {
  const momentsFor = ({ moments }: BuiltInProperty, id: string) => {
    const image = designImage(id);
    if (image === undefined || typeof moments !== 'function') throw new Error('expected an image, moments of a view');
    return Object.keys(moments(bootGuest(image).view));
  };
  expect(momentsFor(USER_TABLE_IS_MINIMAL, 'mainline')).toEqual(['booted', 'storedToTable']);
  // Asked of images that say where the mask is.
  expect(momentsFor(NOFLUSH_IS_SAFE, 'mainline')).toEqual([]);
  expect(momentsFor(NOFLUSH_IS_SAFE, 'mainline+flush-not-paid')).toEqual(['gsAccessed', 'cr3Written']);
});
