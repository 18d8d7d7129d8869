/**
 * The physical pages whose stores somebody wants to see, and why: stacks (frames, S7), task structures (threadsp, S9;
 * the word that a task has ended), page tables (S10, S12) and the words that the abstraction reads. One byte a page.
 */
import { ENTRY, FOREIGN, IRQ_STACK, NMI_STACK } from '../../model/kinds';
import type { GuestView } from '../guest/guest-view';
import type { StackRegion } from '../guest/regions';

export const WATCHES_STACK = 1;
export const WATCHES_TASK = 2;
export const WATCHES_TABLE = 4;
export const WATCHES_ALPHA = 8;
export const WATCHES_END = 16;

const PAGE = 4096;

export class WatchedPages {
  private readonly view: GuestView;
  private readonly reasons: Uint8Array;
  /**
   * Thread that owns the stack in a page, or -1 - cpu for a per-CPU stack. Only where the page is watched as a stack.
   */
  private readonly owners: Int16Array;
  private abstracted: number[] = [];
  /** Pages of the stacks of threads, and the words where their stack pointers are kept. */
  private stacks = new Map<StackRegion, readonly number[]>();
  private tasks: readonly number[] = [];

  constructor(view: GuestView) {
    this.view = view;
    const pages = view.machine.memory.size / PAGE;
    this.reasons = new Uint8Array(pages);
    this.owners = new Int16Array(pages);
  }

  why(pa: number): number {
    return this.reasons[pa >>> 12];
  }

  owner(pa: number): number {
    return this.owners[pa >>> 12];
  }

  /** Of the stacks that events are delivered on, FOREIGN are those of other exceptions with an IST entry. */
  isPerCpuStack(kind: number): boolean {
    return kind === ENTRY || kind === NMI_STACK || kind === IRQ_STACK || kind === FOREIGN;
  }

  /** The word is one that the abstraction reads: `current`, top_of_stack or sp0 of some CPU. */
  isAbstracted(pa: number): boolean {
    return this.abstracted.includes(pa & ~7) || this.abstracted.includes(pa);
  }

  watch(pa: number, why: number): void {
    this.reasons[pa >>> 12] |= why;
    this.view.machine.memory.watch(pa >>> 12, true);
  }

  watchAll(): void {
    const { regions, bounds, currentPa, topPa } = this.view;
    for (const r of regions) if (r.thread < 0) this.watchStack(r, -1 - r.cpu);
    this.threadsChanged();
    for (const pa of this.view.endedPa) this.watch(pa, WATCHES_END);
    const sp0 = Array.from({ length: bounds.cpus }, (_, c) => this.view.sp0Pa(c));
    this.abstracted = [...currentPa, ...topPa, ...sp0];
    for (const pa of this.abstracted) this.watch(pa, WATCHES_ALPHA);
  }

  /** Threads have become known or have gone, with their stacks and task structures. */
  threadsChanged(): void {
    const { regions, threadspPa } = this.view;
    const now = new Map<StackRegion, readonly number[]>();
    for (const r of regions) {
      const watched = this.stacks.get(r);
      if (r.thread >= 0) now.set(r, watched ?? this.watchStack(r, r.thread));
    }
    for (const [r, pages] of this.stacks) if (!now.has(r)) for (const page of pages) this.leave(page, WATCHES_STACK);
    // A page that was one thread's may be another's by now.
    for (const [r, pages] of now) if (!this.stacks.has(r)) for (const page of pages) this.own(page, r.thread);
    this.stacks = now;
    for (const pa of this.tasks) if (!threadspPa.includes(pa)) this.leave(pa >>> 12, WATCHES_TASK);
    this.tasks = threadspPa.filter((pa) => pa >= 0);
    for (const pa of this.tasks) this.watch(pa, WATCHES_TASK);
  }

  /** Watches the pages of a stack, and answers their numbers. */
  private watchStack({ start, end }: StackRegion, owner: number): number[] {
    const pages: number[] = [];
    for (let va = start; va < end; va += PAGE) {
      const leaf = this.view.machine.translate(this.view.kernelTable, va);
      if (leaf === undefined) continue;
      pages.push(leaf.pa >>> 12);
      this.own(leaf.pa >>> 12, owner);
    }
    return pages;
  }

  private own(page: number, owner: number): void {
    this.watch(page * PAGE, WATCHES_STACK);
    this.owners[page] = owner;
  }

  private leave(page: number, why: number): void {
    this.reasons[page] &= ~why;
    if (this.reasons[page] === 0) this.view.machine.memory.watch(page, false);
  }
}
