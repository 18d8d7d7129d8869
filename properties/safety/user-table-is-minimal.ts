/**
 * S12 user-table-is-minimal (the allow-list part): what the user half of every address space maps in the kernel's
 * addresses is in one allow-list for all designs, by kind of physical page: entry text, noinstr text, the pages of the
 * cpu_entry_area, cpu_tss_rw, the per-CPU offset table, and PTI stacks of the tasks of that address space. No leaf
 * there is accessible to the user, and text, IDT and GDT are read-only.
 *
 * Checked once after boot, and again after a store to one of the page-table pages that the walk read.
 */
import { hexVa } from '../../emulator/words';
import { PTI } from '../../model/kinds';
import { WATCHES_TABLE } from '../ghost/watched-pages';
import type { GuestView } from '../guest/guest-view';
import { ALLOWED_PAGE_KINDS, type AllowedPageKind, type Range } from '../guest/manifest';
import type { Moments } from './moments';
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

const PAGE = 4096;
/** The lowest kernel address (the upper half of 48-bit addresses). */
const KERNEL_HALF = -(2 ** 47);

// A page-table page has 512 entries of 8 bytes; the upper half of the top level translates the kernel's addresses.
const ENTRIES = 512;
const KERNEL_SLOT = 256;
const TOP_LEVEL = 3;
const PTE_PRESENT = 1;
const PTE_PS = 0x80;

interface PageKind {
  readonly name: string;
  readonly readOnly: boolean;
  /** Address space to which the page is confined, or -1. */
  readonly mm: number;
}

const READ_ONLY_KINDS: readonly AllowedPageKind[] = ['idt', 'gdt'];

/** Pages of 4 KiB that the user table of address space 0 maps in the kernel's addresses. */
export function userTablePages(view: GuestView): number {
  return [...view.machine.leaves(view.userRoot(0), KERNEL_HALF)].reduce((pages, leaf) => pages + leaf.size / PAGE, 0);
}

/** Walks the user tables. What it keeps is derived from the tables alone, so no rollback has to undo it. */
class UserTableCheck {
  private readonly view: GuestView;
  private readonly allowed = new Map<number, PageKind>();
  private readonly tablePages = new Set<number>();

  constructor(view: GuestView) {
    this.view = view;
    const { manifest } = view;
    this.allow(manifest.entryText, { name: 'entry text', readOnly: true, mm: -1 });
    this.allow(manifest.noinstrText, { name: 'noinstr text', readOnly: true, mm: -1 });
    for (const [name, range] of manifest.allowedPages ?? [])
      this.allow(range, { name, readOnly: READ_ONLY_KINDS.includes(name), mm: -1 });
    for (const r of view.regions)
      if (r.kind === PTI) this.allow(r, { name: r.name, readOnly: false, mm: view.mmOf(r.thread) });
  }

  private allow(range: Range, kind: PageKind): void {
    for (let va = range.start; va < range.end; va += PAGE) {
      const leaf = this.view.machine.translate(this.view.kernelRoot(0), va);
      if (leaf !== undefined) this.allowed.set(leaf.pa >>> 12, kind);
    }
  }

  /** Walks every user table. Nothing is judged where the image does not say what the tables may map. */
  check(scene: Scene): Answer {
    const { manifest, bounds } = this.view;
    if (manifest.allowedPages === undefined || manifest.unknownStacks.includes('pti')) return undefined;
    let answer: Answer;
    for (let mm = 0; mm < bounds.mms; mm++) {
      this.watchTables(scene, this.view.userRoot(mm), TOP_LEVEL, KERNEL_SLOT);
      answer ??= this.checkTable(mm);
    }
    return answer;
  }

  private checkTable(mm: number): Answer {
    for (const leaf of this.view.machine.leaves(this.view.userRoot(mm), KERNEL_HALF)) {
      const wrong = this.judge(leaf, mm);
      if (wrong !== undefined) return `the user table of address space ${mm} maps ${hexVa(leaf.va)}: ${wrong}`;
    }
    return undefined;
  }

  /** Remembers the page-table pages below `table` that translate kernel addresses. */
  private watchTables(scene: Scene, table: number, level: number, from: number): void {
    const { words } = this.view.machine.memory;
    if (!this.tablePages.has(table)) {
      this.tablePages.add(table);
      scene.pages.watch(table, WATCHES_TABLE);
    }
    for (let i = from; i < ENTRIES && level > 0; i++) {
      const entry = words[(table >>> 2) + 2 * i];
      if ((entry & PTE_PRESENT) !== 0 && (entry & PTE_PS) === 0)
        this.watchTables(scene, (entry & -PAGE) >>> 0, level - 1, 0);
    }
  }

  private judge(leaf: { pa: number; size: number; writable: boolean; user: boolean }, mm: number): Answer {
    if (leaf.user) return 'the leaf is accessible to user mode, expected a supervisor leaf';
    for (let pa = leaf.pa; pa < leaf.pa + leaf.size; pa += PAGE) {
      const kind = this.allowed.get(pa >>> 12);
      if (kind === undefined) return `the physical page ${pa.toString(16)} is of no kind that a user table may map`;
      if (kind.readOnly && leaf.writable) return `${kind.name} is writable, expected read-only`;
      if (kind.mm >= 0 && kind.mm !== mm) return `${kind.name} belongs to address space ${kind.mm}`;
    }
    return undefined;
  }

  /** After a store to a page-table page: walk again if the walk had read that page in the kernel's addresses. */
  tableWritten(scene: Scene, pa: number): Answer {
    return this.tablePages.has(pa & ~(PAGE - 1)) ? this.check(scene) : undefined;
  }
}

function userTableMoments(view: GuestView): Moments {
  const table = new UserTableCheck(view);
  return {
    booted: (scene) => table.check(scene),
    storedToTable: (scene, _cpu, pa) => table.tableWritten(scene, pa),
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
