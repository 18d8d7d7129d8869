/**
 * An initial RAM disk: a cpio archive in the format "newc" (Linux, Documentation/driver-api/early-userspace/
 * buffer-format.rst). An entry is a header of 110 characters, the name, the contents; each of the two is padded to 4
 * bytes. Only plain files are written.
 *
 *   070701 | ino | mode | uid | gid | nlink | mtime | size | 4 device numbers | name size | check, 8 hex digits each
 */
interface CpioFile {
  /** Path without a slash before it. */
  readonly name: string;
  /** Permission bits, such as 0o755. */
  readonly mode: number;
  readonly data: Uint8Array;
}

const MAGIC = '070701';
const REGULAR_FILE = 0o100000;
const TRAILER: CpioFile = { name: 'TRAILER!!!', mode: 0, data: new Uint8Array(0) };

export function cpioArchive(files: readonly CpioFile[]): Uint8Array {
  return Buffer.concat([...files.map((file, i) => entry(file, i + 1)), entry(TRAILER, 0)]);
}

function entry({ name, mode, data }: CpioFile, ino: number): Buffer {
  const type = name === TRAILER.name ? 0 : REGULAR_FILE;
  const fields = [ino, type | mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length + 1, 0];
  const head = MAGIC + fields.map((field) => field.toString(16).padStart(8, '0')).join('') + name;
  return Buffer.concat([padded(Buffer.from(`${head}\0`, 'latin1')), padded(data)]);
}

function padded(data: Uint8Array): Buffer {
  return Buffer.concat([data, Buffer.alloc(-data.length & 3)]);
}
