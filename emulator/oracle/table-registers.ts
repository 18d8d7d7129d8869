/** GDTR, IDTR, TR and LDTR: ours, and as QEMU's monitor command `info registers` prints them. */
import type { Cpu } from '../cpu/cpu';
import { GDTR_BASE, GDTR_LIMIT, IDTR_BASE, IDTR_LIMIT, LDTR, TR, TR_BASE, TR_LIMIT } from '../registers';

export type TableRegisters = ReadonlyMap<string, bigint>;

export function tableRegisters(cpu: Cpu): TableRegisters {
  const r = cpu.r;
  return new Map([
    ['gdtr.base', cpu.get64(GDTR_BASE)],
    ['gdtr.limit', BigInt(r[GDTR_LIMIT])],
    ['idtr.base', cpu.get64(IDTR_BASE)],
    ['idtr.limit', BigInt(r[IDTR_LIMIT])],
    ['tr', BigInt(r[TR])],
    ['tr.base', cpu.get64(TR_BASE)],
    ['tr.limit', BigInt(r[TR_LIMIT] >>> 0)],
    ['ldtr', BigInt(r[LDTR])],
  ]);
}

/** `GDT= base limit`, `TR =selector base limit flags ...`, all in hexadecimal. Throws if a line is missing. */
export function parseInfoRegisters(text: string): TableRegisters {
  const values = new Map<string, bigint>();
  for (const table of ['GDT', 'IDT']) {
    const [base, limit] = numbers(text, table);
    values.set(`${table.toLowerCase()}r.base`, base);
    values.set(`${table.toLowerCase()}r.limit`, limit);
  }
  const [tr, base, limit] = numbers(text, 'TR');
  values.set('tr', tr).set('tr.base', base).set('tr.limit', limit);
  return values.set('ldtr', numbers(text, 'LDT')[0]);
}

function numbers(text: string, name: string): bigint[] {
  const line = new RegExp(`^${name} ?=((?: *[0-9a-f]+\\b)+)`, 'm').exec(text)?.[1];
  if (line === undefined) throw new Error(`expected a line "${name}=" in the output of "info registers", found none`);
  return line
    .trim()
    .split(/ +/)
    .map((digits) => BigInt(`0x${digits}`));
}
