/**
 * What the payloads of kernel images unpack to, in the cache (`model/checker/translate/file-cache.ts`, which seals
 * them): unpacking xz takes longer than anything else that is done with a kernel whose state is in the cache. Only the
 * newest are kept, without their empty pages, which are half of a kernel.
 *
 *   32 SHA-256 of the vmlinux | 4 its length | present pages, a bit each | these pages
 */
import { createHash } from 'node:crypto';
import type { Vmlinux } from '../../emulator/linux/image/bz-image';
import { MAX_UNPACKED } from '../../emulator/linux/image/bz-image';
import { recall } from '../../model/checker/translate/file-cache';
import { Malformed } from '../../model/checker/translate/words';
import { keepNewest } from './kept-states';

const ENDING = '.vmlinux';
const MOST_KERNELS = 4;
const HASH_BYTES = 32;
const HEAD_BYTES = HASH_BYTES + 4;
const PAGE = 4096;
const EMPTY_PAGE = Buffer.alloc(PAGE);

/** What the payload unpacks to: as it was kept the last time, or unpacked now, and kept. */
export function rememberPayload(payload: Uint8Array, unpack: () => Vmlinux): Vmlinux {
  const hash = createHash('sha256').update(payload).digest('hex');
  const name = `linux-${hash.slice(0, 32)}${ENDING}`;
  const kept = recall(name, withEmptyPages);
  if (kept !== undefined) return kept;
  const unpacked = unpack();
  keepNewest(name, withoutEmptyPages(unpacked), ENDING, MOST_KERNELS);
  return unpacked;
}

function withoutEmptyPages({ vmlinux, vmlinuxSha256 }: Vmlinux): Uint8Array {
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(vmlinuxSha256, 'hex');
  head.writeUInt32LE(vmlinux.length, HASH_BYTES);
  const present = Buffer.alloc(bitmapBytes(vmlinux.length));
  const pages: Uint8Array[] = [];
  for (let page = 0; page * PAGE < vmlinux.length; page++) {
    const contents = vmlinux.subarray(page * PAGE, (page + 1) * PAGE);
    if (EMPTY_PAGE.subarray(0, contents.length).equals(contents)) continue;
    present[page >>> 3] |= 1 << (page & 7);
    pages.push(contents);
  }
  return Buffer.concat([head, present, ...pages]);
}

function withEmptyPages(kept: Buffer): Vmlinux {
  if (kept.length < HEAD_BYTES) throw new Malformed(`expected ${HEAD_BYTES} bytes, found ${kept.length}`);
  const length = kept.readUInt32LE(HASH_BYTES);
  if (length > MAX_UNPACKED) throw new Malformed(`expected at most ${MAX_UNPACKED} bytes, found ${length}`);
  let at = HEAD_BYTES + bitmapBytes(length);
  const present = kept.subarray(HEAD_BYTES, at);
  const vmlinux = new Uint8Array(length);
  for (let page = 0; page * PAGE < length; page++) {
    if ((present[page >>> 3] & (1 << (page & 7))) === 0) continue;
    const size = Math.min(PAGE, length - page * PAGE);
    vmlinux.set(kept.subarray(at, at + size), page * PAGE);
    at += size;
  }
  if (at !== kept.length) throw new Malformed(`expected ${at} bytes, found ${kept.length}`);
  return { vmlinux, vmlinuxSha256: kept.toString('hex', 0, HASH_BYTES) };
}

/** Of a file of so many bytes. */
function bitmapBytes(length: number): number {
  return Math.ceil(length / PAGE / 8);
}
