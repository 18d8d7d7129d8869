/**
 * A fault as a kernel engineer wants to read it: vector, error code and its bits, CR2, where it was raised and by which
 * instruction, where it was delivered to, and for a #PF the page walk entry by entry.
 */
import { disassemble } from '../../emulator/disassemble';
import type { Machine } from '../../emulator/machine';
import { walkedEntries } from '../../emulator/mmu/table-view';
import { VEC_GP, VEC_PF, VEC_TS } from '../../emulator/registers';
import { hex64, hexVa } from '../../emulator/words';
import type { GuestBounds, Places, SystemFacts } from './guest-view';
import { locationName } from './location';

/** What names the page tables; a GuestView is one. */
interface Roots {
  readonly manifest: Pick<SystemFacts, 'pgdBase' | 'pgdStride' | 'pgdUserOffset'>;
  readonly bounds: GuestBounds;
}

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
  /** Raised by the processor's own access while it delivered another fault. */
  readonly nested: boolean;
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
  19: '#XM',
  20: '#VE',
  21: '#CP',
};

function vectorName(vector: number): string {
  return NAMES[vector] ?? `vector ${vector}`;
}

/** `#GP(0x0)`, `#GP(0x68: selector 0x68)`, `#PF(0x2)`, `#UD`. */
function faultName(vector: number, error: number): string {
  if (error < 0) return vectorName(vector);
  const selector = error !== 0 && vector >= VEC_TS && vector <= VEC_GP ? `: ${selectorBits(error)}` : '';
  return `${vectorName(vector)}(0x${error.toString(16)}${selector})`;
}

/** The error code of #TS, #NP, #SS and #GP (SDM Vol. 3A, 6.13). */
function selectorBits(error: number): string {
  const external = (error & 1) !== 0 ? ', external event' : '';
  if ((error & 2) !== 0) return `gate of ${vectorName(error >>> 3)}${external}`;
  return `selector 0x${(error & ~3).toString(16)}${external}`;
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

/** `CR3 3b800 (user half of mm0)`; a root that the manifest does not name has no name. */
function rootInWords({ manifest, bounds }: Roots, cr3: number): string {
  const { pgdBase, pgdStride, pgdUserOffset } = manifest;
  const value = `CR3 ${(cr3 >>> 0).toString(16)}`;
  for (let mm = 0; mm < bounds.mms; mm++) {
    const kernel = pgdBase + mm * pgdStride;
    if ((cr3 & ROOT) === kernel) return `${value} (${pgdUserOffset === 0 ? '' : 'kernel half of '}mm${mm})`;
    if ((cr3 & ROOT) === kernel + pgdUserOffset) return `${value} (user half of mm${mm})`;
  }
  return value;
}

function walk(machine: Machine, roots: Roots, { cr3, address }: RaisedFault): string {
  const entries = walkedEntries(machine.memory, cr3, address).map(({ table, index, lo, hi, reserved }) => {
    const rights = [
      (lo & 2) !== 0 ? 'W' : 'R',
      (lo & 4) !== 0 ? 'user' : 'supervisor',
      ...(hi < 0 ? ['NX'] : []),
      ...(reserved ? ['reserved bit set'] : []),
    ];
    return `${table}[${index}] = ${hex64(lo, hi)} ${(lo & 1) === 0 ? 'not present' : rights.join(' ')}`;
  });
  return [rootInWords(roots, cr3), ...entries].join(' -> ');
}

/** `#GP(0x0) at load_mm+0x61 (mov %rax,%cr3), delivered to entry_general_protection+0x0`. */
export function faultInWords(image: Places, machine: Machine, fault: RaisedFault): string {
  const text = disassemble(machine, fault.cr3 & ROOT, fault.rip, image).replace(/^\((.*)\)$/, '$1');
  const to = fault.handler === undefined ? 'not delivered' : `delivered to ${locationName(image, fault.handler)}`;
  const gs = text.includes('%gs:') ? `, GS base ${hexVa(fault.gsBase)}` : '';
  return `${faultName(fault.vector, fault.error)} at ${locationName(image, fault.rip)} (${text}${gs}), ${to}`;
}

const ROOT = 0xfffff000 | 0;

/** What a #PF is about, on lines of their own: CR2, the error code in words, and the walk. Empty for other faults. */
export function pageFaultDetails(machine: Machine, roots: Roots, fault: RaisedFault): string[] {
  if (fault.vector !== VEC_PF) return [];
  return [`CR2 ${hexVa(fault.address)}: ${pageFaultBits(fault.error)}`, walk(machine, roots, fault)];
}
