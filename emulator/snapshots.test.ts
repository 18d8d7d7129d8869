import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { readElf } from './elf/elf-image';
import { Machine } from './machine';
import { CPL, ICOUNT, RAX } from './registers';
import { KERNEL, kernelAt, poke, smallMachine } from './testing/small-machine';

/** A guest in which everything happens: page faults, IPIs, TLB flushes, NMIs on two CPUs. */
function bootedGuest(): Machine {
  const path = `${__dirname}/guest/mainline/mainline.elf`;
  const machine = new Machine(readElf(readFileSync(path), path), { cpus: 2 });
  let state = 1;
  machine.choose = (_cpu, alternatives) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 16) % alternatives;
  };
  for (const cpu of machine.cpus) {
    machine.boot(cpu.index, { cpus: 2, tasks: 2, mms: 1 });
    for (let i = 0; i < 100_000 && cpu.r[CPL] !== 3; i++) machine.step(cpu.index);
    expect(cpu.r[CPL]).toBe(3);
  }
  return machine;
}

type Action = { kind: 'run' | 'nmi' | 'irq'; cpu: number; count: number };

const action: fc.Arbitrary<Action> = fc.record({
  kind: fc.constantFrom('run' as const, 'run' as const, 'nmi' as const, 'irq' as const),
  cpu: fc.integer({ min: 0, max: 1 }),
  count: fc.integer({ min: 1, max: 300 }),
});

function perform(machine: Machine, actions: Action[]): void {
  for (const { kind, cpu, count } of actions) {
    if (kind === 'nmi') machine.raiseNmi(cpu);
    else if (kind === 'irq') machine.raiseIrq(cpu, 0x20);
    else machine.run(cpu, count);
  }
}

describe('snapshots', () => {
  const machine = bootedGuest();
  const ghosts = new Int32Array(4);
  machine.attachState(ghosts);

  test('a rollback restores the fingerprint exactly, and the same actions lead to the same state again', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 12 }), fc.array(action, { maxLength: 12 }), (first, second) => {
        // Choices must not depend on the past of this test.
        machine.choose = (cpu, alternatives) => cpu.r[ICOUNT] % alternatives;
        const outer = machine.mark();
        const before = machine.fingerprint();
        perform(machine, first);
        ghosts[0]++;
        const inner = machine.mark();
        const middle = machine.fingerprint();
        perform(machine, second);
        const after = machine.fingerprint();
        machine.rollback(inner);
        expect(machine.fingerprint()).toBe(middle);
        perform(machine, second);
        expect(machine.fingerprint()).toBe(after);
        machine.rollback(outer);
        expect(machine.fingerprint()).toBe(before);
        expect(ghosts[0]).toBe(0);
        machine.release(outer);
      }),
      { numRuns: 60 },
    );
  });

  test('the incremental memory hash is that of the contents', () => {
    const contents = Uint8Array.from(new Uint8Array(machine.memory.words.buffer));
    const copy = new Machine(
      { entry: 0, segments: [{ vaddr: 0, paddr: 0, memsz: contents.length, data: contents }], symbol: () => 0 },
      { cpus: 1 },
    );
    expect(copy.memoryHash()).toBe(machine.memoryHash());
  });

  test('a mark that is not held, and state attached too late, are refused', () => {
    const mark = machine.mark();
    expect(() => machine.attachState(new Int32Array(1))).toThrow(/before the first mark/);
    machine.release(mark);
    expect(() => machine.rollback(mark)).toThrow(/not held/);
  });

  test('a rollback takes decoded code with it', () => {
    const small = smallMachine();
    kernelAt(small, 'b801000000f4'); // mov $1,%eax; hlt
    const mark = small.machine.mark();
    poke(small.machine, KERNEL + 0x20000, 0xf400000002b8n);
    small.machine.run(0, 5);
    expect(small.cpu.get64(RAX)).toBe(2n);
    small.machine.rollback(mark);
    small.machine.run(0, 5);
    expect(small.cpu.get64(RAX)).toBe(1n);
  });
});
