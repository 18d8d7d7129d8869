/**
 * A translation cache that forgets only what SDM vol. 3, 4.10.4.1 says must be forgotten. Whatever a processor answers
 * has to be what its page tables say now, or what this cache still holds; a processor may hold less.
 */

/** One page, as an access may have cached it. */
export interface Translation {
  /** Linear address of its first byte, and its size in bytes. */
  readonly va: number;
  readonly size: number;
  readonly pa: number;
  /** A piece of a 2 MiB page. */
  readonly large: boolean;
  readonly writable: boolean;
  readonly user: boolean;
  readonly executable: boolean;
  readonly global: boolean;
  /** The one that it was cached under. */
  readonly pcid: number;
}

export class IdealTlb {
  private held: readonly Translation[] = [];
  private readonly keys = new Map<Translation, string>();

  remember(translation: Translation): void {
    const key = JSON.stringify(translation);
    if (this.held.some((other) => this.keys.get(other) === key)) return;
    this.keys.set(translation, key);
    this.held = [...this.held, translation];
  }

  /** What an access to the address may use. */
  of(va: number, pcid: number): Translation[] {
    return this.held.filter((t) => covers(t, va) && (t.global || t.pcid === pcid));
  }

  /**
   * INVLPG: the address for the current PCID, and global pages. `page` is what the tables name now: if it is a large
   * page, all pieces of it go that a processor may have cached.
   */
  invalidatePage(va: number, pcid: number, page: { va: number; size: number }): void {
    this.forget((t) => (t.global || t.pcid === pcid) && (covers(t, va) || isPiece(t, page)));
  }

  /** INVPCID of type 0; global pages may stay. */
  invalidatePageOf(va: number, pcid: number, page: { va: number; size: number }): void {
    this.forget((t) => !t.global && t.pcid === pcid && (covers(t, va) || isPiece(t, page)));
  }

  /** A page fault; pages that are global or of another PCID may stay. */
  fault(va: number, pcid: number): void {
    this.forget((t) => !t.global && t.pcid === pcid && covers(t, va));
  }

  /** INVPCID of type 1, MOV CR3 without bit 63; global pages stay. */
  flushPcid(pcid: number): void {
    this.forget((t) => !t.global && t.pcid === pcid);
  }

  /** INVPCID of type 3. */
  flushAllButGlobal(): void {
    this.forget((t) => !t.global);
  }

  flushAll(): void {
    this.forget(() => true);
  }

  /** To be given to `restore`. */
  state(): readonly Translation[] {
    return this.held;
  }

  restore(state: readonly Translation[]): void {
    this.held = state;
  }

  private forget(which: (translation: Translation) => boolean): void {
    this.held = this.held.filter((translation) => !which(translation));
  }
}

function covers({ va, size }: { va: number; size: number }, address: number): boolean {
  return address >= va && address < va + size;
}

function isPiece(t: Translation, page: { va: number; size: number }): boolean {
  return t.large && t.va >= page.va && t.va < page.va + page.size;
}
