/**
 * A fault as a kernel engineer wants to read it: vector, error code and its bits, CR2, where it was raised and by which
 * instruction, where it was delivered to, and for a #PF the page walk entry by entry.
 */
import { disassemble } from '../../emulator/decode/disassemble';
import type { ElfImage } from '../../emulator/elf/elf-image';
import type { Machine } from '../../emulator/machine';
import { walkedEntries } from '../../emulator/mmu/table-view';
import { VEC_PF } from '../../emulator/registers';
import { hex64, hexVa } from '../../emulator/words';
import { locationName } from './location';

/** A fault that was raised, and the handler that got it. */
export interface RaisedFault {
  readonly vector: number;
  /** -1 where the vector has none. */
  readonly error: number;
  /** Address of the faulting instruction. */
  readonly rip: number;
  /** The address that a #PF is about. */
  readonly address: number;
  /** CR3 at the fault, low word. */
  readonly cr3: number;
  /** GS base at the fault. */
  readonly gsBase: number;
  /** First instruction of the handler; undefined where the fault could not be delivered. */
  handler?: number | undefined;
}

/** Names of the vectors below 32 (SDM Vol. 3A, table 6-1). */
const NAMES: Readonly<Record<number, string>> = {
  0: '#DE',
  1: '#DB',
  3: '#BP',
  4: '#OF',
  5: '#BR',
  6: '#UD',
  7: '#NM',
  8: '#DF',
  10: '#TS',
  11: '#NP',
  12: '#SS',
  13: '#GP',
  14: '#PF',
  16: '#MF',
  17: '#AC',
  18: '#MC',
};

/** `#GP(0x0)`, `#PF(0x2)`, `#UD`. */
export function faultName(vector: number, error: number): string {
  const name = NAMES[vector] ?? `vector ${vector}`;
  return error < 0 ? name : `${name}(0x${error.toString(16)})`;
}

/** Bits of the error code of a #PF (SDM Vol. 3A, 4.7). */
function pageFaultBits(error: number): string {
  const bits = [
    (error & 1) !== 0 ? 'a right is missing' : 'not present',
    (error & 0x10) !== 0 ? 'fetch' : (error & 2) !== 0 ? 'write' : 'read',
    (error & 4) !== 0 ? 'user' : 'supervisor',
  ];
  return [...bits, ...((error & 8) !== 0 ? ['reserved bit set'] : [])].join(', ');
}

function walk(machine: Machine, { cr3, address }: RaisedFault): string {
  const entries = walkedEntries(machine.memory, cr3, address).map(({ table, index, lo, hi }) => {
    const rights = [(lo & 2) !== 0 ? 'W' : 'R', (lo & 4) !== 0 ? 'user' : 'supervisor', ...(hi < 0 ? ['NX'] : [])];
    return `${table}[${index}] = ${hex64(lo, hi)} ${(lo & 1) === 0 ? 'not present' : rights.join(' ')}`;
  });
  return [`CR3 ${(cr3 >>> 0).toString(16)}`, ...entries].join(' -> ');
}

/** `#GP(0x0) at load_mm+0x61 (mov %rax,%cr3), delivered to entry_general_protection+0x0`. */
export function faultInWords(image: ElfImage, machine: Machine, fault: RaisedFault): string {
  const text = disassemble(machine, fault.cr3 & ROOT, fault.rip, image);
  const to = fault.handler === undefined ? 'not delivered' : `delivered to ${locationName(image, fault.handler)}`;
  const gs = text.includes('%gs:') ? `, GS base ${hexVa(fault.gsBase)}` : '';
  return `${faultName(fault.vector, fault.error)} at ${locationName(image, fault.rip)} (${text}${gs}), ${to}`;
}

const ROOT = 0xfffff000 | 0;

/** What a #PF is about, on lines of their own: CR2, the error code in words, and the walk. Empty for other faults. */
export function pageFaultDetails(machine: Machine, fault: RaisedFault): string[] {
  if (fault.vector !== VEC_PF) return [];
  return [`CR2 ${hexVa(fault.address)}: ${pageFaultBits(fault.error)}`, walk(machine, fault)];
}
