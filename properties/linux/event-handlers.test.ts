/**
 * Promise: the C functions of events are found in entry code as it is in RAM: on either side of a branch, behind a
 * function that only jumps on, and not what stubs share. The kernel here is a few stubs.
 */
import { PhysicalMemory } from '../../emulator/memory/physical-memory';
import { IDTR_BASE, IDTR_LIMIT } from '../../emulator/registers';
import { SYSCALL_EVENT } from '../guest/guest-view';
import { eventHandlers } from './event-handlers';

const ENTRY = -0x7e000000;
const NOINSTR = ENTRY + 0x1000;
const IDT = ENTRY + 0x2000;
const [C0, C1, C2, C3, SHARED, THUNK] = [0, 16, 32, 48, 64, 80].map((offset) => NOINSTR + offset);
/** What compilers fill gaps with. */
const INT3 = 0xcc;
/** In entry code: where each stub begins, and the functions that they call there. */
const [SYSCALL, GATE0, GATE1, GATE2, SAVES, JUMPS_ON, LEAVES] = [0, 32, 64, 96, 128, 160, 192].map((at) => ENTRY + at);

/** Instructions by address; a branch is its opcode and its target. */
const CODE: readonly (readonly [at: number, opcode: number, target?: number])[] = [
  [SYSCALL, 0xe8, C0],
  [SYSCALL + 5, 0xe8, THUNK],
  [SYSCALL + 10, 0xe9, LEAVES],
  // Gate 0: what saves registers; another function on either side of a jump (jne +10).
  [GATE0, 0xe8, SAVES],
  [GATE0 + 5, 0x75],
  [GATE0 + 7, 0xe8, C1],
  [GATE0 + 12, 0xe9, LEAVES],
  [GATE0 + 17, 0xe8, C2],
  [GATE0 + 22, 0xe9, LEAVES],
  [GATE1, 0xe8, SAVES],
  [GATE1 + 5, 0xe8, JUMPS_ON],
  [GATE1 + 10, 0xe9, LEAVES],
  [GATE2, 0xe8, SHARED],
  [GATE2 + 5, 0xe9, LEAVES],
  // push %rax; jmp to C: only who calls it goes on to its own function.
  [SAVES, 0x50],
  [SAVES + 1, 0xe9, SHARED],
  [JUMPS_ON, 0x90],
  [JUMPS_ON + 1, 0xe9, C3],
  [LEAVES, 0xe8, SHARED],
  [LEAVES + 5, 0xc3],
];

function found() {
  const memory = new PhysicalMemory(0x4000);
  const near = (va: number) => va - ENTRY;
  memory.writeBytes(0, new Uint8Array(0x1000).fill(INT3));
  for (const [at, opcode, target] of CODE) {
    memory.write8(near(at), opcode);
    if (target !== undefined) memory.writeBytes(near(at) + 1, new Uint8Array(Int32Array.of(target - at - 5).buffer));
    if (opcode === 0x75) memory.write8(near(at) + 1, 10);
  }
  for (const [vector, stub] of [GATE0, GATE1, GATE2].entries()) {
    const gate = Int32Array.of(stub & 0xffff, (stub & 0xffff0000) | 0x8e00, Math.floor(stub / 2 ** 32), 0);
    memory.writeBytes(near(IDT) + 16 * vector, new Uint8Array(gate.buffer));
  }
  const r = new Int32Array(128);
  r.set([IDT | 0, -1], IDTR_BASE);
  r[IDTR_LIMIT] = 4 * 16 - 1;
  const code = {
    entry: { start: ENTRY, end: ENTRY + 0x1000 },
    systemCall: SYSCALL,
    kindAt: (va: number) => (va === THUNK ? 'thunk' : 'noinstr') as 'thunk' | 'noinstr',
  };
  return eventHandlers({ machine: { memory, cpus: [{ r }] }, near, physical: near }, code);
}

test('functions of one stub are those of its event', () => {
  const { all, of } = found();
  expect([...of(SYSCALL_EVENT)]).toEqual([C0]);
  expect([...of(0)].sort()).toEqual([C1, C2].sort());
  expect([...of(1)]).toEqual([C3]);
  expect([...all].sort()).toEqual([C0, C1, C2, C3].sort());
});

test("what stubs share is nobody's own, and a gate that is not present has none", () => {
  const { of } = found();
  expect([...of(2), ...of(3), ...of(200)]).toEqual([]);
});
