/**
 * `struct boot_params`, the page that a boot loader hands over (Linux, Documentation/arch/x86/zero-page.rst and
 * boot.rst, 64-bit boot protocol): command line, initial RAM disk, memory map, where the ACPI tables are.
 */
const PAGE = 4096;
const ACPI_RSDP_ADDR = 0x70,
  E820_ENTRIES = 0x1e8,
  E820_TABLE = 0x2d0,
  E820_ENTRY_BYTES = 20;
/** Of the set-up header, which begins at 1F1h. */
const BOOT_FLAG = 0x1fe,
  HEADER_MAGIC = 0x202,
  VERSION = 0x206,
  TYPE_OF_LOADER = 0x210,
  LOAD_FLAGS = 0x211,
  RAMDISK_IMAGE = 0x218,
  RAMDISK_SIZE = 0x21c,
  CMD_LINE_PTR = 0x228,
  KERNEL_ALIGNMENT = 0x230,
  CMD_LINE_SIZE = 0x238;
const LOADED_HIGH = 1;
const OTHER_LOADER = 0xff;

/** Types of the memory map. */
const E820_RAM = 1,
  E820_RESERVED = 2;

interface BootParameters {
  readonly memoryBytes: number;
  /** RAM below 1 MiB ends here; what is above it and below 1 MiB is reserved. */
  readonly lowMemoryEnd: number;
  readonly commandLineAt: number;
  readonly commandLineBytes: number;
  readonly rsdpAt: number;
  readonly initrdAt: number;
  readonly initrdBytes: number;
}

export function bootParams(parameters: BootParameters): Uint8Array {
  const page = Buffer.alloc(PAGE);
  page.writeBigUInt64LE(BigInt(parameters.rsdpAt), ACPI_RSDP_ADDR);
  page.writeUInt16LE(0xaa55, BOOT_FLAG);
  page.write('HdrS', HEADER_MAGIC, 'latin1');
  page.writeUInt16LE(0x20f, VERSION);
  page[TYPE_OF_LOADER] = OTHER_LOADER;
  page[LOAD_FLAGS] = LOADED_HIGH;
  page.writeUInt32LE(parameters.initrdAt, RAMDISK_IMAGE);
  page.writeUInt32LE(parameters.initrdBytes, RAMDISK_SIZE);
  page.writeUInt32LE(parameters.commandLineAt, CMD_LINE_PTR);
  page.writeUInt32LE(0x200000, KERNEL_ALIGNMENT);
  page.writeUInt32LE(parameters.commandLineBytes, CMD_LINE_SIZE);
  const low = parameters.lowMemoryEnd;
  const map: [number, number, number][] = [
    [0, low, E820_RAM],
    [low, 0x100000 - low, E820_RESERVED],
    [0x100000, parameters.memoryBytes - 0x100000, E820_RAM],
  ];
  page[E820_ENTRIES] = map.length;
  map.forEach(([from, bytes, type], i) => {
    const at = E820_TABLE + i * E820_ENTRY_BYTES;
    page.writeBigUInt64LE(BigInt(from), at);
    page.writeBigUInt64LE(BigInt(bytes), at + 8);
    page.writeUInt32LE(type, at + 16);
  });
  return page;
}
