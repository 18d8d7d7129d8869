/**
 * S28 event-is-handled: an entry does not come to its end before the C function of its event has run, once,
 * with the saved registers of this event in rdi, and with what else the function is told: the error code in rsi, the
 * number of a system call in esi (Linux, arch/x86/include/asm/idtentry.h and arch/x86/entry/common.c). `orig_ax` is -1
 * in the saved registers of what is no system call, or a signal would restart one.
 *
 * Where entry text calls no function of an event's own, where a guest's manifest names none, or where a frame was
 * handed over by an IRET that has faulted, nothing is asked. Whether an NMI is handled is asked by S16, because one in
 * another may leave that to the first.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { PT_REGS } from '../../emulator/linux/image/kernel-offsets';
import { CR3, CS, FLAG_ALWAYS_1, FLAG_RF, R11, RAX, RCX, RDI, RIP, RSI, RSP, SS } from '../../emulator/registers';
import { hex64, toVa, vaHi, vaLo } from '../../emulator/words';
import { NMI, SYSCALL } from '../../model/kinds';
import { eventOf, NO_SNAPSHOT } from '../ghost/contexts';
import { CTX_ERROR, CTX_HANDLED, CTX_KIND, CTX_REGISTERS, CTX_RFLAGS, CTX_VECTOR } from '../ghost/ghost';
import { completedReturn } from './completed-return';
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

const PAGE_MASK = 0xfffff000 | 0;
/** RF lasts for an instruction, and bit 1 is 1 whatever is loaded. */
const NOT_KEPT = FLAG_RF | FLAG_ALWAYS_1;

/** Before the first instruction of the function. */
function isTold(scene: Scene, cpu: Cpu): Answer {
  const { ghost, view } = scene;
  const { words } = ghost;
  const at = ghost.innermost(ghost.running(cpu.index));
  if (at < 0 || !view.handlers?.of(eventOf(ghost, at)).has(cpu.rip())) return undefined;
  const again = words[at + CTX_HANDLED] === 1;
  words[at + CTX_HANDLED] = 1;
  if (words[at + CTX_VECTOR] === NO_SNAPSHOT) return undefined;
  if (again && words[at + CTX_KIND] !== NMI)
    return 'expected the function of the event to be called once, found it called again';
  if (words[at + CTX_KIND] === SYSCALL)
    return hasRegisters(scene, cpu, at, RCX, words[at + CTX_REGISTERS + R11]) ?? hasNumber(scene, cpu, at);
  return hasRegisters(scene, cpu, at, RIP, words[at + CTX_RFLAGS]) ?? hasErrorCode(scene, cpu, at);
}

/** rdi leads to what the event has interrupted: `ip` is the register that had the address, `flags` were RFLAGS. */
function hasRegisters(scene: Scene, cpu: Cpu, at: number, ip: number, flags: number): Answer {
  const { words } = scene.ghost;
  const isSyscall = words[at + CTX_KIND] === SYSCALL;
  const completed = isSyscall ? undefined : completedReturn(scene, at);
  for (const [place, register] of [
    ['ip', ip],
    ['sp', RSP],
  ] as const) {
    const before = at + CTX_REGISTERS + register;
    const answer = holds(scene, cpu, place, words[before], words[before + 1]);
    if (answer === undefined) continue;
    if (completed === undefined) return answer;
    const wrong = holds(scene, cpu, place, vaLo(completed[place]), vaHi(completed[place]));
    if (wrong !== undefined) return wrong;
  }
  const selectors = isSyscall
    ? []
    : ([
        ['cs', CS],
        ['ss', SS],
      ] as const);
  for (const [place, register] of selectors) {
    const answer = holds(scene, cpu, place, words[at + CTX_REGISTERS + register], 0);
    if (answer !== undefined) return answer;
  }
  const found = savedWord(scene, cpu, 'flags');
  if (found === undefined || ((found.lo ^ flags) & ~NOT_KEPT) !== 0) return wrong('flags', hex64(flags, 0), found);
  return undefined;
}

/** Of a system call: which one it is, in 32 bits. */
function hasNumber({ ghost: { words } }: Scene, cpu: Cpu, at: number): Answer {
  const number = words[at + CTX_REGISTERS + RAX];
  if (cpu.r[RSI] === number) return undefined;
  return `expected the number of the system call in esi, ${number}, found ${cpu.r[RSI]}`;
}

/** Of anything else: there is no system call to restart, and the error code where there is one. */
function hasErrorCode(scene: Scene, cpu: Cpu, at: number): Answer {
  const error = scene.ghost.words[at + CTX_ERROR];
  if (error >= 0 && (cpu.r[RSI] !== error || cpu.r[RSI + 1] !== 0))
    return `expected the error code in rsi, ${hex64(error, 0)}, found ${hex64(cpu.r[RSI], cpu.r[RSI + 1])}`;
  return holds(scene, cpu, 'orig_ax', -1, -1);
}

function holds(scene: Scene, cpu: Cpu, place: keyof typeof PT_REGS, lo: number, hi: number): Answer {
  const found = savedWord(scene, cpu, place);
  return found !== undefined && found.lo === lo && found.hi === hi ? undefined : wrong(place, hex64(lo, hi), found);
}

/** A word of the saved registers that rdi leads to. */
function savedWord({ view }: Scene, { r }: Cpu, place: keyof typeof PT_REGS): { lo: number; hi: number } | undefined {
  return view.machine.readVirtual64(r[CR3] & PAGE_MASK, toVa(r[RDI], r[RDI + 1]) + PT_REGS[place]);
}

function wrong(place: string, expected: string, found: { lo: number; hi: number } | undefined): string {
  const what = found === undefined ? 'rdi leads nowhere' : hex64(found.lo, found.hi);
  return `expected ${place} ${expected} of this event in the saved registers that rdi leads to, found ${what}`;
}

/** A return has completed. */
function hasRun({ view, ghost }: Scene, _cpu: Cpu, at: number): Answer {
  const { words } = ghost;
  if (words[at + CTX_HANDLED] === 1 || words[at + CTX_VECTOR] === NO_SNAPSHOT || words[at + CTX_KIND] === NMI)
    return undefined;
  const [first] = view.handlers?.of(eventOf(ghost, at)) ?? [];
  if (first === undefined) return undefined;
  const name = view.image.symbolAt(first)?.name ?? 'the function of the event';
  return `expected ${name} to have run before the return, found that it has not`;
}

export const EVENT_IS_HANDLED: BuiltInProperty = {
  number: 28,
  slug: 'event-is-handled',
  promise: 'The C function of an event runs once, with the saved registers, error code or number of this event.',
  violated: "An event was dropped, or its handler took another one's registers for its own.",
  definition:
    'the C function of an event, where it is known, runs once before the return that ends its context, with the saved registers of this event in rdi, its error code in rsi or its number in esi; `orig_ax` is -1 there in what is no system call',
  model: '-',
  mutant: 'mainline+orig-ax-not-set',
  moments: { handlerReached: isTold, returned: hasRun },
};
