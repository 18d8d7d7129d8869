/** What may be wrong with a scene: flags, page tables, descriptors, stacks, limits. One change each. */
import type { SceneDraft } from './scene-draft';
import {
  GDT,
  get64,
  HANDLERS,
  KERNEL,
  KERNEL_CODE,
  KERNEL_CS,
  KERNEL_DATA,
  KERNEL_STACK,
  leafOf,
  ODD_SELECTORS,
  plainGate,
  put64,
  putGate,
  RSP0,
  TSS,
  USER,
  USER_DATA,
  USER_STACK,
} from './scene-layout';

const NON_CANONICAL = 0x9000_0000_0000_0000n;
/** Vectors that something is delivered through. */
const VECTORS = [1, 2, 3, 6, 8, 10, 11, 12, 13, 14, 0x20, 0xec];
/** P, R/W, U/S, A, D, G; a reserved address bit; XD. */
const ENTRY_BITS = [1n, 2n, 4n, 0x20n, 0x40n, 0x100n, 1n << 51n, 1n << 63n];
/** Accessed, writable or readable, conforming or expand-down, code, S, DPL, P, L. */
const DESCRIPTOR_BITS = [40n, 41n, 42n, 43n, 44n, 45n, 47n, 53n];

function changeGate(d: SceneDraft): void {
  const vector = d.pick(VECTORS);
  const gate = plainGate(vector);
  switch (d.below(7)) {
    case 0:
      return putGate(d.memory, vector, { ...gate, present: false });
    case 1:
      return putGate(d.memory, vector, { ...gate, type: d.pick([15, 15, 12, 5, 0]) });
    case 2:
      return putGate(d.memory, vector, { ...gate, dpl: 0 });
    case 3:
      return putGate(d.memory, vector, { ...gate, selector: d.pick(ODD_SELECTORS) });
    case 4:
      return putGate(d.memory, vector, { ...gate, offset: NON_CANONICAL });
    default:
      return putGate(d.memory, vector, { ...gate, ist: d.pick([0, 1, 2, 3]) });
  }
}

function changeEntry(d: SceneDraft): void {
  const va = d.pick([USER, USER_DATA, USER_STACK, KERNEL_CODE, KERNEL_DATA, KERNEL_STACK, HANDLERS, RSP0]);
  const tables = [KERNEL + BigInt(GDT), KERNEL + 0x9000n, KERNEL + BigInt(TSS), KERNEL + 0xe000n];
  const at = leafOf(d.once(3) ? d.pick(tables) : va);
  put64(d.memory, at, get64(d.memory, at) ^ d.pick(ENTRY_BITS));
}

/** Not those that the code and the stack were loaded from. */
function changeDescriptor(d: SceneDraft): void {
  const at = GDT + d.pick([0x10, 0x18, 0x28, 0x30, 0x08, 0x50, 0x40]);
  put64(d.memory, at, get64(d.memory, at) ^ (1n << d.pick(DESCRIPTOR_BITS)));
}

function changeStack(d: SceneDraft): void {
  const bad = [NON_CANONICAL, 0n, USER_STACK, KERNEL + 0x40020n, KERNEL + 0xd008n, KERNEL + 0xc010n];
  put64(d.memory, TSS + d.pick([4, 36, 44, 52]), d.pick(bad));
}

export const MUTATIONS: readonly ((draft: SceneDraft) => void)[] = [
  changeGate,
  changeGate,
  changeEntry,
  changeEntry,
  changeDescriptor,
  changeStack,
  (d) => d.registers.set('tr.limit', BigInt(d.pick([0x10, 0x27, 0x3f]))),
  (d) => d.registers.set('idtr.limit', BigInt(d.pick([0x5f, 0xdf, 0xef, 0x1ff]))),
  (d) => d.registers.set('eflags', d.flags()),
  (d) => d.registers.set('eflags', d.flags()),
  (d) => d.registers.set('rsp', d.pick([NON_CANONICAL, KERNEL + 0x40010n, USER_STACK, KERNEL_STACK + 3n, 0x20n])),
  (d) => d.registers.set('cr4', d.pick([0xa0n, 0x1000a0n, 0x2000a0n, 0x300020n, 0x3000a0n])),
  (d) => d.registers.set('cr0', d.pick([0x80000033n, 0x8005003bn])),
  (d) => d.registers.set('efer', d.pick([0xd00n, 0x501n])),
  (d) => d.registers.set('fmask', d.flags()),
  (d) => d.registers.set('ss', BigInt(d.cpl === 0 ? d.pick([0, KERNEL_CS + 8]) : 0x2b)),
  (d) => d.registers.set('cr8', BigInt(d.below(16))),
];

/** Something before the first step or, in a sequence, before any: an NMI, or an interrupt that may be masked. */
export function addEvent(d: SceneDraft, step: number): void {
  d.events.push({ step, raise: d.once(2) ? 'nmi' : d.pick([0x20, 0xec]) });
}
