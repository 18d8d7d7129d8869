/**
 * S8 stack-is-legal: every implicit stack access at CPL0 (push, pop, call, ret, IRET's frame, a delivery without IST)
 * lies in a stack of the running thread or of this CPU that no other CPU uses, and a push lies below what the suspended
 * contexts have on that stack, and above its end. While rsp is the user's there is no such access. The value of rsp as
 * such is not judged: inside the SYSCALL entry it is a CR3 value.
 *
 * What was found legal is kept as bounds in the ghost state, so the next push costs two comparisons.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { CPL, RSP } from '../../emulator/registers';
import { hexVa, toVa, vaHi, vaLo } from '../../emulator/words';
import { CR3_WINDOW, NMI_STACK, USER } from '../../model/kinds';
import {
  CTX_FROM_STACK,
  CTX_FROM_USER,
  CTX_REGISTERS,
  LEGAL_HI,
  LEGAL_LO,
  LEGAL_POP_BYTES,
  LEGAL_PUSH_BYTES,
  RUNNING,
  STACK,
} from '../ghost/ghost';
import type { StackRegion } from '../guest/regions';
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

/** Before an implicit access of `bytes` bytes. Within the bounds that were found legal it costs two comparisons. */
function stackIsLegal(scene: Scene, cpu: Cpu, lo: number, hi: number, bytes: number, write: boolean): Answer {
  if (scene.ghost.isKnownLegal(cpu.index, lo, hi, bytes, write)) return undefined;
  return judgeStack(scene, cpu, scene.ghost.cpu(cpu.index), toVa(lo, hi), bytes, write);
}

function judgeStack(scene: Scene, cpu: Cpu, g: number, va: number, bytes: number, write: boolean): Answer {
  const { words } = scene.ghost;
  if (scene.inDelivery && scene.view.doubleFaultsByDesign(cpu)) return undefined;
  const t = words[g + RUNNING];
  const region = scene.view.regionHolding(va, bytes);
  const what = write ? 'push' : 'pop';
  if (words[g + STACK] === USER && !scene.inDelivery) {
    return `expected no ${what} at CPL0 while rsp is the user's, found one at ${hexVa(va)}`;
  }
  if (write && leavesItsStack(scene, g, va)) return runsOut(scene, g, va);
  if (region === undefined) {
    if (!scene.view.stacksKnown) return undefined;
    return `expected a ${what} at CPL0 to lie in a stack, found ${hexVa(va)}, which is in none`;
  }
  if (region.thread !== t && region.cpu !== cpu.index) {
    return `expected a ${what} at CPL0 to lie in a stack of t${t} or of CPU ${cpu.index}, found ${region.name}`;
  }
  const other = usedByOther(scene, cpu, region, t);
  if (other >= 0) return `expected ${region.name} to be used by CPU ${cpu.index} alone, CPU ${other} uses it too`;
  const limit = pushLimit(scene, t, region);
  if (write && va + bytes > limit)
    return `expected a push below ${hexVa(limit)}, where a suspended context of t${t} stands on ${region.name}, found ${hexVa(va)}`;
  words[g + LEGAL_HI] = vaHi(region.start);
  words[g + LEGAL_LO] = vaLo(region.start);
  words[g + LEGAL_POP_BYTES] = region.end - region.start;
  words[g + LEGAL_PUSH_BYTES] = limit - region.start;
  return undefined;
}

/** rsp has only been pushed, popped and counted down since the last legal access, and is in another region now. */
function leavesItsStack(scene: Scene, g: number, va: number): boolean {
  const { words } = scene.ghost;
  const known = words[g + LEGAL_POP_BYTES] > 0 && !scene.inDelivery;
  return known && va < toVa(words[g + LEGAL_LO], words[g + LEGAL_HI]);
}

function runsOut(scene: Scene, g: number, va: number): Answer {
  const start = toVa(scene.ghost.words[g + LEGAL_LO], scene.ghost.words[g + LEGAL_HI]);
  const name = scene.view.regions.find((r) => r.start === start)?.name ?? 'its stack';
  return `expected pushes on ${name} to stay above ${hexVa(start)}, where it ends, found one at ${hexVa(va)}`;
}

/** After rsp was loaded from the threadsp of thread t: a stack that is taken over has been left. */
function takenOverStackIsFree(scene: Scene, cpu: Cpu, _before: number, t: number): Answer {
  for (const other of scene.view.machine.cpus)
    if (other !== cpu && scene.ghost.running(other.index) === t)
      return `expected the stack of t${t} to be free when CPU ${cpu.index} switches to it, CPU ${other.index} still runs on it`;
  return undefined;
}

/** Another CPU that runs the same thread, or whose rsp is in the same stack; -1 if there is none. */
function usedByOther(scene: Scene, cpu: Cpu, region: StackRegion, t: number): number {
  for (const other of scene.view.machine.cpus) {
    if (other === cpu) continue;
    if (region.thread >= 0 && scene.ghost.running(other.index) === t) return other.index;
    // rsp is the user's, or a CR3 value: wherever it points, nothing is pushed there.
    const stack = scene.ghost.words[scene.ghost.cpu(other.index) + STACK];
    if (stack === USER || stack === CR3_WINDOW) continue;
    const rsp = toVa(other.r[RSP], other.r[RSP + 1]);
    if (other.r[CPL] === 0 && rsp > region.start && rsp <= region.end) return other.index;
  }
  return -1;
}

/**
 * Pushes lie below the lowest rsp at which a context of the thread was interrupted on this stack. The NMI stack is laid
 * out by its entry code.
 */
function pushLimit(scene: Scene, t: number, region: StackRegion): number {
  let limit = region.end;
  if (region.kind === NMI_STACK) return limit;
  for (let k = 0; k < scene.ghost.depth(t); k++) {
    const at = scene.ghost.context(t, k);
    if (scene.ghost.words[at + CTX_FROM_USER] === 1) continue;
    const from = scene.ghost.words[at + CTX_FROM_STACK];
    if (from === USER || from === CR3_WINDOW) continue;
    const rsp = toVa(scene.ghost.words[at + CTX_REGISTERS + RSP], scene.ghost.words[at + CTX_REGISTERS + RSP + 1]);
    if (rsp > region.start && rsp < limit) limit = rsp;
  }
  return limit;
}

export const STACK_IS_LEGAL: BuiltInProperty = {
  number: 8,
  slug: 'stack-is-legal',
  promise: 'The kernel pushes and pops only on stacks of its own CPU or running task that nobody else is using.',
  violated: 'Two contexts used one stack, or a stack pointer that is none: silent corruption.',
  definition:
    "each implicit stack access at CPL0 (push, pop, call, ret, IRET's reads, a delivery without IST) lies in one stack of the running thread or of this CPU, which no other CPU uses; a push lies below every rsp at which a context of the thread was interrupted there, and does not run over the end of its stack. There is no such access while rsp is the user's",
  model: 'invariant and requires: no thread runs twice, no foreign stack',
  mutant: 'mainline+irq-stack-shared',
  needs: [
    { symbol: 'manifest.stack.irq', part: 'a push outside of every stack' },
    { symbol: 'manifest.stack.df', part: 'a push outside of every stack' },
    { symbol: 'manifest.stack.pti', part: 'a push outside of every stack' },
  ],
  moments: { stackAccessed: stackIsLegal, threadSwitched: takenOverStackIsFree },
};
