/**
 * Random operations on one CPU's translations, beside an ideal cache (./ideal-tlb): page-table entries that change, a
 * 2 MiB page in their place, reads, writes and instruction fetches at both privilege levels, INVLPG, INVPCID, MOV CR3
 * with and without bit 63, CR4.PGE, PCIDE, SMEP and SMAP, marks and rollbacks.
 */
import { setRflags } from '../cpu/outcome';
import { CPL, CR0, CR3, CR4, CR4_PCIDE, CR4_PGE, CR4_SMAP, CR4_SMEP, CS, RAX, RBX, RIP, RSP, V } from '../registers';
import { RETIRED } from '../step-result';
import { vaHi, vaLo } from '../words';
import { IdealTlb, type Translation } from './ideal-tlb';
import {
  KERNEL,
  KERNEL_CODE,
  KERNEL_CS,
  KERNEL_STACK,
  PML4,
  place,
  put64,
  type SmallMachine,
  setRegister,
  smallMachine,
  USER_CS,
} from './small-machine';

/** 2 MiB of linear addresses: a page table of its own, or one large page of all RAM. */
const REGION = 0x800000,
  REGION_SIZE = 0x200000;
const PD_ENTRY = 0x6000 + 4 * 8,
  PT = 0x70000;
const FRAME = 0x60000,
  FRAMES = 8,
  PAGES = 4;
const PCIDS = 4;
const P = 1,
  RW = 2,
  US = 4,
  PS = 0x80,
  G = 0x100;
const XD = 0x80000000 | 0;
const LOADS = 0x100;
/** Addresses of the instructions that change what is cached. */
const MOV_CR3 = KERNEL_CODE,
  MOV_CR4 = KERNEL_CODE + 0x10,
  INVLPG = KERNEL_CODE + 0x20,
  INVPCID = KERNEL_CODE + 0x30;
const DESCRIPTOR = KERNEL + 0x50000;

type Kind = 'read' | 'write' | 'execute';

export class TlbTrial {
  accesses = 0;
  /** Answers that the page tables did not give any more, and faults that they would not have raised. */
  stale = 0;
  private readonly small: SmallMachine = smallMachine();
  private ideal = new IdealTlb();
  private readonly random: () => number;
  private marks: { mark: number; ideal: readonly Translation[] }[] = [];

  /** `plant` may spoil the machine. */
  constructor(random: () => number, plant: (small: SmallMachine) => void = () => {}) {
    this.random = random;
    plant(this.small);
    const { machine } = this.small;
    for (let i = 0; i < FRAMES; i++) {
      const pa = FRAME + i * 4096;
      // mov $i,%al
      machine.memory.writeBytes(pa, Uint8Array.of(0xb0, i));
      put64(machine, pa + LOADS, i);
    }
    place(machine, MOV_CR3, '0f22d8'); // mov %rax,%cr3
    place(machine, MOV_CR4, '0f22e0'); // mov %rax,%cr4
    place(machine, INVLPG, '0f013b'); // invlpg (%rbx)
    place(machine, INVPCID, '660f388203'); // invpcid (%rbx),%rax
    put64(machine, PD_ENTRY, PT | P | RW | US);
    this.small.cpu.r[CR4] |= CR4_PCIDE | CR4_PGE;
    this.small.cpu.refresh();
  }

  /** Does so many operations; the first answer that nothing explains, or undefined. */
  run(operations: number): string | undefined {
    for (let n = 0; n < operations; n++) {
      const wrong = this.operation();
      if (wrong !== undefined) return `operation ${n + 1}: ${wrong}`;
    }
    return undefined;
  }

  private below(n: number): number {
    return Math.floor(this.random() * n);
  }

  private operation(): string | undefined {
    const dice = this.below(40);
    if (dice < 24) return this.access();
    if (dice < 30) this.changeEntry();
    else if (dice < 31) this.changeSize();
    else if (dice < 33) this.invlpg();
    else if (dice < 35) this.invpcid();
    else if (dice < 38) this.writeCr3();
    else if (dice < 39) this.writeCr4();
    else this.markOrRollback();
    return undefined;
  }

  private pageAddress(): number {
    return REGION + FRAME + this.below(PAGES) * 4096;
  }

  private access(): string | undefined {
    const { cpu } = this.small;
    const va = this.pageAddress();
    const kind: Kind = (['read', 'read', 'write', 'execute'] as const)[this.below(4)];
    const cpl = this.below(2) * 3;
    const pcid = cpu.pcid();
    const tables = this.translation(va);
    const held = this.ideal.of(va, pcid);
    const answers = [tables, ...held].map((t) => this.outcome(t, kind, cpl));
    const found = this.perform(va, kind, cpl);
    this.accesses++;
    if (found !== answers[0]) this.stale++;
    // Also one that the access may not use: a processor may cache it before it looks.
    if (tables !== undefined) this.ideal.remember(tables);
    if (found < 0) this.ideal.fault(va, pcid);
    if (answers.includes(found)) return undefined;
    return `${kind} of 0x${va.toString(16)} at CPL ${cpl}, PCID ${pcid}: expected frame ${answers.join(' or ')}, found ${found} (-1: a fault)`;
  }

  /** The frame that an access through a translation reaches, or -1 if it faults. */
  private outcome(t: Translation | undefined, kind: Kind, cpl: number): number {
    const { r } = this.small.cpu;
    if (t === undefined) return -1;
    if (cpl === 3 && !t.user) return -1;
    if (kind === 'execute' && (!t.executable || (cpl === 0 && t.user && (r[CR4] & CR4_SMEP) !== 0))) return -1;
    if (kind !== 'execute' && cpl === 0 && t.user && (r[CR4] & CR4_SMAP) !== 0) return -1;
    if (kind === 'write' && !t.writable && (cpl === 3 || (r[CR0] & 0x10000) !== 0)) return -1;
    return (t.pa - FRAME) >> 12;
  }

  private perform(va: number, kind: Kind, cpl: number): number {
    const { cpu, machine } = this.small;
    cpu.r[CPL] = cpl;
    cpu.r[CS] = cpl === 0 ? KERNEL_CS : USER_CS;
    cpu.derive();
    let found = -1;
    const [lo, hi] = [vaLo(va + LOADS), vaHi(va)];
    if (kind === 'read') found = cpu.load64(lo, hi) ? cpu.r[V] : -1;
    else if (kind === 'write') found = cpu.store64(lo, hi, FRAMES, 0) ? this.restoreFrame() : -1;
    else {
      setRegister(cpu, RSP, BigInt(KERNEL_STACK));
      setRegister(cpu, RIP, BigInt(va));
      found = machine.step(0) === RETIRED ? cpu.r[RAX] & 0xff : -1;
      setRflags(cpu, 2);
    }
    cpu.r[CPL] = 0;
    cpu.r[CS] = KERNEL_CS;
    cpu.derive();
    return found;
  }

  /** The frame that was written, which gets its number again. */
  private restoreFrame(): number {
    const { memory } = this.small.machine;
    for (let i = 0; i < FRAMES; i++) {
      const word = (FRAME + i * 4096 + LOADS) >> 2;
      if (memory.words[word] === i) continue;
      memory.write32(word, i);
      return i;
    }
    throw new Error('expected a store in one of the frames, found none');
  }

  /** What the page tables say now. */
  private translation(va: number): Translation | undefined {
    const { memory } = this.small.machine;
    const { r } = this.small.cpu;
    const directory = memory.read32(PD_ENTRY);
    const large = (directory & PS) !== 0;
    const at = large ? PD_ENTRY : PT + ((va - REGION) >> 12) * 8;
    const entry = memory.read32(at);
    if ((directory & P) === 0 || (entry & P) === 0) return undefined;
    const page = this.page(va);
    return {
      ...page,
      pa: large ? va - REGION : entry & -4096,
      large,
      writable: (entry & directory & RW) !== 0,
      user: (entry & directory & US) !== 0,
      executable: memory.read32(at + 4) !== XD,
      global: (entry & G) !== 0 && (r[CR4] & CR4_PGE) !== 0,
      pcid: this.small.cpu.pcid(),
    };
  }

  /** The page that the tables name, present or not. A large one is cached whole or in pieces: here, the piece. */
  private page(va: number): { va: number; size: number } {
    return { va: va & -4096, size: 4096 };
  }

  /** What an invalidation of the address has to reach. */
  private reach(va: number): { va: number; size: number } {
    const large = (this.small.machine.memory.read32(PD_ENTRY) & PS) !== 0;
    return large ? { va: REGION, size: REGION_SIZE } : this.page(va);
  }

  private rights(): number {
    const dice = this.below(8);
    return (
      (dice === 0 ? 0 : P) |
      (this.below(4) === 0 ? 0 : RW) |
      (this.below(4) === 0 ? 0 : US) |
      (this.below(3) === 0 ? G : 0)
    );
  }

  private changeEntry(): void {
    const at = PT + ((this.pageAddress() - REGION) >> 12) * 8;
    const frame = FRAME + this.below(FRAMES) * 4096;
    put64(this.small.machine, at, frame | this.rights(), this.below(4) === 0 ? XD : 0);
  }

  private changeSize(): void {
    const large = this.below(2) === 0;
    put64(this.small.machine, PD_ENTRY, large ? PS | this.rights() : PT | P | RW | US);
  }

  private execute(at: number, rax: bigint): void {
    const { cpu, machine } = this.small;
    setRegister(cpu, RAX, rax);
    setRegister(cpu, RIP, BigInt(at));
    if (machine.step(0) !== RETIRED) throw new Error('expected the instruction to be executed, found a fault');
  }

  private invlpg(): void {
    const va = this.pageAddress();
    setRegister(this.small.cpu, RBX, BigInt(va));
    this.execute(INVLPG, 0n);
    this.ideal.invalidatePage(va, this.small.cpu.pcid(), this.reach(va));
  }

  private invpcid(): void {
    const { cpu, machine } = this.small;
    const va = this.pageAddress();
    const pcid = (cpu.r[CR4] & CR4_PCIDE) === 0 ? 0 : this.below(PCIDS);
    const type = this.below(4);
    put64(machine, DESCRIPTOR - KERNEL, pcid);
    put64(machine, DESCRIPTOR - KERNEL + 8, va);
    setRegister(cpu, RBX, BigInt(DESCRIPTOR));
    this.execute(INVPCID, BigInt(type));
    if (type === 0) this.ideal.invalidatePageOf(va, pcid, this.reach(va));
    else if (type === 1) this.ideal.flushPcid(pcid);
    else if (type === 2) this.ideal.flushAll();
    else this.ideal.flushAllButGlobal();
  }

  private writeCr3(): void {
    const enabled = (this.small.cpu.r[CR4] & CR4_PCIDE) !== 0;
    const pcid = enabled ? this.below(PCIDS) : 0;
    const keep = enabled && this.below(3) > 0;
    this.execute(MOV_CR3, BigInt(PML4 | pcid) | (keep ? 1n << 63n : 0n));
    if (!keep) this.ideal.flushPcid(pcid);
  }

  private writeCr4(): void {
    const { r } = this.small.cpu;
    const old = r[CR4];
    let bit = [CR4_PGE, CR4_SMEP, CR4_SMAP, CR4_PCIDE][this.below(4)];
    // PCIDE can only be turned on with PCID 0.
    if (bit === CR4_PCIDE && (old & CR4_PCIDE) === 0 && (r[CR3] & 0xfff) !== 0) bit = CR4_PGE;
    this.execute(MOV_CR4, BigInt((old ^ bit) >>> 0));
    if (bit === CR4_PGE || (bit === CR4_PCIDE && (old & bit) !== 0)) this.ideal.flushAll();
    else if (bit === CR4_SMEP && (old & bit) === 0) this.ideal.flushPcid(this.small.cpu.pcid());
  }

  private markOrRollback(): void {
    const { machine } = this.small;
    const last = this.marks[this.marks.length - 1];
    if (last === undefined || (this.marks.length < 3 && this.below(2) === 0)) {
      this.marks.push({ mark: machine.mark(), ideal: this.ideal.state() });
      return;
    }
    if (this.below(4) > 0) {
      machine.rollback(last.mark);
      this.ideal.restore(last.ideal);
    }
    if (this.below(2) === 0) machine.release((this.marks.pop() as { mark: number }).mark);
  }
}
