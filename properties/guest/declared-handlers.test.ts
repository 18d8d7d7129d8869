/** Promise: S28 asks of a guest what its manifest says of its handlers, and nothing where it says nothing. */
import type { ElfImage } from '../../emulator/elf/elf-image';
import { designImage } from '../designs/images';
import { declaredHandlers } from './declared-handlers';
import { SYSCALL_EVENT } from './guest-view';
import { ManifestError, readManifest } from './manifest';

const PAGE_FAULT = 14,
  TIMER = 32;

/** An image with these symbols, too. */
function imageWith(symbols: Readonly<Record<string, number>>): ElfImage {
  const image = designImage('mainline');
  if (image === undefined) throw new Error('mainline is gone');
  const all = new Map([...image.symbols, ...Object.entries(symbols)]);
  return Object.assign(Object.create(image) as ElfImage, { symbols: all });
}

test('the function of a vector and of SYSCALL, and none of others', () => {
  const handlers = declaredHandlers(
    readManifest(imageWith({ 'manifest.handler.syscall': -4096, 'manifest.handler.14': -8192 })),
  );
  expect([...(handlers?.all ?? [])]).toEqual([-4096, -8192]);
  expect([SYSCALL_EVENT, PAGE_FAULT, TIMER].map((event) => [...(handlers?.of(event) ?? [])])).toEqual([
    [-4096],
    [-8192],
    [],
  ]);
  expect(declaredHandlers(readManifest(imageWith({})))).toBeUndefined();
});

test.each(['256', '014', 'page_fault', ''])('no vector is called "%s"', (name) => {
  const image = imageWith({ [`manifest.handler.${name}`]: -4096 });
  expect(() => readManifest(image)).toThrow(ManifestError);
  expect(() => readManifest(image)).toThrow(`found manifest.handler.${name}`);
});
