/**
 * Promises: what a payload unpacks to is unpacked once, and is the same from the cache, empty pages and an odd end
 * included; a file that is not of that form is unpacked anew; and only the newest are kept.
 */
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { withSha256 } from '../../emulator/linux/image/bz-image';
import { cachePath, keep } from '../../model/checker/translate/file-cache';
import { rememberPayload } from './kept-payloads';

const before = process.env.XDG_CACHE_HOME;
const home = mkdtempSync(path.join(tmpdir(), 'pti-check-payloads-'));
beforeAll(() => {
  process.env.XDG_CACHE_HOME = home;
});
afterAll(() => {
  if (before === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = before;
  rmSync(home, { recursive: true });
});

/** A page with something in it, empty ones, and a last one that is cut off. */
const VMLINUX = Uint8Array.from({ length: 5 * 4096 + 3 }, (_, i) => (i < 4096 || i >= 4 * 4096 ? i & 0xff : 0));
const payload = (n: number) => Uint8Array.of(1, 2, n);

/** What is remembered of a payload, and how often it was unpacked for that. */
function remembered(n: number) {
  let count = 0;
  const { vmlinux, vmlinuxSha256 } = rememberPayload(payload(n), () => {
    count++;
    return withSha256(VMLINUX);
  });
  return { count, vmlinux: Buffer.from(vmlinux), vmlinuxSha256 };
}

const unpacked = { ...withSha256(VMLINUX), vmlinux: Buffer.from(VMLINUX) };
const files = () => readdirSync(cachePath() ?? '').sort();

test('a payload is unpacked once, and is the same from the cache', () => {
  expect(remembered(0)).toEqual({ ...unpacked, count: 1 });
  expect(remembered(0)).toEqual({ ...unpacked, count: 0 });
});

test.each([
  ['nothing', Buffer.alloc(0)],
  ['a length and nothing behind it', Buffer.concat([Buffer.alloc(33), Buffer.from([1, 0, 0])])],
  ['more than any kernel has', Buffer.alloc(64, 0xff)],
  ['a page too much', Buffer.concat([Buffer.alloc(33), Buffer.from([1, 0, 0, 0]), Buffer.alloc(4096)])],
])('%s, properly sealed, is not taken for a kernel', (_what, content) => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  const [name] = files();
  keep(name, content);
  expect(remembered(0)).toEqual({ ...unpacked, count: 1 });
  expect(remembered(0)).toEqual({ ...unpacked, count: 0 });
  jest.restoreAllMocks();
});

test('only the newest four are kept, and other files are left alone', () => {
  const folder = cachePath() ?? '';
  writeFileSync(path.join(folder, 'other.state'), '');
  const seen = new Set<string>();
  for (let n = 0; n <= 4; n++) {
    remembered(n);
    for (const file of files()) if (!seen.has(file)) utimesSync(path.join(folder, file), n, n);
    for (const file of files()) seen.add(file);
  }
  expect(files()).toHaveLength(4 + 1);
  expect(remembered(4).count).toBe(0);
  expect(remembered(0).count).toBe(1);
});
