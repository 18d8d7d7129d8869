/**
 * Decoded instructions by physical page, shared by all CPUs. A physical page that is mapped at several virtual pages
 * has one CodePage per alias, because an op knows its own address. Stores to such pages drop exactly the ops that they
 * overlap.
 */
import { type CodeInvalidator, PAGE_CODE, type PhysicalMemory } from '../memory/physical-memory';
import { type MicroOp, UNOBSERVED } from '../micro-op';

export const MAX_LENGTH = 15;

export class CodePage {
  readonly vaLo: number;
  readonly vaHi: number;
  readonly ops: (MicroOp | undefined)[] = new Array<MicroOp | undefined>(4096).fill(undefined);
  /**
   * Instructions that continue on the next page, by offset, with the bytes they were decoded from: checked at each use.
   */
  readonly crossing = new Map<number, { op: MicroOp; bytes: Uint8Array }>();
  readonly next: CodePage | undefined;

  constructor(vaLo: number, vaHi: number, next: CodePage | undefined) {
    this.vaLo = vaLo;
    this.vaHi = vaHi;
    this.next = next;
  }

  /** Keeps a decoded instruction, joined with those before it. */
  put(offset: number, op: MicroOp): void {
    this.ops[offset] = op;
    if (op.joins !== 0 && op.unobserved === UNOBSERVED) this.join(offset, op);
  }

  private join(offset: number, op: MicroOp): void {
    for (let at = offset - 1; at >= 0 && at >= offset - MAX_LENGTH; at--) {
      const before = this.ops[at];
      if (before === undefined || at + before.length !== offset) continue;
      if (before.joins !== op.joins || before.unobserved !== UNOBSERVED) continue;
      before.joined = op;
      before.joinedCount = op.joinedCount + 1;
      this.join(at, before);
    }
  }

  /** Forgets an instruction, and those before it that it was joined with. */
  drop(offset: number): void {
    const op = this.ops[offset];
    this.ops[offset] = undefined;
    for (let at = offset - 1; at >= 0 && at >= offset - MAX_LENGTH; at--) {
      const before = this.ops[at];
      if (before !== undefined && before.joined === op) this.drop(at);
    }
  }
}

export class CodeCache implements CodeInvalidator {
  private readonly memory: PhysicalMemory;
  private readonly pages: (CodePage | undefined)[];

  constructor(memory: PhysicalMemory) {
    this.memory = memory;
    this.pages = new Array<CodePage | undefined>(memory.size >>> 12).fill(undefined);
    memory.setInvalidator(this);
  }

  /** The page's ops as seen from the virtual page at `vaLo/vaHi`. */
  page(ppn: number, vaLo: number, vaHi: number): CodePage {
    for (let page = this.pages[ppn]; page !== undefined; page = page.next) {
      if (page.vaLo === vaLo && page.vaHi === vaHi) return page;
    }
    const page = new CodePage(vaLo, vaHi, this.pages[ppn]);
    this.pages[ppn] = page;
    this.memory.pageFlags[ppn] |= PAGE_CODE;
    return page;
  }

  /** A word at `pa` changed: whatever began up to 14 bytes before it and reaches it is stale. */
  codeWritten(pa: number): void {
    const word = pa & 0xffc;
    for (let page = this.pages[pa >>> 12]; page !== undefined; page = page.next) {
      for (let offset = Math.max(0, word - MAX_LENGTH + 1); offset < word + 4; offset++) {
        const op = page.ops[offset];
        if (op !== undefined && offset + op.length > word) page.drop(offset);
      }
    }
  }

  /** Forgets everything; CPUs must look their code page up again. */
  clear(): void {
    for (let ppn = 0; ppn < this.pages.length; ppn++) {
      this.pages[ppn] = undefined;
      this.memory.pageFlags[ppn] &= ~PAGE_CODE;
    }
  }
}
