import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { QemuError, qemuVersion, startQemu } from './qemu-process';

const SIZE = { ramBytes: 1 << 20, cpus: 1 };

function leftOver(): string[] {
  return ['/dev/shm', tmpdir()]
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder))
    .filter((name) => name.startsWith(`pti-check-qemu-${process.pid}-`));
}

test('a program that is missing, or that ends at once, is a sentence and leaves no files', async () => {
  await expect(startQemu('/nonexistent/qemu', SIZE)).rejects.toThrow('/nonexistent/qemu could not be started: ');
  // Node does not know -accel either, and says so.
  await expect(startQemu(process.execPath, SIZE)).rejects.toThrow(/ended with status 9: .*bad option/);
  await expect(startQemu(process.execPath, SIZE)).rejects.toThrow(QemuError);
  expect(leftOver()).toEqual([]);
});

test('a program that cannot be run has no version', () => {
  expect(qemuVersion('/nonexistent/qemu')).toBeUndefined();
  expect(qemuVersion(process.execPath)).toMatch(/^v\d+/);
});
