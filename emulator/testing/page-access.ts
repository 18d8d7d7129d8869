/** One access through the page tables of a small machine, and how it faults: for the tests of paging and of the TLB. */
import { RBX, RSP } from '../registers';
import { KERNEL, kernelAt, leafEntry, put64, type SmallMachine, setRegister, USER, userAt } from './small-machine';

export const LOAD = '488b03'; // mov (%rbx),%rax
export const STORE = '48890b'; // mov %rcx,(%rbx)
export const PAGE = KERNEL + 0x50000;
export const USER_PAGE = USER + 0x4000;
/** Bits of an entry, written down apart from ../mmu/page-walk. */
export const P = 1,
  W = 2,
  U = 4,
  A = 0x20,
  D = 0x40,
  G = 0x100;
/** In the high word. */
export const XD = 0x80000000 | 0;

/** One step: a load or store of the address, from the kernel's code or the user's. */
export function access(small: SmallMachine, hex: string, at: number | bigint, user = false): number {
  if (user) userAt(small, hex);
  else kernelAt(small, hex);
  setRegister(small.cpu, RBX, at);
  if (!user) setRegister(small.cpu, RSP, KERNEL + 0x17000);
  return small.machine.step(0);
}

export function setLeaf(small: SmallMachine, va: number, pa: number, flags: number, hi = 0): void {
  put64(small.machine, leafEntry(va), pa | flags, hi);
}
