/**
 * S12 user-table-is-minimal (the allow-list part): what the user half of every address space maps in the kernel's
 * addresses is in one allow-list for all designs, by kind of physical page: entry text, noinstr text, the pages of the
 * cpu_entry_area, cpu_tss_rw, the per-CPU offset table, and PTI stacks of the tasks of that address space. No leaf
 * there is accessible to the user, and text, IDT and GDT are read-only.
 *
 * All of it is checked once after boot, and then what a store to one of the page-table pages changes. Where address
 * spaces are made while the machine runs, each is checked when it is first used in user mode.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { type MappedLeaf, type TableVisitor, visitLeaves } from '../../emulator/mmu/table-view';
import { hexVa } from '../../emulator/words';
import { TABLE_ROOT } from '../ghost/ghost';
import { WATCHES_TABLE } from '../ghost/watched-pages';
import type { AllowedPages, GuestView } from '../guest/guest-view';
import { ALLOWED_PAGE_KINDS } from '../guest/manifest';
import type { Moments } from './moments';
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

const PAGE = 4096;
/** The lowest kernel address (the upper half of 48-bit addresses). They end at 0. */
const KERNEL_HALF = -(2 ** 47);

// A page-table page has entries of 8 bytes; the upper half of the top level translates the kernel's addresses.
const KERNEL_SLOT = 256;
const TOP_LEVEL = 3;
/** Bytes that an entry translates, by level. */
const ENTRY_BYTES = [2 ** 12, 2 ** 21, 2 ** 30, 2 ** 39];

/** Levels of a page that was never anything but a root, which translates all addresses. */
const ROOT_ONLY = 1 << TOP_LEVEL;
const ROOT_PLACE = [{ va: 2 * KERNEL_HALF, level: TOP_LEVEL }];

/** Virtual addresses from `start` up to and without `end`. */
interface Extent {
  readonly start: number;
  readonly end: number;
}

/** Pages of 4 KiB that the user table of address space 0 maps in the kernel's addresses. */
export function userTablePages(view: GuestView): number {
  return [...view.machine.leaves(view.userRoot(0), KERNEL_HALF)].reduce((pages, leaf) => pages + leaf.size / PAGE, 0);
}

/** A walk that reads no page of a table twice with the same rights: ESPFIX maps one page 65,536 times. */
class DistinctLeaves implements TableVisitor {
  private readonly seen = new Set<number>();
  private readonly entered: (table: number, level: number, va: number) => boolean;
  readonly finds: (leaf: MappedLeaf) => boolean;

  /** `entered` answers whether the entries of that page are of interest. */
  constructor(entered: (table: number, level: number, va: number) => boolean, finds: (leaf: MappedLeaf) => boolean) {
    this.entered = entered;
    this.finds = finds;
  }

  enters(table: number, level: number, va: number, rights: number): boolean {
    const key = (table + level) * PAGE + (rights & (PAGE - 1));
    if (this.seen.has(key)) return false;
    this.seen.add(key);
    return this.entered(table, level, va);
  }
}

/**
 * Walks the user tables. What it keeps is derived from the tables alone, so no rollback has to undo it: pages that were
 * once part of a table are asked for again whether they still are.
 */
class UserTableCheck {
  private readonly view: GuestView;
  /** By physical page; undefined where it is not known what a table may map. */
  private readonly allowed: ReadonlyMap<number, AllowedPages> | undefined;
  /** Physical pages that have been part of a table, and at which levels: bit 3 of a root. */
  private readonly tablePages = new Map<number, number>();
  /** All of the tables was right when they were last checked as a whole. */
  private clean = false;

  constructor(view: GuestView) {
    this.view = view;
    const allowed = view.allowedInUserTables();
    this.allowed = allowed && this.byPage(allowed);
  }

  private byPage(allowed: readonly AllowedPages[]): Map<number, AllowedPages> {
    const kinds = new Map<number, AllowedPages>();
    const { machine, kernelTable } = this.view;
    for (const kind of allowed) {
      const finds = ({ va, pa, size }: MappedLeaf) => {
        const first = Math.max(va, kind.start);
        const end = Math.min(va + size, kind.end);
        for (let at = first; at < end; at += PAGE) kinds.set((pa + at - va) >>> 12, kind);
        return true;
      };
      visitLeaves(machine.memory, kernelTable, kind.start, kind.end, new DistinctLeaves(() => true, finds));
    }
    return kinds;
  }

  /** Checks every user table. Nothing is judged where the image does not say what the tables may map. */
  check(scene: Scene): Answer {
    let answer: Answer;
    for (const mm of this.view.usedMms()) {
      const wrong = this.checkTable(scene, mm, { start: KERNEL_HALF, end: 0 });
      answer ??= wrong;
    }
    this.clean = answer === undefined;
    return answer;
  }

  /** What the user table of an address space maps at these addresses. */
  private checkTable(scene: Scene, mm: number, { start, end }: Extent): Answer {
    if (this.allowed === undefined) return undefined;
    let answer: Answer;
    const entered = (table: number, level: number) => {
      this.remember(scene, table, level);
      return true;
    };
    const finds = (leaf: MappedLeaf) => {
      const wrong = answer === undefined ? this.judge(leaf, mm) : undefined;
      if (wrong !== undefined) answer = `the user table of address space ${mm} maps ${hexVa(leaf.va)}: ${wrong}`;
      return true;
    };
    visitLeaves(this.view.machine.memory, this.view.userRoot(mm), start, end, new DistinctLeaves(entered, finds));
    return answer;
  }

  /** Stores to the page are watched from now on. */
  private remember(scene: Scene, table: number, level: number): void {
    const levels = this.tablePages.get(table) ?? 0;
    if (levels === 0) scene.pages.watch(table, WATCHES_TABLE);
    this.tablePages.set(table, levels | (1 << level));
  }

  private judge(leaf: MappedLeaf, mm: number): Answer {
    if (leaf.user) return 'the leaf is accessible to user mode, expected a supervisor leaf';
    for (let pa = leaf.pa; pa < leaf.pa + leaf.size; pa += PAGE) {
      const kind = this.allowed?.get(pa >>> 12);
      if (kind === undefined) return `the physical page ${pa.toString(16)} is of no kind that a user table may map`;
      if (kind.readOnly && leaf.writable) return `${kind.name} is writable, expected read-only`;
      if (kind.mm >= 0 && kind.mm !== mm) return `${kind.name} belongs to address space ${kind.mm}`;
    }
    return undefined;
  }

  /** After a store of `bytes` bytes to a page-table page: what it may have changed in the kernel's addresses. */
  tableWritten(scene: Scene, pa: number, bytes: number): Answer {
    const table = pa & ~(PAGE - 1);
    const levels = this.tablePages.get(table);
    if (levels === undefined) return undefined;
    const first = (pa - table) >>> 3;
    const last = (pa - table + bytes - 1) >>> 3;
    // Most stores are to a root, about the user's own addresses.
    if (levels === ROOT_ONLY && last < KERNEL_SLOT) return undefined;
    for (const mm of this.view.usedMms()) {
      // A page that was a root may be anything by now, but no root becomes a page below one.
      const isRoot = table === this.view.userRoot(mm);
      if (levels === ROOT_ONLY && !isRoot) continue;
      for (const { va, level } of isRoot ? ROOT_PLACE : this.placesOf(table, mm)) {
        if (!this.clean) return this.check(scene);
        const start = Math.max(va + first * ENTRY_BYTES[level], KERNEL_HALF);
        const wrong = this.checkTable(scene, mm, { start, end: va + (last + 1) * ENTRY_BYTES[level] });
        if (wrong !== undefined) return wrong;
      }
    }
    return undefined;
  }

  /** Where a page is part of a user table: its level, and the first address that it translates. */
  private placesOf(table: number, mm: number): { readonly va: number; readonly level: number }[] {
    const places: { va: number; level: number }[] = [];
    const entered = (at: number, level: number, va: number) => {
      if (at === table) places.push({ va, level });
      return level > 0;
    };
    const visitor = new DistinctLeaves(entered, () => true);
    visitLeaves(this.view.machine.memory, this.view.userRoot(mm), KERNEL_HALF, 0, visitor);
    return places;
  }

  /** In user mode: a table that the thread has not used yet. */
  firstUsed(scene: Scene, cpu: Cpu): Answer {
    const t = this.view.currentThread(cpu.index);
    if (t < 0 || !this.view.isTask(t)) return undefined;
    const mm = this.view.mmOf(t);
    const at = scene.ghost.thread(t) + TABLE_ROOT;
    if (scene.ghost.words[at] === this.view.userRoot(mm)) return undefined;
    scene.ghost.words[at] = this.view.userRoot(mm);
    return this.checkTable(scene, mm, { start: KERNEL_HALF, end: 0 });
  }
}

function userTableMoments(view: GuestView): Moments {
  const table = new UserTableCheck(view);
  return {
    booted: (scene) => table.check(scene),
    storedToTable: (scene, _cpu, pa, _va, bytes) => table.tableWritten(scene, pa, bytes),
    ...(view.mmsAreMade ? { userModeReached: (scene: Scene, cpu: Cpu) => table.firstUsed(scene, cpu) } : {}),
  };
}

const ALLOWED_PAGE_SYMBOLS = ALLOWED_PAGE_KINDS.flatMap((kind) => [
  { symbol: `manifest.pages.${kind}.start` },
  { symbol: `manifest.pages.${kind}.end` },
]);

export const USER_TABLE_IS_MINIMAL: BuiltInProperty = {
  number: 12,
  slug: 'user-table-is-minimal',
  promise: 'In its kernel half the user page table maps what entering the kernel needs, and nothing else.',
  violated: 'User page tables map kernel memory that has to be hidden from user mode: readable by Meltdown.',
  definition:
    "every leaf of U(m) in the kernel's addresses maps pages of the allow-list: entry text, noinstr text, IDT, GDT, entry stacks, IST stacks, cpu_tss_rw, per-CPU offset table, PTI stacks of tasks of m. All supervisor; text, IDT and GDT read-only",
  model: 'invariant (a constant of the design)',
  mutant: 'no-pti',
  needs: [{ symbol: 'manifest.stack.pti' }, ...ALLOWED_PAGE_SYMBOLS],
  moments: userTableMoments,
};
