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
import type { Monitor } from '../monitor/monitor';
import { S8 } from './property';

/** Before an implicit access of `bytes` bytes at `va`; `g` is the first ghost word of the CPU. */
export function stackIsLegal(m: Monitor, cpu: Cpu, g: number, va: number, bytes: number, write: boolean): void {
  const { words } = m.ghost;
  const t = words[g + RUNNING];
  const region = m.view.regions.find((r) => va >= r.start && va + bytes <= r.end);
  const what = write ? 'push' : 'pop';
  if (words[g + STACK] === USER && !m.delivering_) {
    m.report(S8, cpu, `expected no ${what} at CPL0 while rsp is the user's, found one at ${hexVa(va)}`);
    return;
  }
  if (write && leavesItsStack(m, g, va)) return runsOut(m, cpu, g, va);
  if (region === undefined) {
    if (!m.view.stacksKnown) return;
    m.report(S8, cpu, `expected a ${what} at CPL0 to lie in a stack, found ${hexVa(va)}, which is in none`);
    return;
  }
  if (region.thread !== t && region.cpu !== cpu.index) {
    m.report(
      S8,
      cpu,
      `expected a ${what} at CPL0 to lie in a stack of t${t} or of CPU ${cpu.index}, found ${region.name}`,
    );
    return;
  }
  const other = usedByOther(m, cpu, region, t);
  if (other >= 0)
    m.report(S8, cpu, `expected ${region.name} to be used by CPU ${cpu.index} alone, CPU ${other} uses it too`);
  const limit = pushLimit(m, t, region);
  if (write && va + bytes > limit)
    m.report(
      S8,
      cpu,
      `expected a push below ${hexVa(limit)}, where a suspended context of t${t} stands on ${region.name}, found ${hexVa(va)}`,
    );
  words[g + LEGAL_HI] = vaHi(region.start);
  words[g + LEGAL_LO] = vaLo(region.start);
  words[g + LEGAL_POP_BYTES] = region.end - region.start;
  words[g + LEGAL_PUSH_BYTES] = limit - region.start;
}

/** rsp has only been pushed, popped and counted down since the last legal access, and is in another region now. */
function leavesItsStack(m: Monitor, g: number, va: number): boolean {
  const { words } = m.ghost;
  const known = words[g + LEGAL_POP_BYTES] > 0 && !m.delivering_;
  return known && va < toVa(words[g + LEGAL_LO], words[g + LEGAL_HI]);
}

function runsOut(m: Monitor, cpu: Cpu, g: number, va: number): void {
  const start = toVa(m.ghost.words[g + LEGAL_LO], m.ghost.words[g + LEGAL_HI]);
  const name = m.view.regions.find((r) => r.start === start)?.name ?? 'its stack';
  m.report(
    S8,
    cpu,
    `expected pushes on ${name} to stay above ${hexVa(start)}, where it ends, found one at ${hexVa(va)}`,
  );
}

/** After rsp was loaded from the threadsp of thread t: a stack that is taken over has been left. */
export function takenOverStackIsFree(m: Monitor, cpu: Cpu, t: number): void {
  for (const other of m.view.machine.cpus)
    if (other !== cpu && m.ghost.running(other.index) === t)
      m.report(
        S8,
        cpu,
        `expected the stack of t${t} to be free when CPU ${cpu.index} switches to it, CPU ${other.index} still runs on it`,
      );
}

/** Another CPU that runs the same thread, or whose rsp is in the same stack; -1 if there is none. */
function usedByOther(m: Monitor, cpu: Cpu, region: StackRegion, t: number): number {
  for (const other of m.view.machine.cpus) {
    if (other === cpu) continue;
    if (region.thread >= 0 && m.ghost.running(other.index) === t) return other.index;
    // rsp is the user's, or a CR3 value: wherever it points, nothing is pushed there.
    const stack = m.ghost.words[m.ghost.cpu(other.index) + STACK];
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
function pushLimit(m: Monitor, t: number, region: StackRegion): number {
  let limit = region.end;
  if (region.kind === NMI_STACK) return limit;
  for (let k = 0; k < m.ghost.depth(t); k++) {
    const at = m.ghost.context(t, k);
    if (m.ghost.words[at + CTX_FROM_USER] === 1) continue;
    const from = m.ghost.words[at + CTX_FROM_STACK];
    if (from === USER || from === CR3_WINDOW) continue;
    const rsp = toVa(m.ghost.words[at + CTX_REGISTERS + RSP], m.ghost.words[at + CTX_REGISTERS + RSP + 1]);
    if (rsp > region.start && rsp < limit) limit = rsp;
  }
  return limit;
}
