/** Epochs without QEMU: the other machine is a second emulator that takes QEMU's liberties, or has a planted fault. */
import { readFileSync } from 'node:fs';
import { Mnemonic } from 'iced-x86';
import { setRflags } from '../cpu/outcome';
import { readElf } from '../elf/elf-image';
import { OP_REP } from '../micro-op';
import { FLAG_AF, FLAG_DF, FLAG_OF, FLAG_RF, ICOUNT, R15, SS, STATUS_FLAGS } from '../registers';
import { Twin } from '../testing/twin';
import { LockstepError } from './both-machines';
import type { EpochOptions } from './epoch-run';
import { type EpochResult, epochs } from './epochs';

const imageOf = (design: string) => {
  const path = `${__dirname}/../guest/${design}/${design}-nopcid.elf`;
  return readElf(readFileSync(path), path);
};
const MAINLINE = imageOf('mainline');

/** What QEMU does differently, written down a second time: from the rows of the accepted differences. */
function takeLiberties({ observed, machine }: Twin): void {
  const { cpu, op, delivered, pushedFlags } = observed;
  const clear = (flags: number) => setRflags(cpu, cpu.rflags() & ~flags);
  if (delivered?.source === 'fault' && pushedFlags !== undefined)
    machine.memory.write32At(pushedFlags, machine.memory.read32(pushedFlags) & ~FLAG_RF);
  if (delivered !== undefined && delivered.ist !== 0 && (observed.before[SS] & 3) === 0) cpu.r[SS] = 0;
  if (op === undefined || delivered !== undefined) return;
  if (op.mnemonic === Mnemonic.Syscall) clear(STATUS_FLAGS | FLAG_DF);
  if (op.mnemonic === Mnemonic.Shr && (op.immLo & 63) > 1) clear(FLAG_OF);
  if ((op.flags & OP_REP) !== 0 && cpu.rip() === op.va) clear(FLAG_RF);
}

function run(
  afterStep: (twin: Twin) => void,
  more: Partial<EpochOptions> = {},
  image = MAINLINE,
): Promise<EpochResult> {
  const twin = new Twin();
  twin.afterStep = afterStep;
  let seed = 1;
  const random = () => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return seed / 0x80000000;
  };
  const options = {
    steps: 30_000,
    cpus: 1,
    tasks: 3,
    mms: 2,
    random,
    nmiEvery: 1000,
    irqEvery: 500,
    vectors: [0x20, 0xfd],
  };
  return epochs(image, twin, { ...options, length: 300, ...more });
}

test('two machines that differ as QEMU does are equal after every epoch, and each difference is counted', async () => {
  const { counts, end } = await run(takeLiberties, { steps: 40_000 });
  expect(end).toBeUndefined();
  expect(counts.localised).toBe(0);
  for (const count of ['epochs', 'returns', 'nmis', 'irqs', 'faults', 'halts'] as const)
    expect([count, counts[count] > 0]).toEqual([count, true]);
  expect([...counts.accepted.keys()].sort()).toEqual([
    'rf-in-repetition',
    'rf-not-pushed',
    'ss-after-ist',
    'syscall-clears-flags',
    'undefined-flags',
  ]);
  expect(counts.accepted.get('rf-not-pushed')).toBe(counts.faults);
});

test('two CPUs take turns, the second one once the first has booted, and are equal after every epoch', async () => {
  const { counts, end, machine } = await run(takeLiberties, { steps: 24_000, cpus: 2, length: 50 });
  expect(end).toBeUndefined();
  expect(counts.switches).toBeGreaterThan(20);
  expect(machine.cpus.map(({ r }) => r[ICOUNT] > 1000)).toEqual([true, true]);
});

test('a register that changes on the CPU that does not run is a difference', async () => {
  const { end } = await run(
    (twin) => {
      takeLiberties(twin);
      if (twin.observed.cpu.index === 1) twin.machine.cpus[0].r[R15] ^= 1;
    },
    { cpus: 2 },
  );
  expect(end?.found?.differences).toEqual([expect.objectContaining({ name: 'r15 of CPU 0' })]);
});

test('a guest that halts for good goes on from where it had booted, even if NMIs wake it', async () => {
  const { counts, end } = await run(takeLiberties, { steps: 40_000, nmiEvery: 300 }, imageOf('deferred-percpu'));
  expect(end).toBeUndefined();
  expect(counts.restarts).toBeGreaterThan(1);
  // A guest that has panicked takes none.
  expect(counts.irqs).toBeGreaterThan(20);
});

test('a store that only the other machine makes is found at the instruction that makes it', async () => {
  const schedule = MAINLINE.symbol('schedule') as number;
  const { end } = await run((twin) => {
    takeLiberties(twin);
    if (twin.observed.op?.va === schedule) twin.machine.memory.write32At(0x9fffc, 0x55);
  });
  expect(end?.found).toMatchObject({ reason: 'difference', va: schedule, event: '' });
  expect(end?.found?.differences).toEqual([{ kind: 'memory', pa: 0x9fffc, ours: 0, theirs: 0x55 }]);
});

test('an accepted difference that is not imitated is explained by the steps, and the run goes on', async () => {
  const { counts, end } = await run((twin) => {
    takeLiberties(twin);
    const { cpu, op, result } = twin.observed;
    if (result === 0 && op?.mnemonic === Mnemonic.Xor) setRflags(cpu, cpu.rflags() | FLAG_AF);
  });
  expect(end).toBeUndefined();
  expect(counts.localised).toBeGreaterThan(0);
});

test('a difference that single steps do not show is no explanation', async () => {
  let steps = 0;
  const { end } = await run((twin) => {
    takeLiberties(twin);
    if (twin.loads === 0 && ++steps === 20_000) twin.machine.memory.write32At(0x9fffc, 0x55);
  });
  expect(end).toMatchObject({ found: undefined, differences: [{ kind: 'memory', pa: 0x9fffc }] });
});

test('what cannot be compared is refused', async () => {
  const segments = MAINLINE.segments.map((segment) => ({ ...segment, paddr: segment.paddr + 0x80000 }));
  const image = { entry: MAINLINE.entry, segments, symbol: (name: string) => MAINLINE.symbol(name) };
  await expect(epochs(image, new Twin(), {} as EpochOptions)).rejects.toThrow(LockstepError);
});
