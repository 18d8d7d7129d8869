/**
 * The C functions that events lead to, read from a kernel's entry code as it is in RAM: what the stub behind a gate of
 * the IDT, or behind SYSCALL, calls outside of entry code. A function that several stubs call is a helper of all of
 * them, or is told the vector (interrupts of devices), and is nobody's own.
 */
import { type ListedInstruction, listInstructions } from '../../emulator/disassemble';
import type { KernelCode } from '../../emulator/linux/image/kernel-code';
import type { PhysicalMemory } from '../../emulator/memory/physical-memory';
import { IDTR_BASE, IDTR_LIMIT } from '../../emulator/registers';
import { toVa } from '../../emulator/words';
import { type EventHandlers, SYSCALL_EVENT } from '../guest/guest-view';
import type { KernelMemory } from './kernel-memory';

const GATE_BYTES = 16;
const PRESENT = 0x8000;
const NONE: ReadonlySet<number> = new Set();
/** A call, a jump, or a jump on a condition, to a direct target. */
const BRANCH = /^(call|j\w+) 0x([0-9a-f]+)$/;
/** An instruction behind which nothing goes on. */
const END = /^(jmp|ret|iretq?|sysretq?|ud2|int3|hlt)\b/;
/** What entry code puts before a jump that hands a call on. */
const NO_EFFECT = /^(nop\w*|endbr64|xchg %ax,%ax|lfence)\b/;

type Code = Pick<KernelCode, 'entry' | 'systemCall' | 'kindAt'>;
/** As much of a KernelMemory as is needed. */
interface Memory extends Pick<KernelMemory, 'near' | 'physical'> {
  readonly machine: { readonly memory: PhysicalMemory; readonly cpus: readonly { readonly r: Int32Array }[] };
}

export function eventHandlers(memory: Memory, code: Code): EventHandlers {
  const stubs = new Map<number, ReadonlySet<number>>();
  const listing = new Map(entryText(memory, code).map((instruction) => [instruction.va, instruction]));
  const steps = new Map<number, Step>();
  const entrances = [[SYSCALL_EVENT, code.systemCall] as const, ...gates(memory)];
  for (const [, stub] of entrances) if (!stubs.has(stub)) stubs.set(stub, calledBehind(listing, steps, code, stub));
  const callers = new Map<number, number>();
  for (const called of stubs.values()) for (const va of called) callers.set(va, (callers.get(va) ?? 0) + 1);
  const own = (stub: number) => new Set([...(stubs.get(stub) ?? NONE)].filter((va) => callers.get(va) === 1));
  const byEvent = new Map(entrances.map(([event, stub]) => [event, own(stub)]));
  const all = new Set([...byEvent.values()].flatMap((functions) => [...functions]));
  return { all, of: (event) => byEvent.get(event) ?? NONE };
}

/** Each vector with the address that its gate leads to (SDM vol. 3, 6.14.1). */
function gates(memory: Memory): (readonly [vector: number, stub: number])[] {
  const [{ r }] = memory.machine.cpus;
  const base = toVa(r[IDTR_BASE], r[IDTR_BASE + 1]);
  const found: [number, number][] = [];
  for (let vector = 0; (vector + 1) * GATE_BYTES <= r[IDTR_LIMIT] + 1; vector++) {
    const pa = memory.physical(base + vector * GATE_BYTES);
    if (pa === undefined) continue;
    const [lo, hi, high] = [0, 4, 8].map((offset) => memory.machine.memory.read32(pa + offset));
    if ((hi & PRESENT) !== 0) found.push([vector, toVa((lo & 0xffff) | (hi & 0xffff0000), high | 0)]);
  }
  return found;
}

function entryText(memory: Memory, { entry: { start, end } }: Code): ListedInstruction[] {
  return listInstructions(memory.machine.memory.readBytes(memory.near(start), end - start), start);
}

/** Where an instruction leads, read once: most stubs go on in the same code. */
interface Step {
  readonly next: number;
  /** Nothing goes on behind it. */
  readonly isEnd: boolean;
  readonly isCall: boolean;
  /** The target of a branch, undefined of what is none. */
  readonly to: number | undefined;
}

function stepAt(listing: ReadonlyMap<number, ListedInstruction>, code: Code, va: number): Step | undefined {
  const one = listing.get(va);
  if (one === undefined) return undefined;
  const [, branch, target] = BRANCH.exec(one.text) ?? [];
  const to =
    branch === undefined ? undefined : leadsTo(listing, code, Number(BigInt.asIntN(64, BigInt(`0x${target}`))));
  return { next: va + one.bytes.length, isEnd: END.test(one.text), isCall: branch === 'call', to };
}

/** What is called on any way from `from` on that stays in entry code. Calls of entry code are taken to come back. */
function calledBehind(
  listing: ReadonlyMap<number, ListedInstruction>,
  steps: Map<number, Step>,
  code: Code,
  from: number,
): Set<number> {
  const called = new Set<number>();
  const seen = new Set<number>();
  const ways = [from];
  for (let way = ways.pop(); way !== undefined; way = ways.pop()) {
    for (let at = way; !seen.has(at); ) {
      const step = steps.get(at) ?? stepAt(listing, code, at);
      if (step === undefined) break;
      steps.set(at, step);
      seen.add(at);
      const { next, isEnd, isCall, to } = step;
      if (to !== undefined && !isEntry(code, to)) {
        if (code.kindAt(to) !== 'thunk') called.add(to);
      } else if (to !== undefined && !isCall) ways.push(to);
      if (isEnd) break;
      at = next;
    }
  }
  return called;
}

/** The target of a branch, or where a target that does no more than jump on leads. */
function leadsTo(listing: ReadonlyMap<number, ListedInstruction>, code: Code, target: number): number {
  let one = listing.get(target);
  while (one !== undefined && NO_EFFECT.test(one.text)) one = listing.get(one.va + one.bytes.length);
  const [, branch, to] = BRANCH.exec(one?.text ?? '') ?? [];
  if (branch !== 'jmp') return target;
  const address = Number(BigInt.asIntN(64, BigInt(`0x${to}`)));
  return isEntry(code, address) ? target : address;
}

function isEntry({ entry }: Code, va: number): boolean {
  return entry.start <= va && va < entry.end;
}
