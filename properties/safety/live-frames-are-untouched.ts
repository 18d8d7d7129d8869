/**
 * S7 live-frames-are-untouched: a word of a live hardware frame is written only by the context that it belongs to, and
 * the switch frame of a thread that does not run by nobody. A frame lives from its delivery until it is popped, or
 * until rsp leaves the per-CPU stack from which it was copied; the frame of an NMI on the IST stack until its handler
 * begins, because from then on the entry code works with its own copies. The stack of a task that has ended is free
 * once no CPU runs on it.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { hexVa, toVa } from '../../emulator/words';
import { CTX_FRAME, CTX_FRAME_BYTES, CTX_FRAME_HI, CTX_FRAME_LO } from '../ghost/ghost';
import type { Monitor } from '../monitor/monitor';
import { S7 } from './property';

const PAGE_OFFSET = 0xfff;

interface Store {
  readonly pa: number;
  readonly va: number;
  readonly bytes: number;
}

/** After a store of `bytes` bytes at `va`, physical `pa`, in a page that holds a stack. */
export function frameIsUntouched(m: Monitor, cpu: Cpu, pa: number, va: number, bytes: number): void {
  const owner = m.pages.owner(pa);
  const running = m.ghost.running(cpu.index);
  const t = owner >= 0 ? owner : m.ghost.running(-1 - owner);
  const depth = m.ghost.depth(t);
  // A push of the only context to a stack of its own thread can only meet its own frame.
  if (t === running && depth <= 1 && !m.delivering_) return;
  if (owner >= 0 && t !== running) {
    const user = m.view.machine.cpus.find((other) => m.ghost.running(other.index) === t);
    if (m.view.hasEnded(t)) {
      endedStackIsLeft(m, cpu, t, user, va);
      return;
    }
    if (user === undefined) switchFrameIsUntouched(m, cpu, t, { pa, va, bytes });
  }
  const own = t === running && !m.delivering_ ? depth - 1 : -1;
  for (let k = 0; k < depth; k++) if (k !== own) contextFrameIsUntouched(m, cpu, t, k, { pa, va, bytes });
}

/** Frames are compared by physical address: a stack has more than one mapping. A frame never straddles a page. */
function contextFrameIsUntouched(m: Monitor, cpu: Cpu, t: number, k: number, store: Store): void {
  const { words } = m.ghost;
  const at = m.ghost.context(t, k);
  if (words[at + CTX_FRAME] === 0) return;
  const start = toVa(words[at + CTX_FRAME_LO], words[at + CTX_FRAME_HI]);
  if (!hits(m, store, start, words[at + CTX_FRAME_BYTES])) return;
  const what = `the live frame of context ${k} of t${t} at ${hexVa(start)}`;
  m.report(S7, cpu, `expected ${what} to be left alone, found a store to ${hexVa(store.va)}`);
}

/** The stack of a task that has ended belongs to nobody, as soon as the CPU that ran the task has left it. */
function endedStackIsLeft(m: Monitor, cpu: Cpu, t: number, user: Cpu | undefined, va: number): void {
  if (user === undefined) return;
  const what = `the stack of t${t}, which has ended, to be left alone while CPU ${user.index} still runs on it`;
  m.report(S7, cpu, `expected ${what}, found a store to ${hexVa(va)}`);
}

function switchFrameIsUntouched(m: Monitor, cpu: Cpu, t: number, store: Store): void {
  const start = m.view.pointerAt(m.view.threadspPa[t]);
  if (!hits(m, store, start, m.view.manifest.switchFrame)) return;
  const what = `the switch frame of t${t} at ${hexVa(start)}`;
  m.report(S7, cpu, `expected ${what} to be left alone while it does not run, found a store to ${hexVa(store.va)}`);
}

/** The store overlaps the bytes at `start`. The offset in the page decides almost always, and costs no walk. */
function hits(m: Monitor, { pa, bytes }: Store, start: number, length: number): boolean {
  const first = start & PAGE_OFFSET;
  const offset = pa & PAGE_OFFSET;
  if (offset >= first + length || offset + bytes <= first) return false;
  const leaf = m.view.machine.translate(m.view.kernelRoot(0), start);
  return leaf !== undefined && leaf.pa >>> 12 === pa >>> 12;
}
