/**
 * One processor: its registers, its view of memory, its faults. The memory accessors have an inline fast path (aligned,
 * in the TLB, permitted, RAM) and answer false with `fault` filled in otherwise: faults are data. What instructions do
 * is in ./execute and its neighbours; what events do is in ../system.
 */
import { EXTENDED_WORDS } from '../extended-state';
import { hashWords, mix, remix } from '../hash';
import { PAGE_WATCHED, type PhysicalMemory } from '../memory/physical-memory';
import type { MicroOp } from '../micro-op';
import { TLB_D, TLB_IO, TLB_NX, TLB_U, TLB_W, Tlb } from '../mmu/tlb';
import { type Delivery, type Fault, NULL_OBSERVER, type Observer } from '../observer';
import type { Platform } from '../platform';
import {
  CPL,
  CR0,
  CR0_WP,
  CR3,
  CR4,
  CR4_PCIDE,
  CR4_SMAP,
  CR4_SMEP,
  EFLAGS,
  FLAG_AC,
  FLAG_ALWAYS_1,
  HASHED_WORDS,
  NO_ERROR_CODE,
  ONLINE,
  REGISTER_WORDS,
  RIP,
  RSP,
  V,
  VEC_SS,
} from '../registers';
import { bigHi, bigLo, differenceHigh, sumHigh, toBigInt, toVa } from '../words';
import { loadSlow, prepareWriteSlow, storeSlow } from './access';
import type { CodeCache } from './code-cache';
import { materialise } from './flags';

/** What answers where there is no RAM: ../system/bus. Addresses are physical and unsigned, sizes are in bytes. */
export interface Outside {
  /** The value as a signed 32-bit number; of 8 bytes the low half, and the high one is all ones. */
  read(cpu: Cpu, address: number, size: number): number;
  /** Of 8 bytes only the low half is passed on. */
  write(cpu: Cpu, address: number, size: number, value: number): void;
  /** Undefined: there is no such port. */
  readPort(cpu: Cpu, port: number, size: number): number | undefined;
  /** False: there is no such port. */
  writePort(cpu: Cpu, port: number, size: number, value: number): boolean;
}

/** Places of extended state in the hash, above those of the registers of all CPUs. */
const EXTENDED_PLACE = 0x10000;

export class Cpu {
  readonly index: number;
  readonly r = new Int32Array(REGISTER_WORDS);
  readonly memory: PhysicalMemory;
  readonly tlb: Tlb;
  readonly outside: Outside;
  readonly codeCache: CodeCache;
  readonly platform: Platform;
  /** State that only some platforms have: see ../extended-state. Empty for the others. */
  readonly x: Int32Array;
  observer: Observer = NULL_OBSERVER;
  /** The fault of the instruction or delivery under way; valid after an accessor answered false. */
  readonly fault: Fault = {
    vector: 0,
    error: NO_ERROR_CODE,
    addressLo: 0,
    addressHi: 0,
    access: 'read',
    implicit: false,
    cpl: 0,
  };
  /** The fault is a non-canonical address: #GP, but #SS when it came through the stack segment. */
  nonCanonical = false;
  readonly event: Delivery = { vector: 0, source: 'fault', ist: 0, error: NO_ERROR_CODE };
  /** Non-zero when the next boundary has more to do: see ../system/boundary. */
  attention = 1;
  /** Instructions beyond the first that the last step has executed. */
  ahead = 0;

  // Derived from CPL, CR0, CR4 and AC: an access is permitted when `(entry & mask) === want`. Kept by `derive`.
  readMask = 0;
  readWant = 0;
  writeMask = 0;
  writeWant = 0;
  execMask = 0;
  execWant = 0;
  // The same for the processor's own accesses, which are supervisor ones and ignore AC.
  systemReadMask = 0;
  systemWriteMask = 0;

  /** The page that RIP was on last, and its ops by offset; 1 in codeLo matches nothing. */
  codeLo = 1;
  codeHi = 0;
  codeOps: (MicroOp | undefined)[] = [];

  constructor(index: number, memory: PhysicalMemory, outside: Outside, codeCache: CodeCache, platform: Platform) {
    this.codeCache = codeCache;
    this.platform = platform;
    this.x = new Int32Array(platform.extendedState ? EXTENDED_WORDS : 0);
    this.index = index;
    this.memory = memory;
    this.outside = outside;
    this.tlb = new Tlb(index, memory.undo);
  }

  rflags(): number {
    return materialise(this.r) | this.r[EFLAGS] | FLAG_ALWAYS_1;
  }

  get64(register: number): bigint {
    return toBigInt(this.r[register], this.r[register + 1]);
  }

  /** For harnesses and tests; control registers and MSRs take effect at the next boundary. */
  set64(register: number, value: bigint): void {
    this.r[register] = bigLo(value);
    this.r[register + 1] = bigHi(value);
    this.refresh();
  }

  /** RIP as a sign-folded number. */
  rip(): number {
    return toVa(this.r[RIP], this.r[RIP + 1]);
  }

  rsp(): number {
    return toVa(this.r[RSP], this.r[RSP + 1]);
  }

  online(): boolean {
    return this.r[ONLINE] !== 0;
  }

  /** After registers were replaced as a whole: everything that is computed from them. */
  refresh(): void {
    this.tlb.select(this.pcid());
    this.derive();
    this.attention = 1;
  }

  pcid(): number {
    return (this.r[CR4] & CR4_PCIDE) !== 0 ? this.r[CR3] & 0xfff : 0;
  }

  /** Access rules of SDM vol. 3, 4.6.1 as mask and wanted bits of a TLB entry. */
  derive(): void {
    const r = this.r;
    const smap = (r[CR4] & CR4_SMAP) !== 0 ? TLB_U : 0;
    const wp = (r[CR0] & CR0_WP) !== 0 ? TLB_W : 0;
    const user = r[CPL] === 3;
    const dataU = (r[EFLAGS] & FLAG_AC) !== 0 ? 0 : smap;
    this.readMask = TLB_IO | (user ? TLB_U : dataU);
    this.readWant = user ? TLB_U : 0;
    this.writeMask = TLB_IO | TLB_D | (user ? TLB_U | TLB_W : dataU | wp);
    this.writeWant = TLB_D | (user ? TLB_U | TLB_W : wp);
    this.execMask = TLB_IO | TLB_NX | (user || (r[CR4] & CR4_SMEP) !== 0 ? TLB_U : 0);
    this.execWant = user ? TLB_U : 0;
    this.systemReadMask = TLB_IO | smap;
    this.systemWriteMask = TLB_IO | TLB_D | smap | wp;
    this.dropCode();
  }

  /** RIP's page must be looked up again: translations or rights changed. */
  dropCode(): void {
    this.codeLo = 1;
  }

  /** Always false, so that a failing accessor can `return this.raise(...)`. */
  raise(vector: number, error: number): false {
    const f = this.fault;
    f.vector = vector;
    f.error = error;
    f.addressLo = 0;
    f.addressHi = 0;
    f.access = 'read';
    f.implicit = false;
    f.cpl = this.r[CPL];
    this.nonCanonical = false;
    return false;
  }

  /** Loads into the register pair `into`. */
  load64(lo: number, hi: number, into: number = V): boolean {
    const e = this.tlb.entries;
    const i = this.tlb.base + ((lo >>> 10) & 0x3fc);
    if (
      e[i] === ((lo & -4096) | this.tlb.gen) &&
      e[i + 1] === hi &&
      (e[i + 2] & this.readMask) === this.readWant &&
      (lo & 7) === 0
    ) {
      const w = ((e[i + 2] & -4096) | (lo & 0xfff)) >>> 2;
      this.r[into] = this.memory.words[w];
      this.r[into + 1] = this.memory.words[w + 1];
      return true;
    }
    return loadSlow(this, lo, hi, 8, into);
  }

  load32(lo: number, hi: number, into: number = V): boolean {
    const e = this.tlb.entries;
    const i = this.tlb.base + ((lo >>> 10) & 0x3fc);
    if (
      e[i] === ((lo & -4096) | this.tlb.gen) &&
      e[i + 1] === hi &&
      (e[i + 2] & this.readMask) === this.readWant &&
      (lo & 3) === 0
    ) {
      this.r[into] = this.memory.words[((e[i + 2] & -4096) | (lo & 0xfff)) >>> 2];
      this.r[into + 1] = 0;
      return true;
    }
    return loadSlow(this, lo, hi, 4, into);
  }

  load(lo: number, hi: number, size: number): boolean {
    return size === 8 ? this.load64(lo, hi) : size === 4 ? this.load32(lo, hi) : loadSlow(this, lo, hi, size, V);
  }

  store64(lo: number, hi: number, valueLo: number, valueHi: number): boolean {
    const e = this.tlb.entries;
    const i = this.tlb.base + ((lo >>> 10) & 0x3fc);
    if (
      e[i] === ((lo & -4096) | this.tlb.gen) &&
      e[i + 1] === hi &&
      (e[i + 2] & this.writeMask) === this.writeWant &&
      (lo & 7) === 0
    ) {
      const w = ((e[i + 2] & -4096) | (lo & 0xfff)) >>> 2;
      this.memory.write32(w, valueLo);
      this.memory.write32(w + 1, valueHi);
      if ((this.memory.pageFlags[w >>> 10] & PAGE_WATCHED) !== 0) this.observer.watchedStore(this, w << 2, 8, lo, hi);
      return true;
    }
    return storeSlow(this, lo, hi, 8, valueLo, valueHi);
  }

  store32(lo: number, hi: number, value: number): boolean {
    const e = this.tlb.entries;
    const i = this.tlb.base + ((lo >>> 10) & 0x3fc);
    if (
      e[i] === ((lo & -4096) | this.tlb.gen) &&
      e[i + 1] === hi &&
      (e[i + 2] & this.writeMask) === this.writeWant &&
      (lo & 3) === 0
    ) {
      const w = ((e[i + 2] & -4096) | (lo & 0xfff)) >>> 2;
      this.memory.write32(w, value);
      if ((this.memory.pageFlags[w >>> 10] & PAGE_WATCHED) !== 0) this.observer.watchedStore(this, w << 2, 4, lo, hi);
      return true;
    }
    return storeSlow(this, lo, hi, 4, value, 0);
  }

  store(lo: number, hi: number, size: number, valueLo: number, valueHi: number): boolean {
    if (size === 8) return this.store64(lo, hi, valueLo, valueHi);
    return size === 4 ? this.store32(lo, hi, valueLo) : storeSlow(this, lo, hi, size, valueLo, 0);
  }

  /** Makes sure that a store of `size` bytes will succeed; read-modify-write instructions ask before they read. */
  prepareWrite(lo: number, hi: number, size: number): boolean {
    const e = this.tlb.entries;
    const i = this.tlb.base + ((lo >>> 10) & 0x3fc);
    if (
      e[i] === ((lo & -4096) | this.tlb.gen) &&
      e[i + 1] === hi &&
      (e[i + 2] & this.writeMask) === this.writeWant &&
      (lo & (size - 1)) === 0
    ) {
      return true;
    }
    return prepareWriteSlow(this, lo, hi, size);
  }

  /**
   * True while an access is the processor's own: the slow path then judges it as a supervisor access that ignores AC.
   */
  system = false;

  /** Reads a descriptor table or the TSS into V, whatever CPL says. */
  loadSystem64(lo: number, hi: number): boolean {
    const mask = this.readMask;
    const want = this.readWant;
    this.system = true;
    this.readMask = this.systemReadMask;
    this.readWant = 0;
    const ok = this.load64(lo, hi);
    this.system = false;
    this.readMask = mask;
    this.readWant = want;
    return ok;
  }

  prepareSystemWrite(lo: number, hi: number): boolean {
    this.system = true;
    const ok = prepareWriteSlow(this, lo, hi, 8);
    this.system = false;
    return ok;
  }

  /** Only after `prepareSystemWrite`: cannot fail. */
  storeSystem64(lo: number, hi: number, valueLo: number, valueHi: number): void {
    this.system = true;
    storeSlow(this, lo, hi, 8, valueLo, valueHi);
    this.system = false;
  }

  push64(valueLo: number, valueHi: number): boolean {
    const r = this.r;
    const lo = (r[RSP] - 8) | 0;
    const hi = differenceHigh(r[RSP + 1], r[RSP], 8);
    this.observer.stackAccess(this, lo, hi, 8, true);
    if (!this.store64(lo, hi, valueLo, valueHi)) return this.stackFault();
    r[RSP] = lo;
    r[RSP + 1] = hi;
    return true;
  }

  /** Loads the top of the stack; the caller moves rsp when nothing else can fail. */
  peek64(into: number = V): boolean {
    const r = this.r;
    this.observer.stackAccess(this, r[RSP], r[RSP + 1], 8, false);
    return this.load64(r[RSP], r[RSP + 1], into) || this.stackFault();
  }

  moveRsp(bytes: number): void {
    const r = this.r;
    r[RSP] = (r[RSP] + bytes) | 0;
    r[RSP + 1] = sumHigh(r[RSP + 1], r[RSP], bytes);
  }

  stackFault(): false {
    if (this.nonCanonical) this.fault.vector = VEC_SS;
    return false;
  }

  /** Registers and flags as one lane; `lane` 0 or 1. */
  registersLane(lane: number): number {
    // Places above any RAM word, so that a register never cancels a word of memory.
    const place = 0x40000000 + (this.index << 8);
    let hash = hashWords(lane, place, this.r, HASHED_WORDS);
    hash = (hash + hashWords(lane, place + EXTENDED_PLACE, this.x, this.x.length)) | 0;
    const flags = mix(place + HASHED_WORDS, this.rflags());
    return (hash + (lane === 0 ? flags : remix(flags))) | 0;
  }
}
