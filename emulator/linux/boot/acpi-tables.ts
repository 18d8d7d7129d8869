/**
 * The ACPI tables that name the CPUs (ACPI 6.4, chapter 5): RSDP, XSDT, MADT. Kernels without MP tables learn of a
 * second CPU from nothing else. There is no FADT and no DSDT, so ACPI itself stays off.
 *
 *   RSDP, 36 bytes -> XSDT, 36 + 8 -> MADT, 44 + 8 for each CPU
 */
const HEADER = 36;
const RSDP_BYTES = 36;
const OEM = 'PTICHK';
const LAPIC_ADDRESS = 0xfee00000;
const MADT_LAPIC_BYTES = 8;
const ENABLED = 1;

/** The tables as they stand at physical `address`, the RSDP first. */
export function acpiTables(address: number, cpus: number): Uint8Array {
  const xsdtAt = align(RSDP_BYTES);
  const madtAt = xsdtAt + align(HEADER + 8);
  const xsdt = table('XSDT', 1, 8);
  xsdt.writeBigUInt64LE(BigInt(address + madtAt), HEADER);
  const madt = table('APIC', 4, 8 + cpus * MADT_LAPIC_BYTES);
  madt.writeUInt32LE(LAPIC_ADDRESS, HEADER);
  for (let cpu = 0; cpu < cpus; cpu++) {
    const at = HEADER + 8 + cpu * MADT_LAPIC_BYTES;
    // Type 0, processor local APIC: length, processor, APIC id, flags.
    madt.set([0, MADT_LAPIC_BYTES, cpu, cpu, ENABLED], at);
  }
  const all = Buffer.alloc(madtAt + madt.length);
  rsdp(address + xsdtAt).copy(all, 0);
  sealed(xsdt).copy(all, xsdtAt);
  sealed(madt).copy(all, madtAt);
  return all;
}

function align(bytes: number): number {
  return (bytes + 15) & ~15;
}

function rsdp(xsdt: number): Buffer {
  const bytes = Buffer.alloc(RSDP_BYTES);
  bytes.write('RSD PTR ', 0, 'latin1');
  bytes.write(OEM, 9, 'latin1');
  bytes[15] = 2;
  bytes.writeUInt32LE(RSDP_BYTES, 20);
  bytes.writeBigUInt64LE(BigInt(xsdt), 24);
  // Two check sums: of the first 20 bytes, as in ACPI 1.0, and of all.
  bytes[8] = checkSum(bytes.subarray(0, 20));
  bytes[32] = checkSum(bytes);
  return bytes;
}

function table(signature: string, revision: number, bodyBytes: number): Buffer {
  const bytes = Buffer.alloc(HEADER + bodyBytes);
  bytes.write(signature, 0, 'latin1');
  bytes.writeUInt32LE(bytes.length, 4);
  bytes[8] = revision;
  bytes.write(OEM, 10, 'latin1');
  bytes.write('PTICHECK', 16, 'latin1');
  bytes.write('PTIC', 28, 'latin1');
  return bytes;
}

function sealed(bytes: Buffer): Buffer {
  bytes[9] = checkSum(bytes);
  return bytes;
}

/** What makes the sum of all bytes 0 modulo 256, where the byte for it is still 0. */
function checkSum(bytes: Uint8Array): number {
  return -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
}
