/**
 * S12 user-table-is-minimal (the allow-list part): what the user half of every address space maps in the kernel's
 * addresses is in one allow-list for all designs, by kind of physical page: entry text, noinstr text, the pages of the
 * cpu_entry_area, cpu_tss_rw, the per-CPU offset table, and PTI stacks of the tasks of that address space. No leaf
 * there is accessible to the user, and text, IDT and GDT are read-only.
 *
 * Checked once after boot, and again after a store to one of the page-table pages that the walk read.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { hexVa } from '../../emulator/words';
import { PTI } from '../../model/kinds';
import { WATCHES_TABLE } from '../ghost/watched-pages';
import type { GuestView } from '../guest/guest-view';
import type { AllowedPageKind, Range } from '../guest/manifest';
import type { Monitor } from '../monitor/monitor';
import { S12 } from './property';

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

export class UserTableCheck {
  readonly #view: GuestView;
  readonly #allowed = new Map<number, PageKind>();
  readonly #tablePages = new Set<number>();
  /** Leaves in the kernel's addresses of the user table of address space 0, as last walked. */
  leafPages = 0;

  constructor(view: GuestView) {
    this.#view = view;
    const { manifest } = view;
    this.#allow(manifest.entryText, { name: 'entry text', readOnly: true, mm: -1 });
    this.#allow(manifest.noinstrText, { name: 'noinstr text', readOnly: true, mm: -1 });
    for (const [name, range] of manifest.allowedPages ?? [])
      this.#allow(range, { name, readOnly: READ_ONLY_KINDS.includes(name), mm: -1 });
    for (const r of view.regions)
      if (r.kind === PTI) this.#allow(r, { name: r.name, readOnly: false, mm: view.mmOf(r.thread) });
  }

  #allow(range: Range, kind: PageKind): void {
    for (let va = range.start; va < range.end; va += PAGE) {
      const leaf = this.#view.machine.translate(this.#view.kernelRoot(0), va);
      if (leaf !== undefined) this.#allowed.set(leaf.pa >>> 12, kind);
    }
  }

  /** Walks every user table. Nothing is judged where the image does not say what the tables may map. */
  check(m: Monitor): void {
    const { allowedPages, unknownStacks } = this.#view.manifest;
    if (allowedPages === undefined || unknownStacks.includes('pti')) return;
    const [cpu] = this.#view.machine.cpus;
    for (let mm = 0; mm < this.#view.bounds.mms; mm++) this.#checkTable(m, cpu, mm);
  }

  #checkTable(m: Monitor, cpu: Cpu, mm: number): void {
    const { machine } = this.#view;
    let pages = 0;
    for (const leaf of machine.leaves(this.#view.userRoot(mm), KERNEL_HALF)) {
      pages += leaf.size / PAGE;
      const wrong = this.#judge(leaf, mm);
      if (wrong !== undefined)
        m.report(S12, cpu, `the user table of address space ${mm} maps ${hexVa(leaf.va)}: ${wrong}`);
    }
    if (mm === 0) this.leafPages = pages;
    this.#watchTables(m, this.#view.userRoot(mm), TOP_LEVEL, KERNEL_SLOT);
  }

  /** Remembers the page-table pages below `table` that translate kernel addresses. */
  #watchTables(m: Monitor, table: number, level: number, from: number): void {
    const { words } = this.#view.machine.memory;
    if (!this.#tablePages.has(table)) {
      this.#tablePages.add(table);
      m.pages.watch(table, WATCHES_TABLE);
    }
    for (let i = from; i < ENTRIES && level > 0; i++) {
      const entry = words[(table >>> 2) + 2 * i];
      if ((entry & PTE_PRESENT) !== 0 && (entry & PTE_PS) === 0)
        this.#watchTables(m, (entry & -PAGE) >>> 0, level - 1, 0);
    }
  }

  #judge(leaf: { pa: number; size: number; writable: boolean; user: boolean }, mm: number): string | undefined {
    if (leaf.user) return 'the leaf is accessible to user mode, expected a supervisor leaf';
    for (let pa = leaf.pa; pa < leaf.pa + leaf.size; pa += PAGE) {
      const kind = this.#allowed.get(pa >>> 12);
      if (kind === undefined) return `the physical page ${pa.toString(16)} is of no kind that a user table may map`;
      if (kind.readOnly && leaf.writable) return `${kind.name} is writable, expected read-only`;
      if (kind.mm >= 0 && kind.mm !== mm) return `${kind.name} belongs to address space ${kind.mm}`;
    }
    return undefined;
  }

  /** After a store to a page-table page: walk again if the walk had read that page in the kernel's addresses. */
  tableWritten(m: Monitor, pa: number): void {
    if (this.#tablePages.has(pa & ~(PAGE - 1))) this.check(m);
  }
}
