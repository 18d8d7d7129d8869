/** Promise: the program that a kernel runs is what its source says, in an archive that a kernel unpacks. */
import { readdirSync, readFileSync } from 'node:fs';
import { cpioArchive } from './cpio';
import { readWorkload } from './workload';

const { elf, excursions, initrd } = readWorkload(__dirname);

test('the table has every excursion of the sources, in their order, and none twice', () => {
  const main = readFileSync(`${__dirname}/workload.S`, 'utf8');
  const included = [...main.matchAll(/^\t\.include "(.*)"$/gm)].map(([, file]) => file);
  expect(included.sort()).toEqual(
    readdirSync(__dirname)
      .filter((file) => file.endsWith('.inc'))
      .sort(),
  );
  const sources = [...main.matchAll(/^\t\.include "(.*)"$/gm)].map(([, file]) =>
    readFileSync(`${__dirname}/${file}`, 'utf8'),
  );
  const named = sources.flatMap((text) => [...text.matchAll(/^\t(?:excursion|returns_to) (\w+)/gm)]);
  expect(excursions).toEqual(named.map(([, name]) => name));
  expect(new Set(excursions).size).toBe(excursions.length);
  expect(excursions.length).toBeGreaterThanOrEqual(50);
});

test('it begins where its code is', () => {
  expect(elf.symbolAt(elf.entry)).toEqual({ name: '_start', offset: 0 });
});

test('an archive has each file after a header of 110 characters, padded to 4 bytes, and a trailer', () => {
  const data = Uint8Array.of(1, 2, 3, 4, 5);
  const archive = Buffer.from(cpioArchive([{ name: 'init', mode: 0o755, data }]));
  const field = (n: number) => Number.parseInt(archive.toString('latin1', 6 + 8 * n, 14 + 8 * n), 16);
  expect(archive.toString('latin1', 0, 6)).toBe('070701');
  expect([field(1), field(4), field(6), field(11)]).toEqual([0o100755, 1, 5, 5]);
  expect(archive.toString('latin1', 110, 115)).toBe('init\0');
  expect([...archive.subarray(116, 124)]).toEqual([1, 2, 3, 4, 5, 0, 0, 0]);
  expect(archive.toString('latin1', 124 + 110, 124 + 121)).toBe('TRAILER!!!\0');
  expect(archive.length % 4).toBe(0);
});

test('the initial RAM disk has the program as an executable file called init', () => {
  expect(Buffer.from(initrd).toString('latin1', 110, 115)).toBe('init\0');
  expect(Buffer.from(initrd).readUInt32BE(116)).toBe(0x7f454c46);
});
