/**
 * Whose stack an address lies in, by the manifest alone. The names are those of the abstract machine, relative to a CPU
 * and its running thread.
 */
import { CR3_WINDOW, ENTRY, FOREIGN, IRQ_STACK, KERNEL, NMI_STACK, PTI, USER } from '../../model/kinds';
import type { Manifest, StackArray } from './manifest';

/** One stack of the guest: its address range and who owns it. */
export interface StackRegion {
  /** KERNEL, PTI, ENTRY, ... of model/kinds; FOREIGN for a kind that the abstract machine does not have (#DF). */
  readonly kind: number;
  /** The thread that owns it (a user task, or tasks + cpu for an idle thread), or -1. */
  readonly thread: number;
  /** The CPU that owns it, or -1. */
  readonly cpu: number;
  readonly start: number;
  readonly end: number;
  readonly name: string;
}

function region(
  kind: number,
  thread: number,
  cpu: number,
  array: StackArray,
  index: number,
  name: string,
): StackRegion {
  const start = array.base + index * array.stride;
  return { kind, thread, cpu, start, end: start + array.size, name };
}

/** Every stack of a guest booted with `cpus` CPUs and `tasks` tasks. */
export function stackRegions(manifest: Manifest, cpus: number, tasks: number): StackRegion[] {
  const regions: StackRegion[] = [];
  const perCpu = { entry: ENTRY, irq: IRQ_STACK, nmi: NMI_STACK, df: FOREIGN } as const;
  for (let c = 0; c < cpus; c++) {
    for (const [name, kind] of Object.entries(perCpu)) {
      const array = manifest.stacks.get(name as keyof typeof perCpu);
      if (array !== undefined) regions.push(region(kind, -1, c, array, c, `${name}(c${c})`));
    }
    const idle = manifest.stacks.get('idle');
    if (idle !== undefined) regions.push(region(KERNEL, tasks + c, -1, idle, c, `idle(c${c})`));
  }
  for (let t = 0; t < tasks; t++) {
    const kernel = manifest.stacks.get('kernel');
    const pti = manifest.stacks.get('pti');
    if (kernel !== undefined) regions.push(region(KERNEL, t, -1, kernel, t, `kernel(t${t})`));
    if (pti !== undefined) regions.push(region(PTI, t, -1, pti, t, `pti(t${t})`));
  }
  return regions;
}

/**
 * The region that a stack pointer is in, or undefined. A stack pointer equal to the end of a stack is in it: nothing
 * has been pushed yet.
 */
export function regionOf(regions: readonly StackRegion[], rsp: number): StackRegion | undefined {
  for (const r of regions) if (rsp > r.start && rsp <= r.end) return r;
  return undefined;
}

/** The abstract stack of CPU `cpu` whose running thread is `thread`, for a stack pointer at CPL0. */
export function abstractStack(
  regions: readonly StackRegion[],
  rsp: number,
  cpu: number,
  thread: number,
  isCr3Value: boolean,
): number {
  const found = regionOf(regions, rsp);
  if (found !== undefined) return found.cpu === cpu || found.thread === thread ? found.kind : FOREIGN;
  if (isCr3Value) return CR3_WINDOW;
  return rsp >= 0 ? USER : FOREIGN;
}
