/**
 * S9 scheduled-out-on-own-stack, the headline: when a CPU stores the stack pointer of its running thread to that
 * thread's threadsp, the stored value lies in a stack of the thread itself (its kernel stack or its PTI stack), never
 * in a per-CPU or user stack; CR3 is on the kernel half, GS is the kernel's, interrupts are off, no NMI is open, and no
 * live hardware frame of the thread is left on a per-CPU stack. A thread that gives way has stored its rsp since it
 * began to run, and the threadsp of a thread that runs elsewhere is not stored to.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { hexVa } from '../../emulator/words';
import { NMI } from '../../model/kinds';
import { CTX_FRAME, CTX_KIND, INTERRUPTS, RSP_SAVED, RUNNING, USER_GS, USER_HALF } from '../ghost/ghost';
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

/** After a store to a page of task structures. */
function scheduledOutOnOwnStack(scene: Scene, cpu: Cpu, pa: number): Answer {
  const g = scene.ghost.cpu(cpu.index);
  const t = scene.ghost.words[g + RUNNING];
  if (pa !== scene.view.threadspPa[t]) return otherThreadIsLeftAlone(scene, pa);
  scene.ghost.words[scene.ghost.thread(t) + RSP_SAVED] = 1;
  const rsp = scene.view.pointerAt(pa);
  const region = scene.view.regionOf(rsp);
  if (region === undefined && !scene.view.stacksKnown) return undefined;
  if (region === undefined || region.thread !== t)
    return `${scene.view.nameOf(t)} is scheduled out with rsp ${hexVa(rsp)} in ${region?.name ?? 'no stack'}, expected a stack of its own`;
  const wrong = environmentAtSwitch(scene, g) ?? openContexts(scene, t);
  return wrong === undefined ? undefined : `${scene.view.nameOf(t)} is scheduled out ${wrong}`;
}

/**
 * A store to the threadsp of a thread that does not run on this CPU makes it: with a stack of its own, and no other CPU
 * on it.
 */
function otherThreadIsLeftAlone(scene: Scene, pa: number): Answer {
  const t = scene.view.threadspPa.indexOf(pa);
  if (t < 0) return undefined;
  const rsp = scene.view.pointerAt(pa);
  const user = scene.view.machine.cpus.find((other) => scene.ghost.running(other.index) === t);
  const region = scene.view.regionOf(rsp);
  if (user !== undefined)
    return `expected threadsp of ${scene.view.nameOf(t)} to be stored by CPU ${user.index}, which runs it, alone`;
  if (region?.thread !== t && scene.view.stacksKnown)
    return `threadsp of ${scene.view.nameOf(t)}, which runs nowhere, becomes ${hexVa(rsp)} in ${region?.name ?? 'no stack'}, expected a stack of its own`;
  return undefined;
}

/** Before thread t, which has run on this CPU, gives way to another one. */
function rspWasSaved(scene: Scene, _cpu: Cpu, t: number): Answer {
  if (scene.ghost.words[scene.ghost.thread(t) + RSP_SAVED] === 1 || scene.view.hasEnded(t)) return undefined;
  return `${scene.view.nameOf(t)} is scheduled out and its rsp was not stored to its threadsp since it began to run`;
}

function environmentAtSwitch(scene: Scene, g: number): string | undefined {
  const { words } = scene.ghost;
  if (words[g + USER_HALF] === 1) return 'on the user half of the page table, expected the kernel half';
  if (words[g + USER_GS] === 1) return "with the user's GS, expected the kernel's";
  return words[g + INTERRUPTS] === 1 ? 'with interrupts on, expected IF=0' : undefined;
}

function openContexts(scene: Scene, t: number): string | undefined {
  const { words } = scene.ghost;
  for (let k = 0; k < scene.ghost.depth(t); k++) {
    const at = scene.ghost.context(t, k);
    if (words[at + CTX_KIND] === NMI) return 'inside an NMI';
    if (scene.pages.isPerCpuStack(words[at + CTX_FRAME]))
      return `while its context ${k} has a live hardware frame on a per-CPU stack`;
  }
  return undefined;
}

export const SCHEDULED_OUT_ON_OWN_STACK: BuiltInProperty = {
  number: 9,
  slug: 'scheduled-out-on-own-stack',
  promise: 'A task that is scheduled out leaves what it needs on stacks of its own, never on one that its CPU shares.',
  violated: 'A task was scheduled out while it stood on a per-CPU stack, which the next entry on that CPU overwrites.',
  definition:
    "when a CPU stores to threadsp of its running thread, the stored value lies in a stack of that thread (kernel, PTI, idle); CR3 on the kernel half, GS the kernel's, IF=0, no NMI context open, no live hardware frame of the thread on a per-CPU stack. A thread that gives way has stored its rsp since it began to run; the threadsp of a thread that runs elsewhere is not stored to, and that of one that runs nowhere only with a stack of its own",
  model: 'requires: the context switch',
  mutant: 'deferred-percpu',
  needs: [{ symbol: 'manifest.stack.pti', part: 'an rsp outside of every stack' }],
  moments: { storedToTask: scheduledOutOnOwnStack, threadSwitched: rspWasSaved },
};
