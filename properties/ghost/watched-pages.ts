/**
 * The physical pages whose stores somebody wants to see, and why: stacks (frames, S7), task structures (threadsp, S9;
 * the word that a task has ended), page tables (S10, S12) and the words that the abstraction reads. One byte a page.
 */
import { ENTRY, IRQ_STACK, NMI_STACK } from '../../model/kinds';
import type { GuestView } from '../guest/guest-view';

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

  isPerCpuStack(kind: number): boolean {
    return kind === ENTRY || kind === NMI_STACK || kind === IRQ_STACK;
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
    const { regions, machine, bounds, threadspPa, currentPa, topPa } = this.view;
    for (const r of regions) {
      for (let va = r.start; va < r.end; va += PAGE) {
        const leaf = machine.translate(this.view.kernelRoot(0), va);
        if (leaf === undefined) continue;
        this.watch(leaf.pa, WATCHES_STACK);
        this.owners[leaf.pa >>> 12] = r.thread >= 0 ? r.thread : -1 - r.cpu;
      }
    }
    for (const pa of threadspPa) this.watch(pa, WATCHES_TASK);
    for (const pa of this.view.endedPa) this.watch(pa, WATCHES_END);
    const sp0 = Array.from({ length: bounds.cpus }, (_, c) => this.view.sp0Pa(c));
    this.abstracted = [...currentPa, ...topPa, ...sp0];
    for (const pa of this.abstracted) this.watch(pa, WATCHES_ALPHA);
  }
}
