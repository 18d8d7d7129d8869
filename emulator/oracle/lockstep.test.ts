/**
 * Lock-step without QEMU: the other machine is a second emulator that takes QEMU's liberties, or has a planted fault.
 */
import { readFileSync } from 'node:fs';
import type { LoadableImage } from '../boot';
import { setRflags } from '../cpu/outcome';
import { readElf } from '../elf/elf-image';
import { CS, EFLAGS, FLAG_RF, R15 } from '../registers';
import { FAULTED } from '../step-result';
import { KERNEL, KERNEL_CODE, PML4, place, smallMachine } from '../testing/small-machine';
import { Twin } from '../testing/twin';
import { readState } from './architectural-state';
import { LockstepError } from './both-machines';
import { lockstep } from './lockstep';
import type { LockstepEnd, LockstepOptions, LockstepResult } from './lockstep-result';

const path = `${__dirname}/../guest/mainline/mainline-nopcid.elf`;
const MAINLINE = readElf(readFileSync(path), path);

function run(
  image: LoadableImage,
  prepare: (twin: Twin) => void = () => {},
  more: Partial<LockstepOptions> = {},
): Promise<LockstepResult> {
  const twin = new Twin();
  prepare(twin);
  let seed = 1;
  const random = () => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return seed / 0x80000000;
  };
  const guest = { cpus: 1, tasks: 3, mms: 2, random, vectors: [0x20] };
  const options = { ...guest, steps: 15_000, nmiRate: 1 / 300, irqRate: 1 / 60, switchRate: 0.05 };
  return lockstep(image, twin, { ...options, interval: 500, ...more });
}

async function endOf(...args: Parameters<typeof run>): Promise<LockstepEnd> {
  const { end } = await run(...args);
  if (end === undefined) throw new Error('the run came to its end: expected it to stop');
  return end;
}

/** Code at KERNEL_CODE of a small machine whose RAM below 0x60000 is the image. */
function smallImage(hex: string): LoadableImage {
  const { machine } = smallMachine();
  place(machine, KERNEL_CODE, hex);
  const data = machine.memory.readBytes(0, 0x60000);
  return {
    entry: KERNEL_CODE,
    segments: [{ vaddr: KERNEL, paddr: 0, memsz: data.length, data }],
    symbol: () => PML4,
  };
}

test('two CPUs take turns, and both are compared', async () => {
  const { counts, end } = await run(MAINLINE, () => {}, { steps: 20_000, cpus: 2 });
  expect(end).toBeUndefined();
  expect(counts.switches).toBeGreaterThan(50);
  const other = await endOf(
    MAINLINE,
    (twin) => {
      twin.afterStep = ({ observed, machine }) => {
        if (observed.cpu.index === 1) machine.cpus[0].r[R15] ^= 1;
      };
    },
    { steps: 20_000, cpus: 2, interval: 1 },
  );
  expect(other.differences).toEqual([expect.objectContaining({ name: 'r15 of CPU 0' })]);
});

test('two machines that do the same stay together through boot, events, choices and halts', async () => {
  const { counts, end } = await run(MAINLINE, () => {}, { steps: 25_000 });
  expect(end).toBeUndefined();
  expect(counts.steps).toBe(25_000);
  expect(counts.boot).toBeGreaterThan(10_000);
  for (const count of ['nmis', 'irqs', 'faults', 'halts'] as const)
    expect([count, counts[count] > 0]).toEqual([count, true]);
  expect(counts.wholeComparisons).toBe(50);
  expect(counts.accepted.size).toBe(0);
});

test('a register that differs ends the run at that step', async () => {
  const end = await endOf(MAINLINE, (twin) => {
    twin.afterStep = ({ steps, observed }) => {
      if (steps === 700) observed.cpu.r[CS] ^= 8;
    };
  });
  expect([end.reason, end.equalAfter, end.step]).toEqual(['difference', 699, 700]);
  expect(end.differences).toEqual([{ kind: 'register', name: 'cs', ours: 8n, theirs: 0n }]);
});

test('a step that the other machine leaves out ends the run at that step', async () => {
  const end = await endOf(MAINLINE, (twin) => {
    const step = twin.step.bind(twin);
    twin.step = async (state) => {
      if (twin.steps === 900) readState(twin.observed.cpu, state);
      else await step(state);
    };
  });
  expect([end.reason, end.step]).toEqual(['difference', 901]);
  expect(end.differences.map((difference) => difference.kind === 'register' && difference.name)).toContain('rip');
});

test('a stored word that differs ends the run at that step, also if ours was there before', async () => {
  let planted = 0;
  const end = await endOf(MAINLINE, (twin) => {
    const { afterStep } = twin;
    twin.afterStep = (self) => {
      afterStep(self);
      const [word] = self.observed.written;
      const old = self.machine.memory.words[word];
      if (planted === 0 && self.steps > 14_000 && word !== undefined && old !== 0) {
        planted = self.steps;
        self.machine.memory.write32(word, ~old);
      }
      self.observed.written.clear();
    };
  });
  expect([end.reason, end.step]).toEqual(['difference', planted]);
  expect(end.differences).toHaveLength(1);
});

test('a word that only the other machine writes is found when all RAM is compared', async () => {
  const end = await endOf(MAINLINE, (twin) => {
    twin.afterStep = ({ steps, machine }) => {
      if (steps === 1201) machine.memory.write32At(0x9fffc, 0x55);
    };
  });
  expect([end.reason, end.equalAfter, end.step]).toEqual(['difference', 1000, 1500]);
  expect(end.differences).toEqual([{ kind: 'memory', pa: 0x9fffc, ours: 0, theirs: 0x55 }]);
});

test('a descriptor-table register that differs in user mode is found at the same time', async () => {
  const end = await endOf(MAINLINE, (twin) => {
    twin.tables = (tables) => new Map(tables).set('idtr.limit', 1n);
  });
  expect([end.reason, end.step]).toEqual(['difference', 14_000]);
  expect(end.differences).toMatchObject([{ kind: 'register', name: 'idtr.limit', theirs: 1n }]);
});

test('a known difference is repaired on the other side, counted, and the run goes on', async () => {
  const { counts, end } = await run(
    MAINLINE,
    (twin) => {
      twin.afterStep = ({ observed, machine }) => {
        if (observed.result === FAULTED && observed.pushedFlags !== undefined)
          machine.memory.write32At(observed.pushedFlags, machine.memory.read32(observed.pushedFlags) & ~FLAG_RF);
        else if (observed.cpu.rip() === observed.op?.va && (observed.cpu.r[EFLAGS] & FLAG_RF) !== 0)
          setRflags(observed.cpu, observed.cpu.rflags() & ~FLAG_RF);
      };
    },
    { steps: 25_000 },
  );
  expect(end).toBeUndefined();
  expect(counts.accepted.get('rf-not-pushed')).toBe(counts.faults);
  expect(counts.accepted.get('rf-in-repetition')).toBeGreaterThan(0);
  expect([...counts.accepted.keys()].sort()).toEqual(['rf-in-repetition', 'rf-not-pushed']);
});

test('a guest that halts with interrupts off, or shuts down, ends the run', async () => {
  const halting = smallImage('90 f4'); // nop; hlt
  expect(await endOf(halting)).toMatchObject({ reason: 'halted', step: 2, differences: [] });
  const faultingWithoutIdt = smallImage('0f0b'); // ud2
  expect(await endOf(faultingWithoutIdt)).toMatchObject({ reason: 'shutdown', step: 1, differences: [] });
});

test('PAUSE is one step with the instruction after it', async () => {
  const image = smallImage('f390 f390 90 ebf9'); // pause; pause; nop; jmp to the first pause
  const { counts, end } = await run(image, () => {}, { steps: 999 });
  expect(end).toBeUndefined();
  expect(counts.steps).toBeGreaterThanOrEqual(999);
});

test('what cannot be compared is refused', async () => {
  const image = smallImage('90'); // nop
  const segments = image.segments.map((segment) => ({ ...segment, paddr: 0x80000 }));
  await expect(run({ ...image, segments })).rejects.toThrow(LockstepError);
  await expect(run({ ...image, segments })).rejects.toThrow(
    'the guest uses physical 0xdffff: only what stays below 0xa0000',
  );
  const pcid = smallImage('0f20e0 0d00000200 0f22e0'); // mov %cr4,%rax; or $0x20000,%eax; mov %rax,%cr4
  await expect(run(pcid)).rejects.toThrow('the guest turns PCID on, which QEMU lacks');
});
