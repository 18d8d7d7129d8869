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
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

const PAGE_OFFSET = 0xfff;

interface Store {
  readonly pa: number;
  readonly va: number;
  readonly bytes: number;
}

/** After a store of `bytes` bytes at `va`, physical `pa`, in a page that holds a stack. */
function frameIsUntouched(scene: Scene, cpu: Cpu, pa: number, va: number, bytes: number): Answer {
  const owner = scene.pages.owner(pa);
  const running = scene.ghost.running(cpu.index);
  const t = owner >= 0 ? owner : scene.ghost.running(-1 - owner);
  const depth = scene.ghost.depth(t);
  // A push of the only context to a stack of its own thread can only meet its own frame.
  if (t === running && depth <= 1 && !scene.inDelivery) return undefined;
  if (owner >= 0 && t !== running) {
    const user = scene.view.machine.cpus.find((other) => scene.ghost.running(other.index) === t);
    if (scene.view.hasEnded(t)) return endedStackIsLeft(t, user, va);
    const wrong = user === undefined ? switchFrameIsUntouched(scene, t, { pa, va, bytes }) : undefined;
    if (wrong !== undefined) return wrong;
  }
  const own = t === running && !scene.inDelivery ? depth - 1 : -1;
  for (let k = 0; k < depth; k++) {
    const wrong = k === own ? undefined : contextFrameIsUntouched(scene, t, k, { pa, va, bytes });
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

/** Frames are compared by physical address: a stack has more than one mapping. A frame never straddles a page. */
function contextFrameIsUntouched(scene: Scene, t: number, k: number, store: Store): Answer {
  const { words } = scene.ghost;
  const at = scene.ghost.context(t, k);
  if (words[at + CTX_FRAME] === 0) return undefined;
  const start = toVa(words[at + CTX_FRAME_LO], words[at + CTX_FRAME_HI]);
  if (!hits(scene, store, start, words[at + CTX_FRAME_BYTES])) return undefined;
  const what = `the live frame of context ${k} of t${t} at ${hexVa(start)}`;
  return `expected ${what} to be left alone, found a store to ${hexVa(store.va)}`;
}

/** The stack of a task that has ended belongs to nobody, as soon as the CPU that ran the task has left it. */
function endedStackIsLeft(t: number, user: Cpu | undefined, va: number): Answer {
  if (user === undefined) return undefined;
  const what = `the stack of t${t}, which has ended, to be left alone while CPU ${user.index} still runs on it`;
  return `expected ${what}, found a store to ${hexVa(va)}`;
}

function switchFrameIsUntouched(scene: Scene, t: number, store: Store): Answer {
  const start = scene.view.pointerAt(scene.view.threadspPa[t]);
  if (!hits(scene, store, start, scene.view.manifest.switchFrame)) return undefined;
  const what = `the switch frame of t${t} at ${hexVa(start)}`;
  return `expected ${what} to be left alone while it does not run, found a store to ${hexVa(store.va)}`;
}

/** The store overlaps the bytes at `start`. The offset in the page decides almost always, and costs no walk. */
function hits(scene: Scene, { pa, bytes }: Store, start: number, length: number): boolean {
  const first = start & PAGE_OFFSET;
  const offset = pa & PAGE_OFFSET;
  if (offset >= first + length || offset + bytes <= first) return false;
  const leaf = scene.view.machine.translate(scene.view.kernelTable, start);
  return leaf !== undefined && leaf.pa >>> 12 === pa >>> 12;
}

export const LIVE_FRAMES_ARE_UNTOUCHED: BuiltInProperty = {
  number: 7,
  slug: 'live-frames-are-untouched',
  promise: 'A return frame is written by nobody but its owner while it is live.',
  violated:
    'Somebody wrote over a return frame that was still needed: the return goes to a wrong place or a wrong stack.',
  definition:
    "no word of a live hardware frame is written but by its own context, and none of the switch frame of a thread that runs nowhere; nor any word of the stack of a task that has ended (`manifest.task.ended`) while a CPU still runs on it. A frame is live from delivery until it is popped, or until rsp leaves the per-CPU stack on which it lies; an NMI's on the IST stack until its handler begins",
  model: '-',
  mutant: 'mainline+nmi-clobbers-frame',
  moments: { storedToStack: frameIsUntouched },
};
